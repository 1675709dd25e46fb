//! Checks of one cache's objects, which its flags ask for: red zones, poison, who allocated.
//!
//! # Invariant
//!
//! Such a cache's objects are never in sheaves: each comes from its slab and goes back there. In its slot an object is
//! followed by its red zone, to the end of the slot or to the stacks that allocated and freed it. A free object of a cache with a
//! constructor, or whose memory readers may still look at, keeps its bytes: it is not poisoned.

use core::sync::atomic::Ordering::Relaxed;

use super::cache::NamedCache;
use super::flags::{SLAB_POISON, SLAB_RED_ZONE, SLAB_STORE_USER, TRACED};
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
/// The stacks at the end of a slot: that which allocated the object, and that which freed it.
const TRACK: usize = 2 * size_of::<Frames>();
const CALLS: [&str; 2] = ["alloc", "free"];
const ALLOC: usize = 0;
const FREE: usize = 1;

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

    /// Whether it shows in an object what was written to it or after it.
    pub(super) fn has_patterns(&self) -> bool {
        self.has_check(SLAB_RED_ZONE | SLAB_POISON)
    }

    fn poisons(&self) -> bool {
        self.has_check(SLAB_POISON) && !self.constructs() && !self.is_typesafe()
    }

    /// Bytes of the stacks at the end of a slot.
    fn track_bytes(&self) -> usize {
        match self.has_check(SLAB_STORE_USER) {
            true => TRACK,
            false => 0,
        }
    }

    /// Where the red zone of the object at an address begins and ends.
    fn zone(&self, object: usize) -> (usize, usize) {
        let end = object + self.info().size as usize;
        (object + self.size(), end - self.track_bytes())
    }

    /// Prepares an object that was never out.
    pub(super) fn prepare(&self, object: Object) {
        self.close(object.addr().get());
    }

    /// The first byte of a free object's slot that is not as it was left, and what it was.
    pub(super) fn damage_of_free(&self, object: usize) -> Option<(usize, u8)> {
        let (end, zone_end) = self.zone(object);
        let expect = |first, end, byte| Some((first_other(first, end, byte)?, byte));
        let zone = || expect(end, zone_end, ZONE_INACTIVE);
        let rest = || expect(object, end - 1, POISON_FREE);
        let last = || expect(end - 1, end, POISON_END);
        let of_zone = self.has_check(SLAB_RED_ZONE).then(zone).flatten();
        let of_poison = || self.poisons().then(|| rest().or_else(last)).flatten();
        of_zone.or_else(of_poison)
    }

    /// The same of the red zone of an object in use.
    pub(super) fn damage_of_used(&self, object: usize) -> Option<(usize, u8)> {
        let (end, zone_end) = self.zone(object);
        let bad = || first_other(end, zone_end, ZONE_ACTIVE);
        let bad = self.has_check(SLAB_RED_ZONE).then(bad).flatten()?;
        Some((bad, ZONE_ACTIVE))
    }

    /// Checks an object that leaves its slab.
    pub(super) fn check_free(&self, object: Object) {
        let address = object.addr().get();
        if let Some((bad, byte)) = self.damage_of_free(address) {
            report::overwritten(self, address, bad, byte);
        }
        if self.poisons() {
            fill_bytes(address, POISON_IN_USE, self.size());
        }
        self.open(address);
        self.record(address, ALLOC);
    }

    /// Checks an object that comes back.
    pub(super) fn check_used(&self, object: Object) {
        let address = object.addr().get();
        if let Some((bad, byte)) = self.damage_of_used(address) {
            report::overwritten(self, address, bad, byte);
        }
        self.close(address);
        self.record(address, FREE);
    }

    /// Keeps the calling stack as that of a call, and prints the call, as far as the flags ask for that.
    fn record(&self, object: usize, call: usize) {
        let frames = match self.has_check(TRACED | SLAB_STORE_USER) {
            true => take_stack(),
            false => return,
        };
        if self.has_check(TRACED) {
            let name = CALLS.get(call).copied().unwrap_or_default();
            report::trace(self, name, object, &frames);
        }
        if self.has_check(SLAB_STORE_USER) {
            let put = |call, frames| {
                // SAFETY: the end of the slot, which is nobody else's.
                unsafe { self.track(object, call).write_unaligned(frames) }
            };
            put(call, frames);
            if call == ALLOC {
                put(FREE, Frames::default());
            }
        }
    }

    /// Prints the stacks that allocated and freed the object at an address, as far as they are known.
    pub(super) fn print_users(&self, address: usize) {
        if !self.has_check(SLAB_STORE_USER) {
            return;
        }
        for (which, what) in [(ALLOC, "allocated"), (FREE, "freed")] {
            // SAFETY: the end of the slot of an object that was in use.
            let frames = unsafe { self.track(address, which).read_unaligned() };
            if frames != Frames::default() {
                report::done_by(address, what);
                print_stack(&frames);
            }
        }
    }

    /// Makes the red zone that of an object in use.
    pub(super) fn open(&self, address: usize) {
        let (end, zone_end) = self.zone(address);
        if self.has_check(SLAB_RED_ZONE) {
            fill_bytes(end, ZONE_ACTIVE, zone_end - end);
        }
    }

    /// Makes the slot that of a free object.
    pub(super) fn close(&self, address: usize) {
        let (end, zone_end) = self.zone(address);
        if self.has_check(SLAB_RED_ZONE) {
            fill_bytes(end, ZONE_INACTIVE, zone_end - end);
        }
        if self.poisons() {
            fill_bytes(address, POISON_FREE, self.size() - 1);
            fill_bytes(end - 1, POISON_END, 1);
        }
    }

    fn track(&self, address: usize, which: usize) -> *mut Frames {
        let start = address + self.info().size as usize - TRACK;
        core::ptr::with_exposed_provenance_mut(start + which * size_of::<Frames>())
    }
}
