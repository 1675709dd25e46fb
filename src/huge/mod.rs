//! Requests above 4 MiB: each its own mapping, known by its address.
//!
//! # Invariant
//!
//! Every huge block that the program holds is in the registry, and nothing else is.
#![forbid(unsafe_code)]

mod demand;
mod registry;
mod reuse;

use core::ptr::NonNull;

use crate::sync::Lock;
use crate::sys::{self, Mapping};
use crate::units::{NodeId, Zeroed};
use demand::Demand;
use registry::Registry;
use reuse::Reuse;

/// A block that grows, grows by this share of itself at least.
const GROWTH_SHARE: usize = 8;

/// All huge blocks of a heap.
#[derive(Debug)]
pub(crate) struct Huge {
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    registry: Registry,
    reuse: Reuse,
    demand: Demand,
    /// Addresses that were freed last, the newest first, to tell a second free from a wild one.
    freed: [usize; FREED],
}

/// Freed addresses that are remembered.
const FREED: usize = 16;

/// What a huge block wants to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Length.
    pub(crate) bytes: usize,
    /// A power of two.
    pub(crate) align: usize,
    /// Whether it must hold zeroes.
    pub(crate) zeroed: Zeroed,
    /// The node to ask for memory, where there are several.
    pub(crate) node: Option<NodeId>,
}

/// Numbers about huge blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HugeCounts {
    /// Blocks in use.
    pub(crate) blocks: usize,
    /// Bytes in use.
    pub(crate) bytes: usize,
    /// Bytes that are kept for reuse.
    pub(crate) kept_bytes: usize,
}

/// Why an address is no huge block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotHuge {
    /// The address lies inside a block.
    Inside,
    /// A block at this address was freed lately.
    Freed,
    /// The address has nothing to do with huge blocks.
    Unknown,
}

impl Huge {
    /// No blocks; of freed ones at most `reuse_bytes` are kept.
    pub(crate) const fn new(reuse_bytes: usize) -> Self {
        let registry = Registry::new();
        Self {
            state: Lock::new(State {
                registry,
                demand: Demand::none(),
                freed: [0; FREED],
                reuse: Reuse::new(reuse_bytes),
            }),
        }
    }

    /// A block.
    pub(crate) fn take(&self, request: Request) -> Option<NonNull<u8>> {
        let mut state = self.state.lock();
        if !state.registry.make_room() {
            return None;
        }
        let kept = match request.zeroed {
            // Fresh pages are zero already; clearing old ones costs as much as faulting new ones.
            Zeroed::Yes => None,
            Zeroed::No => state.reuse.take(request.bytes, request.align),
        };
        let mapping = match kept {
            Some(mapping) => mapping,
            None => {
                drop(state);
                let mapping = self.map(request)?;
                state = self.state.lock();
                // Another thread may have taken the room while the lock was open.
                if !state.registry.make_room() {
                    mapping.unmap();
                    return None;
                }
                mapping
            }
        };
        let start = mapping.start();
        state.registry.insert(mapping);
        Some(start)
    }

    /// Takes the block at `address` back.
    pub(crate) fn give(&self, address: usize) -> Result<(), NotHuge> {
        let mut state = self.state.lock();
        match state.registry.remove(address) {
            Some(mapping) => {
                state.freed.rotate_right(1);
                state
                    .freed
                    .iter_mut()
                    .take(1)
                    .for_each(|newest| *newest = address);
                state.keep(mapping);
                Ok(())
            }
            None => Err(state.misses(address)),
        }
    }

    /// The length of the block at `address`.
    pub(crate) fn bytes_at(&self, address: usize) -> Result<usize, NotHuge> {
        let state = self.state.lock();
        state
            .registry
            .bytes_at(address)
            .ok_or_else(|| state.misses(address))
    }

    /// Makes `block` `bytes` long or a little longer, possibly elsewhere; nothing is copied.
    pub(crate) fn resize(&self, block: NonNull<u8>, bytes: usize) -> Option<NonNull<u8>> {
        let address = block.as_ptr() as usize;
        let mut state = self.state.lock();
        let old_bytes = state.registry.bytes_at(address)?;
        if (bytes..=grown(bytes)).contains(&old_bytes) {
            return Some(block);
        }
        let mut mapping = state.registry.remove(address)?;
        // Growth is ahead of need: what is not touched costs address space alone.
        let ahead = if bytes > old_bytes {
            bytes.max(grown(old_bytes))
        } else {
            bytes
        };
        // What is kept right behind the block has its pages already.
        if ahead > old_bytes
            && let Some(next) = state.reuse.take_at(address + old_bytes, ahead - old_bytes)
        {
            mapping = match mapping.join(next) {
                Ok(joined) => joined,
                Err((mapping, next)) => {
                    state.keep(next);
                    mapping
                }
            };
        }
        let resized = if (bytes..=ahead).contains(&mapping.bytes()) {
            Ok(mapping)
        } else {
            mapping
                .resize(ahead)
                .or_else(|mapping| mapping.resize(bytes))
        };
        let (mapping, done) = match resized {
            Ok(mapping) => (mapping, true),
            Err(mapping) => (mapping, false),
        };
        let start = mapping.start();
        state.registry.insert(mapping);
        done.then_some(start)
    }

    /// Gives everything that is kept for reuse back to the kernel; how many bytes it were.
    pub(crate) fn trim(&self) -> usize {
        self.state.lock().reuse.clear()
    }

    /// Numbers.
    pub(crate) fn counts(&self) -> HugeCounts {
        let state = self.state.lock();
        HugeCounts {
            blocks: state.registry.count(),
            bytes: state.registry.bytes(),
            kept_bytes: state.reuse.bytes(),
        }
    }

