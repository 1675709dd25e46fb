//! Checks of one cache's objects, which its flags ask for: red zones, poison, who allocated.
//!
//! # Invariant
//!
//! Such a cache's objects are never in sheaves: each comes from its slab and goes back there. In its slot an object is
//! followed by its red zone, to the end of the slot or to the stack that allocated it. A free object of a cache with a
//! constructor, or whose memory readers may still look at, keeps its bytes: it is not poisoned.

use core::sync::atomic::Ordering::Relaxed;

use super::cache::NamedCache;
use super::flags::{SLAB_POISON, SLAB_RED_ZONE, SLAB_STORE_USER};
use super::report;
use crate::modes::{Frames, fill_bytes, first_other, print_stack, take_stack};
use crate::slab::Object;

/// The kernel's bytes.
const POISON_FREE: u8 = 0x6b;
const POISON_END: u8 = 0xa5;
const POISON_IN_USE: u8 = 0x5a;
const ZONE_INACTIVE: u8 = 0xbb;
const ZONE_ACTIVE: u8 = 0xcc;
/// The shortest red zone.
const ZONE: usize = 16;
const TRACK: usize = size_of::<Frames>();

/// Bytes of an object with what these flags put after it.
pub(super) fn slot_bytes(size: usize, flags: u32) -> usize {
    let zone = if flags & SLAB_RED_ZONE != 0 { ZONE } else { 0 };
    let track = if flags & SLAB_STORE_USER != 0 {
        TRACK
    } else {
        0
    };
    size + zone + track
}

impl NamedCache {
    pub(super) fn has_check(&self, flag: u32) -> bool {
        self.checks.load(Relaxed) & flag != 0
    }

    /// Whether objects are checked one by one.
    pub(super) fn is_checked(&self) -> bool {
        self.checks.load(Relaxed) != 0
    }

    fn poisons(&self) -> bool {
        self.has_check(SLAB_POISON) && !self.constructs() && !self.is_typesafe()
    }

    /// Where the red zone of the object at an address begins and ends.
    fn zone(&self, object: usize) -> (usize, usize) {
        let end = object + self.info().size as usize;
        let track = if self.has_check(SLAB_STORE_USER) {
            TRACK
        } else {
            0
        };
        (object + self.size(), end - track)
    }

    /// Prepares an object that was never out.
    pub(super) fn prepare(&self, object: Object) {
        self.close(object.addr().get());
    }

    /// Checks an object that leaves its slab.
    pub(super) fn check_free(&self, object: Object) {
        let address = object.addr().get();
        let (end, zone_end) = self.zone(address);
        if self.has_check(SLAB_RED_ZONE)
            && let Some(bad) = first_other(end, zone_end, ZONE_INACTIVE)
        {
            report::overwritten(self, address, bad, ZONE_INACTIVE);
        }
        if self.poisons() {
            let last = end - 1;
            let bad = first_other(address, last, POISON_FREE).map(|bad| (bad, POISON_FREE));
            let bad =
                bad.or_else(|| first_other(last, end, POISON_END).map(|bad| (bad, POISON_END)));
            if let Some((bad, byte)) = bad {
                report::overwritten(self, address, bad, byte);
            }
            fill_bytes(address, POISON_IN_USE, self.size());
        }
        if self.has_check(SLAB_RED_ZONE) {
            fill_bytes(end, ZONE_ACTIVE, zone_end - end);
        }
        if self.has_check(SLAB_STORE_USER) {
            let frames = take_stack();
            // SAFETY: the end of the slot, which is nobody else's.
            unsafe { self.track(address).write_unaligned(frames) };
        }
    }

    /// Checks an object that comes back.
    pub(super) fn check_used(&self, object: Object) {
        let address = object.addr().get();
        let (end, zone_end) = self.zone(address);
        if self.has_check(SLAB_RED_ZONE)
            && let Some(bad) = first_other(end, zone_end, ZONE_ACTIVE)
        {
            report::overwritten(self, address, bad, ZONE_ACTIVE);
        }
        self.close(address);
    }

    /// Prints the stack that allocated the object at an address, if it is known.
    pub(super) fn print_user(&self, address: usize) {
        if self.has_check(SLAB_STORE_USER) {
            // SAFETY: the end of the slot of an object in use.
            let frames = unsafe { self.track(address).read_unaligned() };
            report::allocated_by(address);
            print_stack(&frames);
        }
    }

    /// Makes the slot that of a free object.
    fn close(&self, address: usize) {
        let (end, zone_end) = self.zone(address);
        if self.has_check(SLAB_RED_ZONE) {
            fill_bytes(end, ZONE_INACTIVE, zone_end - end);
        }
        if self.poisons() {
            fill_bytes(address, POISON_FREE, self.size() - 1);
            fill_bytes(end - 1, POISON_END, 1);
        }
    }

    fn track(&self, address: usize) -> *mut Frames {
        let end = address + self.info().size as usize;
        core::ptr::with_exposed_provenance_mut(end - TRACK)
    }
}
