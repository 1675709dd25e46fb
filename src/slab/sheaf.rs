//! A sheaf: an array of pointers to free objects of one class, in memory of our own.
//!
//! # Invariant
//!
//! The slots below `count` hold objects that nobody else holds. No sheaf lies across
//! a multiple of 4 GiB; bins compare only the lower half of addresses.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// What `malloc` returns.
pub(crate) type Object = NonNull<u8>;

/// A place for an object.
pub(crate) type Slot = *mut u8;

/// What stands in front of the slots.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Header {
    pub(super) next: Option<NonNull<Header>>,
    pub(super) count: usize,
}

/// Sole ownership of a sheaf.
#[derive(Debug)]
#[must_use = "a dropped sheaf is a leak"]
#[repr(transparent)]
pub(crate) struct Sheaf(NonNull<Header>);

// SAFETY: a sheaf owns its memory and the objects in it.
unsafe impl Send for Sheaf {}

/// Bytes of a sheaf with room for `capacity` objects.
pub(crate) const fn sheaf_bytes(capacity: usize) -> usize {
    size_of::<Header>() + capacity * size_of::<Slot>()
}

const _: () = assert!(sheaf_bytes(62) == 512);

impl Sheaf {
    /// An empty sheaf in `memory`.
    ///
    /// # Safety
    ///
    /// `memory` is the caller's to give away for ever, as long as the sheaf's capacity needs, aligned
    /// to a word, and not across a multiple of 4 GiB.
    pub(crate) unsafe fn new_in(memory: NonNull<u8>) -> Self {
        let header = memory.cast::<Header>();
        // SAFETY: the caller's promise.
        unsafe {
            header.write(Header {
                next: None,
                count: 0,
            })
        };
        Self(header)
    }

    /// Number of objects.
    pub(crate) fn count(&self) -> usize {
        self.header().count
    }

    /// The slot below the first: where `top` stands when the sheaf is empty.
    pub(crate) fn bottom(&self) -> NonNull<Slot> {
        // SAFETY: the second word of the header.
        unsafe { self.0.cast::<Slot>().add(1) }
    }

    /// The sheaf whose bottom is `bottom` and which holds `count` objects.
    ///
    /// # Safety
    ///
    /// `bottom` came from [`Self::bottom`] of a sheaf that was forgotten since; `count` slots are
    /// filled.
    pub(crate) unsafe fn from_bottom(bottom: NonNull<Slot>, count: usize) -> Self {
        // SAFETY: the header's second word.
        let header = unsafe { bottom.sub(1) }.cast::<Header>();
        let mut sheaf = Self(header);
        sheaf.header_mut().count = count;
        sheaf
    }

    /// Adds an object; the caller knows that there is room.
    #[inline]
    pub(crate) fn push(&mut self, object: Object) {
        let count = self.count() + 1;
        // SAFETY: the caller keeps to the capacity.
        let slot = unsafe { self.bottom().add(count) };
        // SAFETY: the slot belongs to this sheaf.
        unsafe { slot.write(object.as_ptr()) };
        self.header_mut().count = count;
    }

    /// Adds `count` objects, for which there is room, and lets the caller name them: the first slot
    /// of what it gets is popped last.
    pub(crate) fn grow(&mut self, count: usize) -> &mut [Slot] {
        let old = self.count();
        self.header_mut().count = old + count;
        // SAFETY: the caller keeps to the capacity.
        let first = unsafe { self.bottom().add(old + 1) };
        // SAFETY: `count` slots of this sheaf, which hold whatever words they held before.
        unsafe { core::slice::from_raw_parts_mut(first.as_ptr(), count) }
    }

    /// Moves up to `wanted` objects from the top into `other`, which has room, and returns how many. Their
    /// order stays.
    pub(crate) fn pour(&mut self, other: &mut Self, wanted: usize) -> usize {
        let count = self.count();
        let taken = wanted.min(count);
        let moved = self.objects().get(count - taken..).unwrap_or_default();
        let places = other.grow(taken).iter_mut();
        places
            .zip(moved)
            .for_each(|(place, object)| *place = *object);
        self.header_mut().count = count - taken;
        taken
    }

