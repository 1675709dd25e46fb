//! Every call while a debug mode is on.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::birth::alive;
use super::process::Process;
use super::threads::own;
use super::uncached::home;
use crate::cache::ThreadCache;
use crate::heap::{Home, Resized};
use crate::modes::{Caller, Family, Given, Sort};
use crate::report;
use crate::slab::{Object, Request};

/// A block for a request. Where memory is short, the quarantine is emptied.
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
        process.modes.give_up_reservations();
        let reuse = |block| give_ordinary(process, block);
        process.modes.release_all(&process.heap, reuse);
        attempt()
    })
}

#[cold]
#[inline(never)]
fn attempt(process: &'static Process, request: &Request, family: Family) -> Option<Object> {
    let (heap, modes) = (&process.heap, &process.modes);
    let request = &modes.clearing().request(request);
    let (cache, sort) = (alive(), Sort::of_request(request));
    let thread = cache.map_or(0, |(cache, _)| cache.thread());
    let caller = Caller::new(thread, family);
    if modes.debugs(sort) {
        let home = cache.map_or_else(|| home(process), |(_, binding)| binding.home);
        return modes.take_debugged(heap, home, request, caller);
    }
    let share = modes.guard_share();
    let is_turn = share > 0 && cache.is_some_and(|(cache, _)| cache.is_turn(sort.index(), share));
    if is_turn && let Some(block) = modes.take_guarded(request, caller) {
        return Some(block);
    }
    let block = match cache {
        Some((cache, binding)) => cache.alloc_slow(binding, request),
        None => heap.take(home(process), request),
    };
    // `realloc` may hand out the rest, too.
    block.inspect(|block| modes.clearing().gain(heap, *block, request.bytes()))
}

/// Takes a block back.
#[cold]
#[inline(never)]
pub(super) fn give(process: &'static Process, block: NonNull<u8>, family: Family) {
    let (heap, modes) = (&process.heap, &process.modes);
    let thread = own().map_or(0, ThreadCache::thread);
    let caller = Caller::new(thread, family);
    if modes.give(heap, block, caller) == Given::Ordinary {
        modes.free_ordinary(heap, block, |block| give_ordinary(process, block));
    }
}

#[cold]
#[inline(never)]
pub(super) fn give_ordinary(process: &'static Process, block: NonNull<u8>) {
    let (heap, modes) = (&process.heap, &process.modes);
    let kmem = process.kmem.get();
    if kmem.is_some_and(|kmem| kmem.give(alive(), None, block)) {
        return;
    }
    let Some((cache, binding)) = alive() else {
        return heap.give(block);
    };
    // A bin of a class that is debugged must not get a sheaf.
    if let Home::Slab { class, .. } = heap.locate(block.as_ptr() as usize)
        && modes.debugs(Sort::of_class(class))
    {
        return heap.give(block);
    }
    if !cache.push(block.as_ptr()) && !cache.push_alien(block.as_ptr()) {
        cache.free_slow(binding, block);
    }
}

/// Tries to change a block's size without copying it, which is not done with debugged ones.
#[cold]
#[inline(never)]
pub(super) fn resize(process: &'static Process, block: NonNull<u8>, size: usize) -> Resized {
    match usable_size(process, block.as_ptr() as usize) {
        Some(Ok(old_bytes)) => Resized::Copy { old_bytes },
        Some(Err(())) => Resized::NoBlock,
        None => resize_ordinary(process, block, size),
    }
}

/// The same for an ordinary block.
fn resize_ordinary(process: &'static Process, block: NonNull<u8>, size: usize) -> Resized {
    let (heap, modes) = (&process.heap, &process.modes);
    match super::named::usable_size(block.as_ptr().addr()) {
        // Nothing of an object of a named cache is cleared, and it never grows.
        Some(0) => return Resized::NoBlock,
        Some(old_bytes) => return Resized::Copy { old_bytes },
        None => {}
    }
    let Some(old_bytes) = heap.usable_size(block.as_ptr() as usize) else {
        return Resized::NoBlock;
    };
    modes.resize(heap, block, old_bytes, size)
}

/// The size of a debugged block, as [`crate::modes::Modes::usable_size`] tells it.
#[cold]
#[inline(never)]
pub(super) fn usable_size(process: &Process, address: usize) -> Option<Result<usize, ()>> {
    let modes = &process.modes;
    // Who is about to abort may hold a lock that this needs.
    let is_asked = modes.is_on() && !report::is_ending();
    is_asked.then(|| modes.usable_size(address))?
}
