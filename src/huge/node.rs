//! Nodes, in which extents are stored: found by number, at the same place for ever.
//!
//! # Invariant
//!
//! Chunks double in length and are never moved, so no call pays for the number of extents.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use crate::report::internal_error;
use crate::sys::{MappingCell, Region, Table, ZeroInit};

/// Levels of a skip list, enough for a million nodes: each has a quarter of those of the level below.
pub(super) const LEVELS: usize = 10;
/// Nodes of the first chunk.
pub(super) const FIRST: usize = 256;
const CHUNKS: usize = 14;

/// The number of a node; 0 is none.
pub(super) type Number = u32;

/// An extent with its places in the lists.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) cell: MappingCell,
    pub(super) kind: AtomicU8,
    /// The next ones by address, on each level.
    pub(super) after: [AtomicU32; LEVELS],
    /// The one before by address, but for a head.
    pub(super) before: AtomicU32,
    /// The last and the next one in a ring of each lane.
    rings: [[AtomicU32; 2]; 2],
}

// SAFETY: made of atomics; zero is no extent and no link.
unsafe impl ZeroInit for Node {}

/// A ring that a node may be in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane {
    /// Of free extents of about the same length.
    Length,
    /// Of all kept extents, the oldest first. The nodes that are not used are linked here, too.
    Age,
}

// ORDERING: relaxed; the lock of the state that the nodes belong to orders all accesses.

impl Node {
    pub(super) fn kind(&self) -> u8 {
        self.kind.load(Relaxed)
    }

    pub(super) fn set_kind(&self, kind: u8) {
        self.kind.store(kind, Relaxed);
    }

    /// The next node by address on a level.
    pub(super) fn after(&self, level: usize) -> Number {
        self.after.get(level).map_or(0, |link| link.load(Relaxed))
    }

    pub(super) fn set_after(&self, level: usize, node: Number) {
        if let Some(link) = self.after.get(level) {
            link.store(node, Relaxed);
        }
    }

    /// The node before by address, 0 for the head.
    pub(super) fn before(&self) -> Number {
        self.before.load(Relaxed)
    }

    pub(super) fn set_before(&self, node: Number) {
        self.before.store(node, Relaxed);
    }

    pub(super) fn last_in(&self, lane: Lane) -> Number {
        let [last, _] = self.ring(lane);
        last.load(Relaxed)
    }

    pub(super) fn set_last_in(&self, lane: Lane, node: Number) {
        let [last, _] = self.ring(lane);
        last.store(node, Relaxed);
    }

    pub(super) fn next_in(&self, lane: Lane) -> Number {
        let [_, next] = self.ring(lane);
        next.load(Relaxed)
    }

    pub(super) fn set_next_in(&self, lane: Lane, node: Number) {
        let [_, next] = self.ring(lane);
        next.store(node, Relaxed);
    }

    fn ring(&self, lane: Lane) -> &[AtomicU32; 2] {
        let [lengths, ages] = &self.rings;
        match lane {
            Lane::Length => lengths,
            Lane::Age => ages,
        }
    }
}

/// All nodes.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) chunks: [Option<Table<Node>>; CHUNKS],
    /// The numbers below this one have memory.
    pub(super) ready: usize,
    /// The first number that was never used.
    pub(super) fresh: usize,
    /// The first of the nodes that are not used any more; each has the next one as its next by age.
    free: Number,
    free_count: usize,
    /// Nodes that were taken out and will be needed again.
    promised: usize,
}

/// The first number is the head of the list by address.
pub(super) const HEADS: usize = 1;

impl Nodes {
    pub(super) const fn new() -> Self {
        Self {
            chunks: [const { None }; CHUNKS],
            ready: 0,
            fresh: HEADS,
            free: 0,
            free_count: 0,
            promised: 0,
        }
    }

