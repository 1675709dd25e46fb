//! Blocks that were freed a moment ago and are wanted again: they change hands without the lock.
#![forbid(unsafe_code)]

use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use super::extents::Kind;
use super::node::Number;
use super::state::State;
use super::take::MOST_CLEARED;
use super::{Huge, Request, Taken};
use crate::sync::Guard;
use crate::sys::page_size;
use crate::units::Zeroed;

impl Huge {
    /// The state, to look at blocks: what is parked ends first, as if it were freed now.
    pub(super) fn open(&self) -> Guard<'_, State> {
        let mut state = self.state.lock();
        let mut excess = 0;
        while let Some(address) = self.recent.unpark() {
            excess += self.end_parked(&mut state, address);
        }
        if excess > 0 {
            drop(state);
            self.give_back(excess);
            state = self.state.lock();
        }
        state
    }

    /// Keeps a block that was parked; returns how many bytes are too much then.
    #[cold]
    fn end_parked(&self, state: &mut State, address: usize) -> usize {
        let Some(place) = state.extents.block_at(address) else {
            return 0;
        };
        state.note_freed(address);
        let excess = state.keep_block(place);
        self.publish(state);
        excess
    }

    /// A parked block for a request, if it wants nothing that only some blocks have.
    pub(super) fn take_parked(&self, request: Request) -> Option<Taken> {
        if request.policy.is_some() || request.mark != 0 {
            // ORDERING: relaxed; blocks with a mark are entered after this, under the lock.
            self.is_marked.store(true, Relaxed);
            return None;
        }
        if request.zeroed == Zeroed::Yes && request.bytes > MOST_CLEARED {
            return None;
        }
        let (address, dirty_bytes) = self.recent.take(request.bytes, request.align)?;
        let start = NonNull::new(core::ptr::with_exposed_provenance_mut(address))?;
        Some(Taken { start, dirty_bytes })
    }

    /// Parks the block at `address`, which its owner frees; `false` if it must be freed in any other way.
    pub(super) fn park(&self, address: usize) -> bool {
        // ORDERING: relaxed, as in `kept_bytes`.
        !self.is_asked(Kind::Used) && self.recent.park(address, self.kept.load(Relaxed))
    }

    /// Has a block known to callers without the lock.
    pub(super) fn enter(&self, state: &State, start: NonNull<u8>, place: Number) {
        let bytes = state.extents.bytes(place) - page_size();
        // ORDERING: relaxed, see `take_parked`.
        let may_park = state.extents.kind(place) == Kind::Used && !self.is_marked.load(Relaxed);
        self.recent.enter(start.as_ptr() as usize, bytes, may_park);
    }
}
