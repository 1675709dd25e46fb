//! Blocks whose properties the program may have changed: at their end the kernel is asked for them.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Huge;
use super::extents::Kind;
use crate::sys;

impl Huge {
    /// Whether the kernel is asked about the properties of a block of this kind: not while the program has made no call that
    /// changes any of it, as far as such calls are seen.
    pub(super) fn is_asked(&self, kind: Kind) -> bool {
        // ORDERING: relaxed, as in `note_changed`.
        kind != Kind::Used || !sys::are_property_calls_known() || self.may_be_changed.load(Relaxed)
    }

    /// Records that the program changes properties of what lies between two addresses, which may be a block.
    pub(crate) fn note_changed(&self, start: usize, end: usize) {
        self.recent.forget_between(start, end);
        match self.state.lock_soon() {
            Some(mut state) => state.extents.note_changed(start, end),
            // A signal handler makes the call and has interrupted who holds the lock.
            // ORDERING: relaxed; the block's owner makes the call, and frees it later.
            None => self.may_be_changed.store(true, Relaxed),
        }
    }
}