    /// Gives the memory of all nodes back, of which none is in use.
    pub(super) fn abandon(&mut self) {
        let chunks = core::mem::replace(self, Self::new()).chunks;
        chunks.into_iter().flatten().for_each(Table::give_back);
    }

    /// Whether any extent was ever stored.
    pub(super) fn is_in_use(&self) -> bool {
        self.ready > 0
    }

    /// Makes sure that `count` nodes can be taken.
    pub(super) fn make_room(&mut self, wanted: usize) -> bool {
        while self.available() < wanted + self.promised {
            if !self.grow() {
                return false;
            }
        }
        true
    }

    #[cold]
    fn grow(&mut self) -> bool {
        let (chunk, offset) = place_of(self.ready);
        let nodes = FIRST << chunk;
        let Some(place) = self.chunks.get_mut(chunk) else {
            return false;
        };
        let bytes = Table::<Node>::bytes_for(nodes);
        let table = match place.take() {
            Some(table) => table,
            None => match Region::reserve_fenced(bytes, 0, 1 << 16) {
                Some(region) => Table::new(region),
                None => return false,
            },
        };
        let wanted = (offset + FIRST).min(nodes);
        let done = table.grow(wanted);
        if done {
            self.ready += wanted - offset;
        } else if offset == 0 {
            table.give_back();
            return false;
        }
        *place = Some(table);
        done
    }

    fn available(&self) -> usize {
        self.free_count + self.ready.saturating_sub(self.fresh)
    }

    /// Lets nobody but [`Self::take`] have one of the nodes, which is needed later.
    pub(super) fn promise(&mut self) {
        self.promised += 1;
    }

    /// Ends a promise; the node can be taken.
    pub(super) fn redeem(&mut self) {
        self.promised -= 1;
    }

    /// A node that nobody uses or needs.
    pub(super) fn take_spare(&mut self) -> Option<Number> {
        (self.available() > self.promised).then(|| self.take())?
    }

    /// A node that nobody uses.
    pub(super) fn take(&mut self) -> Option<Number> {
        if self.free != 0 {
            let number = self.free;
            self.free = self.get(number).next_in(Lane::Age);
            self.free_count -= 1;
            return Some(number);
        }
        let number = self.fresh;
        if number >= self.ready {
            return None;
        }
        self.fresh += 1;
        Number::try_from(number).ok()
    }

    /// Takes a node back, which is in no list.
    pub(super) fn give(&mut self, number: Number) {
        self.get(number).set_next_in(Lane::Age, self.free);
        self.free = number;
        self.free_count += 1;
    }

    /// How many nodes there are.
    pub(super) fn in_use(&self) -> usize {
        self.fresh - self.free_count
    }

    #[inline]
    pub(super) fn get(&self, number: Number) -> &Node {
        let (chunk, offset) = place_of(number as usize);
        match self.chunks.get(chunk) {
            Some(Some(table)) => table.get(offset),
            _ => internal_error("a node is missing"),
        }
    }
}

/// The chunk of a number, and its place there.
fn place_of(number: usize) -> (usize, usize) {
    let shifted = number + FIRST;
    let chunk = (shifted / FIRST).ilog2() as usize;
    (chunk, shifted - (FIRST << chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_place() {
        assert_eq!(place_of(0), (0, 0));
        assert_eq!(place_of(FIRST - 1), (0, FIRST - 1));
        assert_eq!(place_of(FIRST), (1, 0));
        assert_eq!(place_of(3 * FIRST), (2, 0));
        assert_eq!(place_of(7 * FIRST + 5), (3, 5));
    }

    #[test]
    fn nodes_are_used_again() {
        let mut nodes = Nodes::new();
        assert!(nodes.take().is_none() && nodes.make_room(1_000));
        let first = nodes.take().unwrap();
        assert_eq!(first as usize, HEADS);
        let second = nodes.take().unwrap();
        nodes.give(first);
        assert_eq!((nodes.take(), second), (Some(first), first + 1));
    }
}
