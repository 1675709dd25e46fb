//! Every call while a debug mode is on.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::birth::alive;
use super::process::Process;
use super::threads::own;
use super::uncached::home;
use crate::cache::ThreadCache;
use crate::heap::{Home, Resized};
use crate::report;
use crate::slab::{Object, Request};
use crate::units::MIN_ALIGN;
use crate::watch::{Caller, Family, Given, Sort};

/// A block for a request. Where memory is short, nothing rests any longer.
#[cold]
#[inline(never)]
pub(super) fn allocate(
    process: &'static Process,
    request: &Request,
    family: Family,
) -> Option<Object> {
    let attempt = || attempt(process, request, family);
    attempt().or_else(|| {
        if !process.heap.pressure_helps(request) {
            return None;
        }
        process.watch.give_up_reservations();
        let reuse = |block| give_ordinary(process, block);
        process.watch.wake_all(&process.heap, reuse);
        attempt()
    })
}

#[cold]
#[inline(never)]
fn attempt(process: &'static Process, request: &Request, family: Family) -> Option<Object> {
    let (heap, watch) = (&process.heap, &process.watch);
    let zeroed = request.of_zeroes();
    let request = match watch.zeroes_on_alloc() {
        true => &zeroed,
        false => request,
    };
    let (cache, sort) = (alive(), Sort::of_request(request));
    let thread = cache.map_or(0, |(cache, _)| cache.thread());
    let caller = Caller::new(thread, family);
    if watch.debugs(sort) {
        let home = cache.map_or_else(|| home(process), |(_, ties)| ties.home);
        return watch.take_debugged(heap, home, request, caller);
    }
    let share = watch.guard_share();
    let is_turn = share > 0 && cache.is_some_and(|(cache, _)| cache.is_turn(sort.index(), share));
    if is_turn && let Some(block) = watch.take_guarded(request, caller) {
        return Some(block);
    }
    let block = match cache {
        Some((cache, ties)) => cache.alloc_slow(ties, request),
        None => heap.take(home(process), request),
    };
    // `realloc` may hand out what is behind it, too.
    block.inspect(|block| watch.clear_gained(heap, *block, request.bytes()))
}

/// Takes a block back.
#[cold]
#[inline(never)]
pub(super) fn give(process: &'static Process, block: NonNull<u8>, family: Family) {
    let (heap, watch) = (&process.heap, &process.watch);
    let thread = own().map_or(0, ThreadCache::thread);
    let caller = Caller::new(thread, family);
    if watch.give(heap, block, caller) == Given::Ordinary {
        watch.retire(heap, block, |block| give_ordinary(process, block));
    }
}

#[cold]
#[inline(never)]
pub(super) fn give_ordinary(process: &'static Process, block: NonNull<u8>) {
    let (heap, watch) = (&process.heap, &process.watch);
    let kmem = process.kmem.get();
    if kmem.is_some_and(|kmem| kmem.give(alive(), None, block)) {
        return;
    }
    let Some((cache, ties)) = alive() else {
        return heap.give(block);
    };
    // A bin of a class that is watched must not get a sheaf.
    if let Home::Slab { class, .. } = heap.locate(block.as_ptr() as usize)
        && watch.debugs(Sort::of_class(class))
    {
        return heap.give(block);
    }
    if !cache.push(block.as_ptr()) && !cache.push_alien(block.as_ptr()) {
        cache.free_slow(ties, block);
    }
}

/// Tries to change a block's size without copying it, which is not done with watched ones.
#[cold]
#[inline(never)]
pub(super) fn resize(process: &'static Process, block: NonNull<u8>, size: usize) -> Resized {
    match usable_size(process, block.as_ptr() as usize) {
        Some(Ok(old_bytes)) => Resized::Copy { old_bytes },
        Some(Err(())) => Resized::NoBlock,
        None => resize_ordinary(process, block, size),
    }
}

/// The same for an ordinary block. What it gives up and gets is memory that changes hands.
fn resize_ordinary(process: &'static Process, block: NonNull<u8>, size: usize) -> Resized {
    let (heap, watch) = (&process.heap, &process.watch);
    match super::named::usable_size(block.as_ptr().addr()) {
        // Nothing of an object of a named cache is cleared, and it never grows.
        Some(0) => return Resized::NoBlock,
        Some(old_bytes) => return Resized::Copy { old_bytes },
        None => {}
    }
    let Some(old_bytes) = heap.usable_size(block.as_ptr() as usize) else {
        return Resized::NoBlock;
    };
    if watch.debugs(Sort::of(size, MIN_ALIGN)) {
        return Resized::Copy { old_bytes };
    }
    if !watch.may_resize(size) {
        if size > old_bytes || size < old_bytes / 2 {
            return Resized::Copy { old_bytes };
        }
        // It keeps what it has, and nothing goes that would have to rest.
        watch.clear_behind(heap, block, size);
        return Resized::At(block);
    }
    watch.clear_behind(heap, block, size);
    let resized = heap.resize(block, size);
    if let Resized::At(block) = resized {
        watch.clear_gained(heap, block, old_bytes);
    }
    resized
}

/// The size of a watched block, as [`crate::watch::Watch::usable_size`] tells it.
#[cold]
#[inline(never)]
pub(super) fn usable_size(process: &Process, address: usize) -> Option<Result<usize, ()>> {
    let watch = &process.watch;
    // Who is about to abort may hold a lock that this needs.
    let is_asked = watch.is_on() && !report::is_ending();
    is_asked.then(|| watch.usable_size(address))?
}
