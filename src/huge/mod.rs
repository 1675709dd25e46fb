//! Requests above 4 MiB: each its own mapping, known by its address.
//!
//! # Invariant
//!
//! Every address range that the kernel has mapped for huge blocks is in `extents`, but for what a call is working on
//! at this moment with no lock held; in the child of a fork such a range is lost. No system call is made under the lock
//! but those for memory of our own.
//!
//! After each block lies a *marker*, a page that the program does not know. At a block's end the kernel is asked
//! whether both are one mapping: if not, the program has given its block other properties, which would survive in
//! the next one.

mod addresses;
mod counts;
mod demand;
mod extents;
mod fresh;
mod kernel;
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
mod take;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize};

use self::{recent::Recent, state::State};
use crate::limit::Budget;
use crate::sync::Lock;
use crate::sys::{HugePages, Policy, Properties, page_size};
use crate::units::{Zeroed, align_up};
pub(crate) use counts::HugeCounts;
use extents::Kind;
pub(crate) use resize::longest_growth;

/// All huge blocks of a heap.
#[derive(Debug)]
pub(crate) struct Huge {
    state: Lock<State>,
    /// Bytes kept for reuse, for readers without the lock.
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
    /// Bytes from there on that were used before, and need not be zero.
    pub(crate) dirty_bytes: usize,
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
            let excess = state.keep_block(place);
            self.publish(&state);
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
            self.publish(&self.state.lock());
            return Ok(());
        }
        let mut state = self.state.lock();
        let excess = state.keep(mapping);
        self.publish(&state);
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
