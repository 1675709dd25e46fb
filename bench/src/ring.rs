//! How threads hand objects to each other.
//!
//! # Invariant
//!
//! An object is in one place: with a thread, in a ring's slot between `tail` and `head`, or in an
//! exchange's cell. The thread that takes it out owns it.

use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::mapped::Mapped;
use crate::owned::Owned;

/// A queue from one thread to one other. Each side publishes in groups, so that what is measured
/// is the allocator and not the cache line that the two sides share.
#[derive(Debug)]
pub struct Ring<T> {
    slots: Mapped<UnsafeCell<Option<Owned<T>>>>,
    head: Line,
    tail: Line,
}

#[repr(align(128))]
#[derive(Debug)]
struct Line(AtomicUsize);

/// The end of a ring that sends; there is one.
#[derive(Debug)]
pub struct Sender<'a, T> {
    ring: &'a Ring<T>,
    next: usize,
    limit: usize,
}

/// The end of a ring that receives; there is one.
#[derive(Debug)]
pub struct Receiver<'a, T> {
    ring: &'a Ring<T>,
    next: usize,
    limit: usize,
}

// SAFETY: the two ends touch disjoint slots, see `send` and `receive`.
unsafe impl<T: Send> Sync for Ring<T> {}

/// Objects that are sent, or whose slots are given back, at once.
const GROUP: usize = 32;

impl<T> Ring<T> {
    /// A ring for `len` objects, a multiple of the group.
    #[must_use]
    pub fn new(len: usize) -> Self {
        assert!(len >= 2 * GROUP && len.is_multiple_of(GROUP));
        let slots = Mapped::filled(len, |_| UnsafeCell::new(None));
        Self {
            slots,
            head: Line(AtomicUsize::new(0)),
            tail: Line(AtomicUsize::new(0)),
        }
    }

    /// The two ends.
    pub fn ends(&mut self) -> (Sender<'_, T>, Receiver<'_, T>) {
        let ring = &*self;
        (
            Sender {
                ring,
                next: 0,
                limit: ring.slots.len(),
            },
            Receiver {
                ring,
                next: 0,
                limit: 0,
            },
        )
    }
}

impl<T> Sender<'_, T> {
    /// Puts an object in, or gives it back when the ring is full.
    #[inline(always)]
    pub fn send(&mut self, object: Owned<T>) -> Result<(), Owned<T>> {
        if self.next == self.limit {
            // ORDERING: pairs with the receiver's release in `receive`: its slots are empty again.
            self.limit = self.ring.tail.0.load(Ordering::Acquire) + self.ring.slots.len();
            if self.next == self.limit {
                return Err(object);
            }
        }
        let slot = self.ring.slots[self.next % self.ring.slots.len()].get();
        // SAFETY: slots from `head` up to `limit` belong to the only sender.
        unsafe { *slot = Some(object) };
        self.next += 1;
        if self.next.is_multiple_of(GROUP) {
            self.flush();
        }
        Ok(())
    }

    /// Makes everything that was sent visible.
    pub fn flush(&mut self) {
        // ORDERING: pairs with the receiver's acquire: the slots below are filled.
        self.ring.head.0.store(self.next, Ordering::Release);
    }
}

impl<T> Receiver<'_, T> {
    /// Takes the oldest object out, if there is one to be seen.
    #[inline(always)]
    pub fn receive(&mut self) -> Option<Owned<T>> {
        if self.next == self.limit {
            // ORDERING: pairs with the sender's release in `flush`: its slots are filled.
            self.limit = self.ring.head.0.load(Ordering::Acquire);
            if self.next == self.limit {
                return None;
            }
        }
        let slot = self.ring.slots[self.next % self.ring.slots.len()].get();
        // SAFETY: slots from `tail` up to `limit` belong to the only receiver.
        let object = unsafe { (*slot).take() };
        self.next += 1;
        if self.next.is_multiple_of(GROUP) {
            // ORDERING: pairs with the sender's acquire: the slots below are empty.
            self.ring.tail.0.store(self.next, Ordering::Release);
        }
        object
    }
}

/// A cell that any thread may swap an object in and out of.
#[derive(Debug)]
pub struct Exchange<T>(AtomicPtr<T>);

impl<T: Send> Exchange<T> {
    /// A cell with nothing in it.
    #[must_use]
    pub const fn empty() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// Puts `object` in and gives what was there.
    #[inline(always)]
    pub fn swap(&self, object: Option<Owned<T>>) -> Option<Owned<T>> {
        let pointer = object.map_or(null_mut(), Owned::into_raw);
        // ORDERING: acquire what the previous owner wrote, release what we wrote.
        let previous = self.0.swap(pointer, Ordering::AcqRel);
        // SAFETY: whatever is in the cell came from `into_raw`, and the swap made it only ours.
        unsafe { Owned::from_raw(previous) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exchange, Ring};
    use crate::table::system;

    #[test]
    fn objects_arrive_in_order_and_once() {
        let table = system();
        let mut ring = Ring::new(64);
        let (mut sender, mut receiver) = ring.ends();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..100_000u64 {
                    let mut object = table.place(16, number);
                    while let Err(back) = sender.send(object) {
                        object = back;
                        std::thread::yield_now();
                    }
                }
                sender.flush();
            });
            for number in 0..100_000 {
                let object = loop {
                    match receiver.receive() {
                        Some(object) => break object,
                        None => std::thread::yield_now(),
                    }
                };
                assert_eq!(table.remove(object), number);
            }
        });
    }

    #[test]
    fn an_exchange_gives_what_was_put() {
        let table = system();
        let cell = Exchange::empty();
        assert!(cell.swap(Some(table.place(8, 1u64))).is_none());
        let first = cell.swap(Some(table.place(8, 2u64))).expect("put before");
        assert_eq!(table.remove(first), 1);
        assert_eq!(cell.swap(None).map(|second| table.remove(second)), Some(2));
    }
}
