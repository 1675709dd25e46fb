//! The word that a thread sleeps on and that another process may wake it by.
//!
//! # Invariant
//!
//! A mapping that the word lies in is shared with children of a fork, and goes back only when nobody rings any more. A child does not sleep on its
//! parent's word: it gets a mapping of its own in the same place before it sleeps.

use core::ptr::{self, NonNull};
use core::sync::atomic::{
    AtomicPtr, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

use super::{linux, memory, page_size};

/// Counts how often it was rung; who waits names the count that it has seen.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Bell {
    /// The word in a shared mapping of this process's; null for none.
    pub(super) shared: AtomicPtr<AtomicU32>,
    /// Where a mapping is, perhaps the parent's.
    place: AtomicPtr<AtomicU32>,
    /// The word where there is no mapping.
    own: AtomicU32,
}

impl Bell {
    pub(crate) const fn new() -> Self {
        Self {
            shared: AtomicPtr::new(ptr::null_mut()),
            place: AtomicPtr::new(ptr::null_mut()),
            own: AtomicU32::new(0),
        }
    }

    /// Gives the word a shared mapping, if it has none and the kernel grants one. Nobody waits yet, and no other thread does
    /// this now.
    pub(crate) fn hang(&self) {
        if !self.shared.load(Relaxed).is_null() {
            return;
        }
        let place = self.place.load(Relaxed);
        // SAFETY: the place is null or a mapping that only this type uses, and in this process nobody does.
        let word = unsafe { memory::map_shared(place.cast(), page_size()) };
        if let Some(word) = word {
            let word = word.cast().as_ptr();
            self.place.store(word, Relaxed);
            // ORDERING: release, pairs with the acquire in `word`: the mapping is there.
            self.shared.store(word, Release);
        }
    }

    /// Gives the mapping back, when the object that all this is part of is closed: nobody waits, and no other thread is about
    /// to ring.
    pub(crate) fn take_down(&self) {
        self.shared.store(ptr::null_mut(), Relaxed);
        let place = self.place.swap(ptr::null_mut(), Relaxed);
        if let Some(place) = NonNull::new(place) {
            // SAFETY: the mapping is this type's, and no code that knows it runs any more.
            let _ = unsafe { memory::unmap(place.cast(), page_size()) };
        }
    }

    /// In a child: the mapping is the parent's.
    pub(crate) fn begin_child(&self) {
        // ORDERING: relaxed, there is one thread.
        self.shared.store(ptr::null_mut(), Relaxed);
    }

    /// How often it was rung.
    pub(crate) fn count(&self) -> u32 {
        // ORDERING: acquire, pairs with the release in `ring`: who sees a new count sees why.
        self.word().0.load(Acquire)
    }

    /// Waits until it is rung again after `count`, at most for that many milliseconds; may return without reason.
    pub(crate) fn wait(&self, count: u32, milliseconds: Option<u64>) {
        let (word, sharing) = self.word();
        linux::futex_wait_as(word, count, milliseconds, sharing);
    }

    /// Wakes who waits, or is about to.
    pub(crate) fn ring(&self) {
        let (word, sharing) = self.word();
        // ORDERING: release, pairs with the acquire in `count`.
        word.fetch_add(1, Release);
        linux::futex_wake_as(word, 1, sharing);
    }

    fn word(&self) -> (&AtomicU32, linux::Sharing) {
        // ORDERING: acquire, pairs with the release in `hang`.
        // SAFETY: null, or a word in a mapping that never goes back.
        match unsafe { self.shared.load(Acquire).as_ref() } {
            Some(word) => (word, linux::Sharing::Shared),
            None => (&self.own, linux::Sharing::Private),
        }
    }
}

#[cfg(all(test, not(any(simulated, miri))))]
mod tests {
    use super::*;

    #[test]
    fn what_was_rung_before_the_wait_is_not_missed() {
        let bell = Bell::new();
        for _ in 0..2 {
            let count = bell.count();
            bell.ring();
            bell.wait(count, None);
            assert_eq!(bell.count(), count + 1);
            bell.hang();
        }
        assert!(!bell.shared.load(Relaxed).is_null());
        bell.take_down();
    }

    #[test]
    fn a_child_gets_a_word_of_its_own_in_the_same_place() {
        let bell = Bell::new();
        bell.hang();
        bell.ring();
        let place = bell.shared.load(Relaxed);
        bell.begin_child();
        assert_eq!(bell.count(), 0);
        bell.hang();
        assert_eq!(bell.shared.load(Relaxed), place);
        assert_eq!(bell.count(), 0);
        bell.take_down();
        bell.ring();
        assert_eq!(bell.count(), 1);
    }
}
