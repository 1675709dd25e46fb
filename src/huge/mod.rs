//! Requests above 4 MiB: each its own mapping, known by its address.
//!
//! # Invariant
//!
//! Every address range that the kernel has mapped for huge blocks is in `extents`, but for what a call is working on
//! at this moment with no lock held; in the child of a fork such a range is lost. No system call is made under the lock
//! but those for memory of our own.
//!
//! Behind each block lies a *marker*, a page that the program does not know. At a block's end the kernel is asked
//! whether both are one mapping: if not, the program has given its block other properties, which would survive in
//! the next one.

mod addresses;
mod demand;
mod extents;
mod fresh;
pub(crate) mod layout;
mod lengths;
mod node;
mod noted;
mod park;
mod recent;
mod release;
mod resize;
mod ring;
mod search;
mod sides;
mod state;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use self::{recent::Recent, state::State};
use crate::limit::Budget;
use crate::sync::{Guard, Lock};
use crate::sys::{HugePages, Mapping, Policy, Properties, page_size};
use crate::units::{Zeroed, align_up};
use extents::Kind;
use node::Number;

/// The longest block that must hold zeroes for which used memory is cleared. That takes a fifth of the time of as many page
/// faults; but of a longer one a program often touches little.
const MOST_CLEARED: usize = 32 << 20;

