//! Requests above 4 MiB: each its own mapping, known by its address.
//!
//! # Invariant
//!
//! Every huge block that the program holds is in the registry, and nothing else is.
#![forbid(unsafe_code)]

mod demand;
mod registry;
mod reuse;
mod state;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::decay::Elapsed;
use crate::sync::Lock;
use crate::sys::{HugePages, Mapping, Policy};
use crate::units::Zeroed;
use state::State;

/// In a step at least so much of what is kept without need goes.
const LEAST_DECAY: usize = 4 << 20;
/// A block that grows, grows by this share of itself at least.
const GROWTH_SHARE: usize = 8;

/// All huge blocks of a heap.
#[derive(Debug)]
pub(crate) struct Huge {
    state: Lock<State>,
    /// Bytes kept for reuse, for who has not the lock.
    kept: AtomicUsize,
    /// Those and the bytes in use.
    touched: AtomicUsize,
}

/// What a huge block wants to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Length.
    pub(crate) bytes: usize,
    /// A power of two.
    pub(crate) align: usize,
    /// Whether it must hold zeroes.
    pub(crate) zeroed: Zeroed,
    /// Where its pages come from, where there are several nodes.
    pub(crate) policy: Option<Policy>,
    /// What pages of this kind are marked with: freed ones serve only requests for the same.
    pub(crate) mark: u8,
    /// Whether huge pages are wanted.
    pub(crate) huge_pages: HugePages,
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
        Self {
            state: Lock::new(State::new(reuse_bytes)),
            kept: AtomicUsize::new(0),
            touched: AtomicUsize::new(0),
        }
    }

    /// A block.
    pub(crate) fn take(&self, request: Request) -> Option<NonNull<u8>> {
        let mut state = self.state.lock();
        if !state.registry.make_room() {
            return None;
        }
        let kept_bytes = state.reuse.bytes();
        let kept = match request.zeroed {
            // Fresh pages are zero already; clearing old ones costs as much as faulting new ones.
            Zeroed::Yes => None,
            Zeroed::No => state.reuse.take(request.bytes, request.align, request.mark),
        };
        state.note_kept();
        self.note(&state);
        let mapping = match kept {
            Some(mapping) => {
                let reused = kept_bytes - state.reuse.bytes();
                if !state.afford(mapping.bytes().saturating_sub(reused)) {
                    state.keep(mapping);
                    return None;
                }
                mapping
            }
            None => {
                if !state.afford(request.bytes) {
                    return None;
                }
                state.make_way(request.bytes);
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
        self.note(&state);
        Some(start)
    }

    /// Takes the block at `address` back.
    pub(crate) fn give(&self, address: usize) -> Result<(), NotHuge> {
        let mut state = self.state.lock();
        match state.registry.remove(address) {
            Some(mapping) => {
                state.note_freed(address);
                state.keep(mapping);
                self.note(&state);
                Ok(())
            }
            None => Err(state.misses(address)),
        }
    }

    /// Whether `address` lies in a block.
    pub(crate) fn has(&self, address: usize) -> bool {
        let state = self.state.lock();
        state.registry.bytes_at(address).is_some() || state.registry.is_inside(address)
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
        if bytes > old_bytes && !state.afford(bytes - old_bytes) {
            return None;
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
            state.note_kept();
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
                .or_else(|mapping| {
                    if mapping.bytes() == old_bytes {
                        return Err(mapping);
                    }
                    // The kernel moves no mapping that is several to it; without its neighbour it may
                    // be one.
                    let (mapping, rest) = mapping.split(old_bytes);
                    state.keep(rest);
                    mapping.resize(bytes)
                })
        };
        let (mapping, done) = match resized {
            Ok(mapping) => (mapping, true),
            Err(mapping) => (mapping, false),
        };
        let start = mapping.start();
        state.registry.insert(mapping);
        if start != block {
            state.note_freed(address);
        }
        done.then_some(start)
    }

    /// Gives everything that is kept for reuse back to the kernel; how many bytes it were.
    pub(crate) fn trim(&self) -> usize {
        let mut state = self.state.lock();
        let bytes = state.reuse.clear();
        self.note(&state);
        bytes
    }

    /// Gives the registry itself back if there are no blocks. Nobody uses it any more.
    pub(crate) fn abandon(&self) {
        self.state.lock().registry.abandon();
    }

    /// Gives back what is kept and was not needed for some time, but for `least` bytes; how many bytes it
    /// were.
    pub(crate) fn decay(&self, elapsed: Elapsed, least: usize) -> usize {
        let mut state = self.state.lock();
        let kept = state.reuse.bytes();
        let surplus = state.low.surplus(kept, elapsed, LEAST_DECAY);
        state.reuse.shed(surplus.min(kept.saturating_sub(least)));
        self.note(&state);
        kept - state.reuse.bytes()
    }

    /// Lets `bytes` be mapped from now on, until somebody asks again.
    pub(crate) fn allow(&self, bytes: usize) {
        self.state.lock().allowance = bytes;
    }

    /// Bytes kept for reuse, as of late.
    pub(crate) fn kept_bytes(&self) -> usize {
        // ORDERING: relaxed, a number for who decides whether to purge.
        self.kept.load(Relaxed)
    }

    /// Bytes in use or kept, as of late.
    pub(crate) fn touched_bytes(&self) -> usize {
        // ORDERING: relaxed, as above.
        self.touched.load(Relaxed)
    }

    fn note(&self, state: &State) {
        let kept = state.reuse.bytes();
        // ORDERING: relaxed, as above.
        self.kept.store(kept, Relaxed);
        self.touched.store(kept + state.registry.bytes(), Relaxed);
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

    /// Whether nobody holds the lock, now or soon.
    pub(crate) fn is_quiet(&self) -> bool {
        self.state.is_free()
    }

    fn map(&self, request: Request) -> Option<Mapping> {
        let mut mapping = Mapping::new(request.bytes, request.align)?;
        mapping.set_mark(request.mark);
        mapping.want_huge_pages(request.huge_pages);
        if let Some(policy) = request.policy {
            let _ = mapping.place(policy);
        }
        Some(mapping)
    }
}

/// The length that a block grows to at least: a program that appends does it often.
fn grown(bytes: usize) -> usize {
    bytes.saturating_add(bytes / GROWTH_SHARE)
}

#[cfg(test)]
mod tests;
