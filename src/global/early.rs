//! Blocks from before there is a heap: for a signal handler that has interrupted its own thread while that makes it.
//!
//! # Invariant
//!
//! Every such block is a mapping of its own and on the list for ever, also when it was freed: so it is known in every call.
//! Only one thread at a time makes the heap, but its handlers may interrupt each other.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{
    AtomicBool, AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::report::{Context, Violation, report_violation};
use crate::slab::Object;
use crate::sys::{self, Mapping};

/// All of them, the newest first.
static NEWEST: AtomicPtr<Early> = AtomicPtr::new(null_mut());

/// A block's head, at the beginning of its mapping.
#[derive(Debug)]
pub(super) struct Early {
    older: AtomicPtr<Early>,
    block: NonNull<u8>,
    bytes: usize,
    is_free: AtomicBool,
}

/// A block of `size` zeroes at a multiple of `align`, a power of two.
#[cold]
pub(super) fn allocate(size: usize, align: usize) -> Option<Object> {
    let lead = size_of::<Early>().next_multiple_of(align);
    let mapping = Mapping::new(size.checked_add(lead)?, align)?;
    // SAFETY: the mapping is longer than that.
    let block = unsafe { mapping.start().add(lead) };
    let place = mapping.start().cast::<Early>();
    let early = Early {
        older: AtomicPtr::new(null_mut()),
        block,
        bytes: mapping.bytes() - lead,
        is_free: AtomicBool::new(false),
    };
    // SAFETY: a fresh mapping, at least as long and as aligned as a page.
    unsafe { place.write(early) };
    // SAFETY: written above, and never unmapped.
    let early = unsafe { place.as_ref() };
    let mut newest = NEWEST.load(Relaxed);
    loop {
        // ORDERING: relaxed, published below.
        early.older.store(newest, Relaxed);
        // ORDERING: release, pairs with the acquire in `find`: who finds the head sees it whole.
        match NEWEST.compare_exchange(newest, place.as_ptr(), Release, Relaxed) {
            Ok(_) => return Some(block),
            Err(other) => newest = other,
        }
    }
}

/// The block at `address`, if it is one of these.
#[inline]
pub(super) fn find(address: *const u8) -> Option<&'static Early> {
    // ORDERING: acquire, pairs with the release in `allocate`.
    let newest = NEWEST.load(Acquire);
    if newest.is_null() {
        None
    } else {
        search(newest, address)
    }
}

#[cold]
fn search(newest: *mut Early, address: *const u8) -> Option<&'static Early> {
    // SAFETY: null, or the head of a mapping that lives for ever.
    let mut early = unsafe { newest.as_ref() };
    while let Some(this) = early {
        if core::ptr::eq(this.block.as_ptr(), address) {
            return Some(this);
        }
        // ORDERING: acquire, as in `find`.
        let older = this.older.load(Acquire);
        // SAFETY: as above.
        early = unsafe { older.as_ref() };
    }
    None
}

impl Early {
    /// The bytes that may be used; `None` if the block was freed.
    pub(super) fn usable_size(&self) -> Option<usize> {
        // ORDERING: relaxed; who asks owns the block.
        (!self.is_free.load(Relaxed)).then_some(self.bytes)
    }

    /// Frees the block; its pages go back, its addresses do not.
    #[cold]
    pub(super) fn give(&self) {
        // ORDERING: relaxed; what was written to the block is of no use any more.
        if self.is_free.swap(true, Relaxed) {
            return report_violation(
                Violation::DoubleFree,
                self.block.as_ptr() as usize,
                Context::Nowhere,
            );
        }
        // The mapping ends where the block does; the first page may be that of the head.
        let address = self.block.as_ptr() as usize;
        let lead = address.next_multiple_of(sys::page_size()) - address;
        if lead < self.bytes {
            // SAFETY: inside of the block.
            let pages = unsafe { self.block.add(lead) };
            // SAFETY: the caller gives the block up.
            let _ = unsafe { sys::discard(pages, self.bytes - lead) };
        }
    }
}