/// All huge blocks of a heap.
#[derive(Debug)]
pub(crate) struct Huge {
    state: Lock<State>,
    /// Bytes kept for reuse, for who has not the lock.
    kept: AtomicUsize,
    /// Those and the bytes in use.
    touched: AtomicUsize,
    /// Whether the program may have given any block other properties, where it could not be noted which.
    may_be_changed: AtomicBool,
    recent: Recent,
    /// Whether any block was asked for with a policy or a mark, as all are where there are several nodes: none that is taken
    /// from then on is parked.
    is_marked: AtomicBool,
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

/// A block for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Its first byte.
    pub(crate) start: NonNull<u8>,
    /// So many bytes from there on were used before, and need not be zero.
    pub(crate) soiled: usize,
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
    /// Bytes of blocks that the program sealed and freed, which no call gives back.
    pub(crate) lost_bytes: usize,
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
            may_be_changed: AtomicBool::new(false),
            recent: Recent::new(reuse_bytes),
            is_marked: AtomicBool::new(false),
        }
    }

    /// A block. One that must hold zeroes may have to be cleared first.
    pub(crate) fn take(&self, request: Request) -> Option<Taken> {
        if let Some(taken) = self.take_parked(request) {
            return Some(taken);
        }
        let length = padded(request.bytes)?;
        let (align, mark) = (request.align, request.mark);
        let mut state = self.open();
        if !state.extents.make_room() {
            return None;
        }
        state.prepared = request.policy.is_none().then_some(request.huge_pages);
        if request.zeroed == Zeroed::No || request.bytes <= MOST_CLEARED {
            let soiled = |bytes: usize| {
                move |start| Taken {
                    start,
                    soiled: bytes,
                }
            };
            let usable = length - page_size();
            if let Some(found) = state.extents.fitting(Kind::Kept, length, align, mark) {
                return self.take_kept(state, found, length).map(soiled(usable));
            }
            if let Some(place) = state.short_kept(length, align, mark) {
                let missing = length - state.extents.bytes(place).min(length);
                if !state.afford(missing) {
                    return None;
                }
                let short = state.extents.remove(place)?;
                state.note_kept();
                drop(state);
                let bytes = short.bytes().min(usable);
                return self.lengthen(short, length).map(soiled(bytes));
            }
        }
        if !state.afford(request.bytes) {
            return None;
        }
        let fresh = |start| Taken { start, soiled: 0 };
        let excess = state.make_way(request.bytes);
        if let Some(mapping) = state.take_vacant(length, align, mark) {
            return self.store(state, mapping).map(fresh);
        }
        drop(state);
        self.give_back(excess);
        let Some(mapping) = self.fresh(request, length) else {
            self.state.lock().refund(request.bytes);
            return None;
        };
        self.store(self.state.lock(), mapping).map(fresh)
    }

    /// A block of what was kept and is long enough from an offset on.
    fn take_kept(
        &self,
        mut state: Guard<'_, State>,
        found: (Number, usize),
        length: usize,
    ) -> Option<NonNull<u8>> {
        if state.is_as_wanted(found, length) {
            let start = state.extents.employ(found.0);
            state.note_kept();
            if let Some(start) = start {
                self.enter(&state, start, found.0);
            }
            self.note(&state);
            return start;
        }
        let mapping = state.cut(Kind::Kept, found, length)?;
        state.note_kept();
        self.store(state, mapping)
    }

    /// A block of what was kept and is too short.
    fn lengthen(&self, short: Mapping, length: usize) -> Option<NonNull<u8>> {
        let address = short.address();
        match short.resize(length) {
            Ok(mut mapping) => {
                let mut state = self.state.lock();
                if mapping.address() != address {
                    mapping.set_group(state.own_group());
                }
                self.store(state, mapping)
            }
            Err(mapping) => {
                // It would fail again.
                self.give_back_mapping(mapping);
                None
            }
        }
    }

    /// Stores a mapping as a block.
    fn store(&self, mut state: Guard<'_, State>, mapping: Mapping) -> Option<NonNull<u8>> {
        let start = mapping.start();
        let has_room = state.extents.make_room();
        let stored = match has_room {
            true => state.extents.insert(mapping, Kind::Used),
            false => Err(mapping),
        };
        self.note(&state);
        drop(state);
        match stored {
            Ok(()) => Some(start),
            Err(mapping) => {
                mapping.unmap();
                None
            }
        }
    }

    /// Takes the block at `address` back.
    pub(crate) fn give(&self, address: usize) -> Result<(), NotHuge> {
        if self.park(address) {
            return Ok(());
        }
        let mut state = self.open();
        let Some(place) = state.extents.block_at(address) else {
            return Err(state.misses(address));
        };
        if !self.recent.forget(address) {
            return Err(NotHuge::Freed);
        }
        state.note_freed(address);
        let kind = state.extents.kind(place);
        if !self.is_asked(kind) {
            let excess = state.retire(place);
            self.note(&state);
            drop(state);
            self.give_back(excess);
            return Ok(());
        }
        let Some(mapping) = state.extents.remove(place) else {
            return Ok(());
        };
        drop(state);
        if kind == Kind::Changed || mapping.properties() == Properties::Mixed {
            self.give_back_changed(mapping);
            self.note(&self.state.lock());
            return Ok(());
        }
        let mut state = self.state.lock();
        let excess = state.keep(mapping);
        self.note(&state);
        drop(state);
        self.give_back(excess);
        Ok(())
    }

    /// Whether `address` lies in a block.
    pub(crate) fn has(&self, address: usize) -> bool {
        let state = self.open();
        state.extents.block_at(address).is_some() || state.extents.is_inside(address)
    }

    /// The length of the block at `address`.
    pub(crate) fn bytes_at(&self, address: usize) -> Result<usize, NotHuge> {
        let state = self.open();
        match state.extents.block_at(address) {
            Some(place) => Ok(state.extents.bytes(place) - page_size()),
            None => Err(state.misses(address)),
        }
    }

    /// Gives the tables themselves back if there are no blocks. Nobody uses them any more.
    pub(crate) fn abandon(&self) {
        self.state.lock().extents.abandon();
    }

    /// Charges what is mapped to `budget` from now on.
    pub(crate) fn charge_to(&self, budget: &'static Budget) {
        self.state.lock().charges = Some(budget);
    }

    /// Bytes kept for reuse, as of late.
    pub(crate) fn kept_bytes(&self) -> usize {
        // ORDERING: relaxed, a number for who decides whether to purge.
        self.kept.load(Relaxed) + self.recent.parked_bytes()
    }

    /// Bytes in use or kept, as of late.
    pub(crate) fn touched_bytes(&self) -> usize {
        // ORDERING: relaxed, as above.
        self.touched.load(Relaxed)
    }

    fn note(&self, state: &State) {
        let kept = state.extents.kept_bytes();
        // ORDERING: relaxed, as above.
        self.kept.store(kept, Relaxed);
        self.touched
            .store(kept + state.extents.used_bytes(), Relaxed);
    }

    /// Numbers.
    pub(crate) fn counts(&self) -> HugeCounts {
        let state = self.state.lock();
        // They are in use for the extents. Who asks may be short of stack, so they stay parked.
        let (parked, parked_bytes) = (self.recent.parked_blocks(), self.recent.parked_bytes());
        let blocks = state.extents.blocks().saturating_sub(parked);
        let used = state.extents.used_bytes().saturating_sub(parked_bytes);
        HugeCounts {
            blocks,
            bytes: used.saturating_sub((blocks + parked) * page_size()),
            kept_bytes: state.extents.kept_bytes() + parked_bytes,
            lost_bytes: state.lost_bytes,
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
}

/// The length of a block of `bytes` with its marker.
fn padded(bytes: usize) -> Option<usize> {
    align_up(bytes, page_size())?.checked_add(page_size())
}

#[cfg(test)]
mod tests;
