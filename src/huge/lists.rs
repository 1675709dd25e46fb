//! The lists that extents are in: by address, the free ones by length, and the kept ones by age.
//!
//! # Invariant
//!
//! Each list is in its order on every level; only the extents' own lengths and addresses decide about it.
#![forbid(unsafe_code)]

use super::extents::{Extents, Kind};
use super::node::{LEVELS, Lane, Node, Number};

/// The head of the list by address, and of that of kept extents by length.
pub(super) const HEAD: Number = 0;
/// The head of the list of vacant extents by length.
pub(super) const VACANT_HEAD: Number = 1;

impl Extents {
    /// The shortest extent of a kind with at least `bytes`.
    pub(super) fn at_least(&self, kind: Kind, bytes: usize) -> Option<Number> {
        if !self.nodes.is_in_use() {
            return None;
        }
        let [before, ..] = self.path(Lane::Length, head_of(kind), |node| {
            node.cell.bytes() < bytes
        });
        Some(self.next(Lane::Length, before)).filter(|place| *place != 0)
    }

    pub(super) fn longest(&self, kind: Kind) -> Option<Number> {
        if !self.nodes.is_in_use() {
            return None;
        }
        let head = head_of(kind);
        let [last, ..] = self.path(Lane::Length, head, |_| true);
        (last != head).then_some(last)
    }

    /// The last node of a list that is `before` what is looked for, on each level.
    pub(super) fn path(
        &self,
        lane: Lane,
        head: Number,
        before: impl Fn(&Node) -> bool,
    ) -> [Number; LEVELS] {
        let mut path = [head; LEVELS];
        let mut place = head;
        for (level, last) in path.iter_mut().enumerate().take(self.levels).rev() {
            loop {
                let next = self.nodes.get(place).next(lane, level);
                if next == 0 || !before(self.nodes.get(next)) {
                    break;
                }
                place = next;
            }
            *last = place;
        }
        path
    }

    fn path_to(&self, lane: Lane, head: Number, place: Number) -> [Number; LEVELS] {
        let key = |node: &Node| match lane {
            Lane::Address => (0, node.cell.address()),
            Lane::Length => (node.cell.bytes(), node.cell.address()),
        };
        let wanted = key(self.nodes.get(place));
        self.path(lane, head, |node| key(node) < wanted)
    }

    pub(super) fn link(&mut self, lane: Lane, head: Number, place: Number) {
        let height = self.random_height();
        self.levels = self.levels.max(height);
        let path = self.path_to(lane, head, place);
        let node = self.nodes.get(place);
        for (level, last) in path.into_iter().enumerate() {
            if level >= height {
                node.set_next(lane, level, 0);
                continue;
            }
            let last = self.nodes.get(last);
            node.set_next(lane, level, last.next(lane, level));
            last.set_next(lane, level, place);
        }
    }

    pub(super) fn unlink(&mut self, lane: Lane, head: Number, place: Number) {
        let path = self.path_to(lane, head, place);
        let node = self.nodes.get(place);
        for (level, last) in path.into_iter().enumerate() {
            let last = self.nodes.get(last);
            if last.next(lane, level) != place {
                break;
            }
            last.set_next(lane, level, node.next(lane, level));
        }
    }

    /// Levels of a new node: one, and each further one with one chance in four, but no more than so many nodes need: a search
    /// begins at the highest.
    fn random_height(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let height = 1 + self.random.trailing_zeros() as usize / 2;
        let needed = 1 + self.nodes.in_use().max(1).ilog2() as usize / 2;
        height.min(needed).min(LEVELS)
    }

    pub(super) fn append(&mut self, place: Number) {
        let node = self.nodes.get(place);
        node.set_older(self.newest);
        node.set_newer(0);
        match self.newest {
            0 => self.oldest = place,
            newest => self.nodes.get(newest).set_newer(place),
        }
        self.newest = place;
    }

    pub(super) fn detach(&mut self, place: Number) {
        let (older, newer) = (self.nodes.get(place).older(), self.nodes.get(place).newer());
        match older {
            0 => self.oldest = newer,
            older => self.nodes.get(older).set_newer(newer),
        }
        match newer {
            0 => self.newest = older,
            newer => self.nodes.get(newer).set_older(older),
        }
    }
}

pub(super) fn head_of(kind: Kind) -> Number {
    match kind {
        Kind::Vacant => VACANT_HEAD,
        _ => HEAD,
    }
}
