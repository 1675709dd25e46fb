//! Notice of a thread's end without a pthread key: a robust mutex that the thread locks and never unlocks.
//!
//! # Invariant
//!
//! A tied lifeline is held by a living thread, or marked by the kernel as one whose owner has died. Nothing here waits,
//! allocates, or makes a system call. See pthread_mutexattr_setrobust(3).

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::syscall::ask;

/// A mutex that tells whether the thread that tied it lives. All zeroes is an untied one. Never moved while it is tied,
/// since it is on a list of libc's and the kernel's.
#[derive(Debug)]
pub(crate) struct Lifeline {
    mutex: UnsafeCell<MaybeUninit<libc::pthread_mutex_t>>,
    is_tied: AtomicBool,
}

// SAFETY: the mutex is libc's to share.
unsafe impl Sync for Lifeline {}

// ORDERING: relaxed; who ties and who looks is ordered by the lock of the registry.

impl Lifeline {
    /// An untied one.
    pub(crate) const fn new() -> Self {
        Self {
            mutex: UnsafeCell::new(MaybeUninit::zeroed()),
            is_tied: AtomicBool::new(false),
        }
    }

    /// Binding it to the calling thread; returns `false` where the C library or the kernel has no robust mutexes.
    pub(crate) fn tie(&self) -> bool {
        if !is_linked!("pthread_mutexattr_setrobust") {
            return false;
        }
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        let mutex = self.mutex();
        // SAFETY: writes the attributes.
        let begin = || unsafe { libc::pthread_mutexattr_init(attributes) };
        let choose =
            // SAFETY: the attributes were initialised.
            || unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) };
        // SAFETY: nobody uses the mutex, which was of no thread that lives.
        let make = || unsafe { libc::pthread_mutex_init(mutex, attributes) };
        // SAFETY: the mutex was initialised, and nobody else knows it yet.
        let lock = || unsafe { libc::pthread_mutex_lock(mutex) };
        let is_tied = ask(begin) == 0 && ask(choose) == 0 && ask(make) == 0 && ask(lock) == 0;
        self.is_tied.store(is_tied, Relaxed);
        is_tied
    }

    /// Unties it if the thread that it is tied to has ended; returns whether it has.
    pub(crate) fn is_cut(&self) -> bool {
        let mutex = self.mutex();
        // SAFETY: a tied mutex is initialised.
        let look = || unsafe { libc::pthread_mutex_trylock(mutex) };
        if !self.is_tied.load(Relaxed) || ask(look) != libc::EOWNERDEAD {
            return false;
        }
        // SAFETY: the calling thread owns the mutex now. So it leaves the lists of libc and the kernel.
        let _ = unsafe { libc::pthread_mutex_consistent(mutex) };
        // SAFETY: as above.
        let _ = unsafe { libc::pthread_mutex_unlock(mutex) };
        self.is_tied.store(false, Relaxed);
        true
    }

    /// In the child of a fork, whose libc has forgotten all robust mutexes: ties it again if the calling thread had.
    pub(crate) fn tie_again(&self) {
        if self.is_tied.load(Relaxed) {
            let _ = self.tie();
        }
    }

    /// Forgets a thread that stayed in the parent of a fork.
    pub(crate) fn forget(&self) {
        self.is_tied.store(false, Relaxed);
    }

    fn mutex(&self) -> *mut libc::pthread_mutex_t {
        self.mutex.get().cast()
    }
}
