//! `malloc_trim`: all that is not in use, at once.
//!
//! # Invariant
//!
//! What other threads have cached is taken whole or not at all, and nobody waits for it: they pass a barrier that the
//! kernel gives them, which settles what `cache/idle.rs` detached.
#![forbid(unsafe_code)]

use super::birth::alive;
use super::process::{PROCESS, Process};
use super::threads::{CACHES, inside, own};
use crate::cache::{Haste, SETTLE_MS, ThreadCache};
use crate::decay::{Budget, Elapsed};
use crate::kmem::{Kmem, NamedCache};
use crate::slab::Request;
use crate::sys;
use core::ptr;

/// What other threads have cached stays if it cannot keep more from the system than this, or than this share of what the
/// heap has.
const LEAST_PINNED: usize = 1 << 20;
const PINNED_SHARE: usize = 64;
/// As much may be copied by a fork without need.
const LEAST_COPIED: usize = 256 << 10;
/// How late the clock may be, in milliseconds.
const CLOCK_MS: u64 = 12;

/// Gives all memory that is not in use back to the kernel; returns whether there was any. See malloc_trim(3).
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
    let named = |cache| {
        let kmem = process.kmem.get();
        kmem.map_or(0, |kmem| kmem.parked(cache).1)
    };
    let pinned = |cache: &'static ThreadCache| cache.pinned_bytes() + named(cache);
    let pinned: usize = caches().map(pinned).sum();
    if pinned <= LEAST_PINNED.max(process.heap.touched_bytes() / PINNED_SHARE) {
        return;
    }
    collect(process, Haste::Now, None, settle);
}

/// Takes back what ended threads have left, and what all others have cached, if there are spans among that which could make
/// room for a request; returns whether there was anything.
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
/// not, what is detached stays so, for a round.
fn collect(
    process: &Process,
    haste: Haste,
    spared: Option<&ThreadCache>,
    wait: impl FnOnce() -> bool,
) {
    let (number, mut budget) = (process.purge.number_visitor(), Budget::unlimited());
    let detach =
        |any: bool, cache: &ThreadCache| cache.detach_for(number, haste, &mut budget).1 || any;
    let is_taken = |cache: &&ThreadCache| spared.is_none_or(|spared| !ptr::eq(spared, *cache));
    let any = caches().filter(is_taken).fold(false, detach);
    let kmem = process.kmem.get().filter(|_| haste == Haste::Now);
    let any_named =
        kmem.is_some_and(|kmem| kmem.detach(None, &CACHES, number, &mut Budget::unlimited()));
    if !any && !any_named {
        return;
    }
    if !(passes_barrier(process) || wait()) {
        return;
    }
    let mut budget = Budget::unlimited();
    caches().for_each(|cache| _ = cache.take_detached(number, &mut budget));
    kmem.inspect(|kmem| kmem.take_detached(&CACHES, number, &mut budget));
}

/// Takes back what threads have at hand of a named cache; returns whether there was anything. They know what was detached when the kernel
/// has given them a barrier, or after some hundredths of a second.
pub(super) fn collect_named(process: &Process, kmem: &Kmem, cache: &'static NamedCache) -> bool {
    if kmem.at_hand(cache, &CACHES) == 0 {
        return false;
    }
    let (number, mut budget) = (process.purge.number_visitor(), Budget::unlimited());
    if kmem.detach(Some(cache), &CACHES, number, &mut budget) {
        let _ = passes_barrier(process) || settle();
        kmem.take_detached(&CACHES, number, &mut budget);
    }
    true
}

/// Has all threads pass a barrier, if the kernel may be asked for that and can.
fn passes_barrier(process: &Process) -> bool {
    process.thread.may_ask_kernel() && sys::barrier()
}

/// Waits until all threads know what was detached.
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
