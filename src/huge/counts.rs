//! How much huge blocks are, in use and kept for reuse.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Huge;
use super::state::State;
use crate::sys::page_size;

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

impl Huge {
    /// Bytes kept for reuse, perhaps out of date.
    pub(crate) fn kept_bytes(&self) -> usize {
        // ORDERING: relaxed, a number that decides whether to purge.
        self.kept.load(Relaxed) + self.recent.parked_bytes()
    }

    /// Bytes in use or kept, perhaps out of date.
    pub(crate) fn touched_bytes(&self) -> usize {
        // ORDERING: relaxed, as above.
        self.touched.load(Relaxed)
    }

    /// Records what is kept and touched, for readers without the lock.
    pub(super) fn publish(&self, state: &State) {
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
}
