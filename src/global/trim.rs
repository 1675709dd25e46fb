//! `malloc_trim`: all that is not in use, at once.
//!
//! # Invariant
//!
//! What other threads have cached is taken whole or not at all, and nobody waits for it: they pass a barrier that the
//! kernel gives them, and the claims of `cache/idle.rs` are settled.
#![forbid(unsafe_code)]

use super::birth::alive;
use super::process::{PROCESS, Process};
use super::threads::{CACHES, inside, own};
use crate::cache::{Haste, SETTLE_MS, ThreadCache};
use crate::decay::{Budget, Elapsed};
use crate::slab::Request;
use crate::sys;
use core::ptr;

/// What other threads have cached stays if it cannot keep more from the system than this, or than this share of what the
/// heap has.
const LEAST_PINNED: usize = 1 << 20;
const PINNED_SHARE: usize = 64;
/// As much may be copied by a fork without need.
const LEAST_COPIED: usize = 256 << 10;
/// How far the clock may be behind, in milliseconds.
const CLOCK_MS: u64 = 12;

/// Gives all memory that is not in use back to the kernel; whether there was any. See malloc_trim(3).
pub fn trim() -> bool {
    let cache = alive();
    let Some(process) = PROCESS.get() else {
        return false;
    };
    inside(|| {
        if let Some((cache, _)) = cache {
            cache.drain();
        }
        trim_all(process)
    })
}

/// As [`trim`], without what the calling thread has cached.
pub(super) fn trim_all(process: &Process) -> bool {
    collect_caches(process);
    process.memory().decay_named(Elapsed::FOR_EVER, false);
    process.heap.trim()
}

/// Takes back what is cached by all threads, if that is much.
fn collect_caches(process: &Process) {
    CACHES.adopt_orphans(usize::MAX);
    CACHES.cool_all();
    let pinned: usize = caches().map(ThreadCache::pinned_bytes).sum();
    if pinned <= LEAST_PINNED.max(process.heap.touched_bytes() / PINNED_SHARE) {
        return;
    }
    collect(process, Haste::Now, None, settle);
}

/// Takes back what ended threads have left, and what all others have cached, if there are spans among that which could make
/// room for a request; whether there was anything.
#[cold]
pub(super) fn collect_spans(process: &Process, request: &Request) -> bool {
    let is_cooled = CACHES.cool_all();
    let waiting: usize = caches().map(|cache| cache.waiting_spans().1).sum();
    let is_enough = waiting > 0 && request.bytes() / 2 <= waiting;
    let may_help = is_enough && process.heap.pressure_helps(request);
    if may_help {
        collect(process, Haste::Now, None, settle);
    }
    may_help || is_cooled
}

/// Takes back what is cached by all threads but `spared`; `wait` where the kernel has no barrier for that, and says whether that is as good as one. If
/// not, what is claimed stays so, for a round.
fn collect(
    process: &Process,
    haste: Haste,
    spared: Option<&ThreadCache>,
    wait: impl FnOnce() -> bool,
) {
    let (number, mut budget) = (process.purge.number_visitor(), Budget::unlimited());
    let claim =
        |any: bool, cache: &ThreadCache| cache.claim_for(number, haste, &mut budget).1 || any;
    let is_taken = |cache: &&ThreadCache| spared.is_none_or(|spared| !ptr::eq(spared, *cache));
    if !caches().filter(is_taken).fold(false, claim) {
        return;
    }
    let is_settled = process.thread.may_ask_kernel() && sys::barrier() || wait();
    if !is_settled {
        return;
    }
    caches().for_each(|cache| _ = cache.take_claimed(number, &mut budget));
}

/// Waits until all threads know of claims.
fn settle() -> bool {
    sys::sleep(SETTLE_MS + CLOCK_MS);
    true
}

/// Gives back what is free and what idle threads have cached, before the process is copied. A page costs more in a copy: its
/// entry in both page tables, and a fault at the next use, as it is shared.
pub(super) fn trim_for_fork(process: &Process) {
    process.purge.run_for_fork(|| {
        let pinned: usize = caches().map(ThreadCache::pinned_bytes).sum();
        if pinned > LEAST_COPIED {
            // What cannot be taken now is taken by a later fork or round. What this thread has it needs next, in both processes.
            collect(process, Haste::IfIdle, own(), || false);
        }
        process.heap.decay(Elapsed::FOR_EVER) + pinned.saturating_sub(LEAST_COPIED) / PINNED_SHARE
    });
}

fn caches() -> impl Iterator<Item = &'static ThreadCache> {
    let mut last = None;
    core::iter::from_fn(move || {
        last = CACHES.next(last);
        last
    })
}
