//! Locks across fork(2): all are held while the process is copied, and one store frees them all.
//!
//! # Invariant
//!
//! A lock word that carries the number of a fork is held exactly while that fork lasts: `ended` has that number.
//! So neither parent nor child writes to the locks again, and nobody is woken unless somebody sleeps.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, SeqCst},
    fence,
};

use crate::sys;

/// The lowest bits of a word that is held across a fork; the number of the fork stands above them.
pub(super) const FORK: u32 = 3;
/// How many bits those are.
const STATE_BITS: u32 = 2;

/// Whether the forking thread may hold locks itself, because a signal handler of its own forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// It holds none.
    No,
    /// It may have been interrupted anywhere. A lock that does not become free soon counts as its own: it stays
    /// as it is in both processes, for the interrupted function to free.
    Maybe,
}

/// Begins a fork of the calling thread, which then calls `hold_for_fork` for every lock.
pub(crate) fn begin_fork(interrupted: Interrupted) {
    // ORDERING: relaxed, read by the calling thread.
    let gate = sys::fork_gate();
    gate.is_interrupted
        .store(interrupted == Interrupted::Maybe, Relaxed);
}

/// Whether the calling thread forks and holds locks for that.
pub(crate) fn is_forking() -> bool {
    // ORDERING: relaxed; a thread looks for its own number, which only itself stores.
    sys::fork_gate().forker.load(Relaxed) == sys::thread_id()
}

/// Whether a lock with this word is held for a fork of the calling thread's.
pub(super) fn is_held_for_own(word: &AtomicU32) -> bool {
    // ORDERING: acquire, pairs with the release in `hold_for_fork`: a thread that forked before must
    // not find its own number when another one forks.
    let word = word.load(Acquire);
    is_fork(word) && !is_over(word) && is_forking()
}

/// Frees all locks that are held for the calling thread's fork, in the parent.
pub(crate) fn end_fork() {
    let gate = sys::fork_gate();
    // ORDERING: relaxed, the number below says that nobody forks.
    gate.forker.store(0, Relaxed);
    let next = gate.ended.load(Relaxed).wrapping_add(1);
    // ORDERING: release and more, pairs with the acquire in `is_over`: who takes a lock sees what was written under it. The
    // fence pairs with the one in `wait_for_end`: either that one sees the number, or this one sees it wait.
    gate.ended.store(next, SeqCst);
    fence(SeqCst);
    if gate.waiters.load(Relaxed) > 0 {
        sys::futex_wake(&gate.ended, usize::MAX >> 33);
    }
}

/// Frees all locks that are held for the fork, in the child.
pub(crate) fn end_fork_in_child() {
    // ORDERING: relaxed, the child has one thread.
    sys::fork_gate().waiters.store(0, Relaxed);
    end_fork();
}

/// The word of a lock that is held for the fork in progress.
pub(super) fn held_word() -> u32 {
    // ORDERING: relaxed, the caller is the forking thread.
    sys::fork_gate().ended.load(Relaxed) << STATE_BITS | FORK
}

/// Whether `word` says that a lock is held for a fork, be it over or not.
pub(super) fn is_fork(word: u32) -> bool {
    word & FORK == FORK
}

/// Whether the fork for which a lock with that `word` was held is over.
pub(super) fn is_over(word: u32) -> bool {
    // ORDERING: acquire, pairs with the store in `end_fork`.
    sys::fork_gate().ended.load(Acquire) << STATE_BITS | FORK != word
}

/// Waits until the fork for which the lock with this word is held is over.
pub(super) fn wait_for_end(word: &AtomicU32, seen: u32) {
    let gate = sys::fork_gate();
    // ORDERING: relaxed, ordered by the fence: see `end_fork`.
    gate.waiters.fetch_add(1, Relaxed);
    fence(SeqCst);
    let ended = gate.ended.load(Relaxed);
    // ORDERING: relaxed, a look; who was woken looks again.
    if ended << STATE_BITS | FORK == seen && word.load(Relaxed) == seen {
        sys::futex_wait(&gate.ended, ended);
    }
    gate.waiters.fetch_sub(1, Relaxed);
}
