//! The list of all extents by address.
//!
//! # Invariant
//!
//! It is in its order on every level.
#![forbid(unsafe_code)]

use super::extents::Extents;
use super::node::{LEVELS, Node, Number};

/// The head of the list.
pub(super) const HEAD: Number = 0;

impl Extents {
    /// The last node that is `before` what is looked for, on each level.
    pub(super) fn path(&self, before: impl Fn(&Node) -> bool) -> [Number; LEVELS] {
        let mut path = [HEAD; LEVELS];
        let mut place = HEAD;
        for (level, last) in path.iter_mut().enumerate().take(self.levels).rev() {
            loop {
                let next = self.nodes.get(place).after(level);
                if next == 0 || !before(self.nodes.get(next)) {
                    break;
                }
                place = next;
            }
            *last = place;
        }
        path
    }

    pub(super) fn link(&mut self, place: Number) {
        let height = self.random_height();
        self.levels = self.levels.max(height);
        let node = self.nodes.get(place);
        let address = node.cell.address();
        let path = self.path(|node| node.cell.address() < address);
        let [before, ..] = path;
        for (level, last) in path.into_iter().enumerate() {
            if level >= height {
                node.set_after(level, 0);
                continue;
            }
            let last = self.nodes.get(last);
            node.set_after(level, last.after(level));
            last.set_after(level, place);
        }
        node.set_before(before);
        self.nodes.get(node.after(0)).set_before(place);
    }

    pub(super) fn unlink(&mut self, place: Number) {
        let node = self.nodes.get(place);
        let address = node.cell.address();
        let path = self.path(|node| node.cell.address() < address);
        for (level, last) in path.into_iter().enumerate() {
            let last = self.nodes.get(last);
            if last.after(level) != place {
                break;
            }
            last.set_after(level, node.after(level));
        }
        self.nodes.get(node.after(0)).set_before(node.before());
    }

    /// Levels of a new node: one, and each further one with one chance in four, but no more than that many nodes need: a search
    /// begins at the highest.
    fn random_height(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let height = 1 + self.random.trailing_zeros() as usize / 2;
        let needed = 1 + self.nodes.in_use().max(1).ilog2() as usize / 2;
        height.min(needed).min(LEVELS)
    }
}