    /// Takes the lock, to hold it across a fork.
    pub(crate) fn hold_for_fork(&self) {
        self.state.hold_for_fork();
    }

    /// Frees the lock after a fork, in parent or child.
    pub(crate) fn end_fork(&self) {
        self.state.end_fork();
    }

    fn map(&self, request: Request) -> Option<Mapping> {
        let map = || Mapping::new(request.bytes, request.align);
        // Short of address space, what is kept for reuse goes first.
        let mapping = map().or_else(|| if self.trim() > 0 { map() } else { None })?;
        if let Some(node) = request.node {
            let _ = mapping.prefer_node(node.0);
        }
        Some(mapping)
    }
}

/// The length that a block grows to at least: a program that appends does it often.
fn grown(bytes: usize) -> usize {
    bytes.saturating_add(bytes / GROWTH_SHARE)
}

impl State {
    /// Keeps a freed mapping as far as the program has needed that much of late: what is kept and
    /// what is in use together are then no more than it had before.
    fn keep(&mut self, mapping: Mapping) {
        let used = self.registry.bytes();
        let needed = self
            .demand
            .note(used + mapping.bytes(), sys::milliseconds());
        self.reuse.keep(mapping, needed - used);
    }

    fn misses(&self, address: usize) -> NotHuge {
        if self.registry.is_inside(address) {
            NotHuge::Inside
        } else if self.freed.contains(&address) {
            NotHuge::Freed
        } else {
            NotHuge::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn request(mebibytes: usize) -> Request {
        Request {
            bytes: mebibytes * MIB,
            align: 16,
            zeroed: Zeroed::No,
            node: None,
        }
    }

    #[test]
    fn a_block_is_known_by_its_start_alone() {
        let huge = Huge::new(0);
        let address = huge.take(request(5)).unwrap().as_ptr() as usize;
        assert_eq!(huge.bytes_at(address), Ok(5 * MIB));
        assert_eq!(huge.bytes_at(address + 4096), Err(NotHuge::Inside));
        assert_eq!(huge.bytes_at(address + 5 * MIB), Err(NotHuge::Unknown));
        assert_eq!(huge.give(address), Ok(()));
        assert_eq!(huge.give(address), Err(NotHuge::Freed));
        assert_eq!(huge.counts().blocks, 0);
    }

    #[test]
    fn a_freed_block_is_used_again_unless_zeroes_are_wanted() {
        let huge = Huge::new(32 * MIB);
        let first = huge.take(request(8)).unwrap();
        huge.give(first.as_ptr() as usize).unwrap();
        assert_eq!(huge.counts().kept_bytes, 8 * MIB);
        let zeroed = huge
            .take(Request {
                zeroed: Zeroed::Yes,
                ..request(8)
            })
            .unwrap();
        assert_ne!(zeroed, first);
        assert_eq!(huge.take(request(8)), Some(first));
        huge.give(first.as_ptr() as usize).unwrap();
        assert_eq!(huge.trim(), 8 * MIB);
    }

    #[test]
    fn a_block_grows_and_shrinks_without_losing_its_place_in_the_registry() {
        let huge = Huge::new(0);
        let start = huge.take(request(5)).unwrap();
        let moved = huge.resize(start, 500 * MIB).unwrap();
        assert_eq!(huge.bytes_at(moved.as_ptr() as usize), Ok(500 * MIB));
        assert_eq!(huge.resize(moved, usize::MAX / 2), None);
        let shrunk = huge.resize(moved, 6 * MIB).unwrap();
        assert_eq!(huge.counts().bytes, 6 * MIB);
        huge.give(shrunk.as_ptr() as usize).unwrap();
    }

    #[test]
    fn a_growing_block_takes_what_is_kept_behind_it() {
        let huge = Huge::new(64 * MIB);
        let whole = huge.take(request(40)).unwrap();
        huge.give(whole.as_ptr() as usize).unwrap();
        let start = huge.take(request(8)).unwrap();
        assert_eq!(start, whole);
        assert_eq!(huge.counts().kept_bytes, 32 * MIB);
        assert_eq!(huge.resize(start, 32 * MIB), Some(start));
        assert_eq!(huge.counts().kept_bytes, 8 * MIB);
        huge.give(start.as_ptr() as usize).unwrap();
        assert_eq!(huge.counts().kept_bytes, 40 * MIB);
        huge.trim();
    }

    #[test]
    fn what_was_needed_a_moment_ago_is_kept() {
        let huge = Huge::new(8 * MIB);
        let blocks = [20, 20, 20].map(|bytes| huge.take(request(bytes)).unwrap());
        huge.give(blocks[1].as_ptr() as usize).unwrap();
        assert_eq!(huge.counts().kept_bytes, 20 * MIB);
        for block in [blocks[0], blocks[2]] {
            huge.give(block.as_ptr() as usize).unwrap();
        }
        assert_eq!(huge.counts().kept_bytes, 60 * MIB);
        // What was in use when nothing else was is all that is kept later.
        huge.state.lock().demand = Demand::none();
        let last = huge.take(request(90)).unwrap();
        huge.give(last.as_ptr() as usize).unwrap();
        assert_eq!(huge.counts().kept_bytes, 90 * MIB);
        huge.trim();
    }

    #[test]
    fn the_impossible_is_refused() {
        let huge = Huge::new(0);
        assert_eq!(
            huge.take(Request {
                bytes: usize::MAX / 2,
                ..request(1)
            }),
            None
        );
        assert_eq!(
            huge.take(Request {
                align: 1 << 62,
                ..request(8)
            }),
            None
        );
    }
}