    /// Takes the topmost object.
    #[cfg(test)]
    pub(crate) fn pop(&mut self) -> Option<Object> {
        let count = self.count();
        self.header_mut().count = count.checked_sub(1)?;
        // SAFETY: a filled slot.
        let slot = unsafe { self.bottom().add(count) };
        // SAFETY: as above.
        NonNull::new(unsafe { slot.read() })
    }

    /// The objects, the oldest first.
    pub(crate) fn objects(&self) -> &[Slot] {
        // SAFETY: the first slot lies above the bottom.
        let first = unsafe { self.bottom().add(1) };
        // SAFETY: `count` slots are filled.
        unsafe { core::slice::from_raw_parts(first.as_ptr(), self.count()) }
    }

    /// The same, for callers that change them, or take them and leave their order.
    pub(crate) fn objects_mut(&mut self) -> &mut [Slot] {
        let count = self.count();
        // SAFETY: the first slot lies above the bottom.
        let first = unsafe { self.bottom().add(1) };
        // SAFETY: `count` slots are filled, and the sheaf is borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(first.as_ptr(), count) }
    }

    /// The memory that the sheaf was made in, which is the caller's again. The sheaf is empty.
    pub(crate) fn into_memory(self) -> NonNull<u8> {
        debug_assert!(self.count() == 0);
        self.0.cast()
    }

    /// Whether `object` is one of the two that came last.
    pub(crate) fn is_near_top(&self, object: Object) -> bool {
        let last = self.objects().iter().rev().take(2);
        last.into_iter().any(|slot| *slot == object.as_ptr())
    }

    /// Forgets all objects, which were passed on elsewhere.
    pub(crate) fn clear(&mut self) {
        self.header_mut().count = 0;
    }

    fn header(&self) -> &Header {
        // SAFETY: this sheaf owns its memory.
        unsafe { self.0.as_ref() }
    }

    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as above, and borrowed exclusively.
        unsafe { self.0.as_mut() }
    }
}

/// A place for one sheaf in a thread's cache.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct SheafCell(AtomicPtr<Slot>);

// ORDERING: relaxed; a cell belongs to one thread, and others only count for statistics.

impl SheafCell {
    /// No sheaf.
    pub(crate) const fn empty() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Whether there is a sheaf.
    pub(crate) fn is_some(&self) -> bool {
        !self.0.load(Relaxed).is_null()
    }

    /// Number of objects in the sheaf.
    pub(crate) fn count(&self) -> usize {
        // SAFETY: a sheaf's bottom is its count.
        NonNull::new(self.0.load(Relaxed)).map_or(0, |it| unsafe { it.cast::<usize>().read() })
    }

    /// The objects of the sheaf in the cell, which nobody takes meanwhile.
    #[inline(always)]
    pub(crate) fn objects(&self) -> &[Slot] {
        let bottom = self.0.load(Relaxed);
        if bottom.is_null() {
            return &[];
        }
        // SAFETY: the first slot lies above the bottom, and as many as the count says are filled.
        unsafe { core::slice::from_raw_parts(bottom.wrapping_add(1), self.count()) }
    }

    /// Stores a sheaf in an empty cell.
    pub(crate) fn put(&self, sheaf: Sheaf) {
        debug_assert!(!self.is_some());
        self.0.store(sheaf.bottom().as_ptr(), Relaxed);
    }

    /// Adds an object to the sheaf in the cell; `false` if there is none, if it has `capacity`
    /// objects, or if one of the last two of them is this one.
    #[inline]
    pub(crate) fn try_push(&self, object: Slot, capacity: usize) -> bool {
        let Some(bottom) = NonNull::new(self.0.load(Relaxed)) else {
            return false;
        };
        let count = self.count();
        // SAFETY: a slot of the sheaf, or the count.
        let top = unsafe { bottom.add(count) };
        // SAFETY: as above.
        if count >= capacity || unsafe { top.read() } == object {
            return false;
        }
        // SAFETY: in front of a slot there is another, or the header, and in front of the count the link.
        if unsafe { top.as_ptr().wrapping_sub(1).read() } == object {
            return false;
        }
        // SAFETY: below the capacity there is a slot above.
        let above = unsafe { top.add(1) };
        // SAFETY: that slot is unused.
        unsafe { above.write(object) };
        // SAFETY: a sheaf's bottom is its count; written last, so the sheaf is whole at any moment.
        unsafe { bottom.cast::<usize>().write(count + 1) };
        true
    }

    /// Takes the sheaf out.
    pub(crate) fn take(&self) -> Option<Sheaf> {
        let count = self.count();
        let bottom = NonNull::new(self.0.load(Relaxed))?;
        self.0.store(core::ptr::null_mut(), Relaxed);
        // SAFETY: the sheaf was forgotten in `put`.
        Some(unsafe { Sheaf::from_bottom(bottom, count) })
    }
}

/// A stack of sheaves, linked through their headers.
#[derive(Debug, Default)]
pub(crate) struct SheafStack {
    top: Option<NonNull<Header>>,
}

// SAFETY: a stack owns its sheaves.
unsafe impl Send for SheafStack {}

impl SheafStack {
    /// Puts a sheaf on top.
    pub(crate) fn push(&mut self, mut sheaf: Sheaf) {
        sheaf.header_mut().next = self.top;
        self.top = Some(sheaf.0);
    }

    /// Takes the top sheaf.
    pub(crate) fn pop(&mut self) -> Option<Sheaf> {
        let sheaf = Sheaf(self.top?);
        self.top = sheaf.header().next;
        Some(sheaf)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::boxed::Box;

    #[repr(align(64))]
    struct Memory {
        _bytes: [u8; 64],
    }

    fn sheaf() -> Sheaf {
        let memory = NonNull::from(Box::leak(Box::new(Memory { _bytes: [0; 64] })));
        // SAFETY: 64 bytes, enough for six objects, never freed.
        unsafe { Sheaf::new_in(memory.cast()) }
    }

    fn object(address: usize) -> Object {
        NonNull::new(core::ptr::without_provenance_mut(address)).unwrap()
    }

    #[test]
    fn the_last_in_is_the_first_out() {
        let mut sheaf = sheaf();
        (1..=6).for_each(|address| sheaf.push(object(address * 16)));
        assert_eq!(sheaf.pop(), Some(object(96)));
        assert_eq!(sheaf.objects().len(), 5);
        assert_eq!(sheaf.pop(), Some(object(80)));
        sheaf.clear();
        assert_eq!(sheaf.pop(), None);
    }

    #[test]
    fn what_is_poured_keeps_its_order() {
        let (mut from, mut to) = (sheaf(), sheaf());
        (1..=5).for_each(|address| from.push(object(address * 16)));
        assert_eq!(from.pour(&mut to, 2), 2);
        assert_eq!(to.pop(), Some(object(80)));
        assert_eq!(to.pop(), Some(object(64)));
        assert_eq!(from.pour(&mut to, 9), 3);
        assert_eq!((from.count(), to.pop()), (0, Some(object(48))));
    }

    #[test]
    fn a_stack_of_sheaves_keeps_their_objects() {
        let mut stack = SheafStack::default();
        for address in [16, 32] {
            let mut sheaf = sheaf();
            sheaf.push(object(address));
            stack.push(sheaf);
        }
        assert_eq!(stack.pop().unwrap().pop(), Some(object(32)));
        assert_eq!(stack.pop().unwrap().pop(), Some(object(16)));
        assert!(stack.pop().is_none());
    }
}
