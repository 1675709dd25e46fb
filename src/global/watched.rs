//! The way of every call while something is watched.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::bare::{allocate_bare, clear};
use super::life::{PROCESS, Process, alive, current_node, own};
use crate::cache::ThreadCache;
use crate::heap::{Home, Resized};
use crate::slab::Object;
use crate::sys;
use crate::units::{MIN_ALIGN, Zeroed};
use crate::watch::{Family, Given, Return, Sort, Wish};

/// A block of at least `size` bytes at a multiple of `align`. Where memory is short, nothing rests any longer.
#[cold]
#[inline(never)]
pub(super) fn allocate(
    process: &'static Process,
    size: usize,
    align: usize,
    zeroed: Zeroed,
    family: Family,
) -> Option<Object> {
    let attempt = || attempt(process, size, align, zeroed, family);
    attempt().or_else(|| {
        if !process.heap.pressure_helps(size, align) {
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
fn attempt(
    process: &'static Process,
    size: usize,
    align: usize,
    zeroed: Zeroed,
    family: Family,
) -> Option<Object> {
    let (heap, watch) = (&process.heap, &process.watch);
    if size > isize::MAX as usize {
        return None;
    }
    let zeroed = if watch.zeroes_on_alloc() {
        Zeroed::Yes
    } else {
        zeroed
    };
    let (cache, sort) = (alive(), Sort::of(size, align));
    let wish = Wish {
        bytes: size,
        align: align.max(MIN_ALIGN),
        zeroed,
        thread: cache.map_or(0, |(cache, _)| cache.thread()),
        family,
        named: None,
    };
    if watch.debugs(sort) {
        let home = match cache {
            Some((_, ties)) => ties.home,
            None => heap.home_of(current_node(heap)),
        };
        return watch.take_debugged(heap, home, wish);
    }
    let share = watch.guard_share();
    let is_turn = share > 0 && cache.is_some_and(|(cache, _)| cache.is_turn(sort.index(), share));
    if is_turn && let Some(block) = watch.take_guarded(wish) {
        return Some(block);
    }
    let Some((cache, ties)) = cache else {
        return allocate_bare(size, align, zeroed);
    };
    let block = if align <= MIN_ALIGN {
        cache.alloc_slow(ties, size, zeroed)
    } else {
        clear(cache.alloc_aligned(ties, size, align), size, zeroed)
    };
    // `realloc` may hand out what is behind it, too.
    block.inspect(|block| watch.clear_gained(heap, *block, size))
}

/// Takes a block back.
#[cold]
#[inline(never)]
pub(super) fn give(process: &'static Process, block: NonNull<u8>, family: Family) {
    let (heap, watch) = (&process.heap, &process.watch);
    let thread = own().map_or(0, ThreadCache::thread);
    let given = Return {
        block,
        thread,
        family,
    };
    if watch.give(heap, given) == Given::Ordinary {
        watch.retire(heap, block, |block| give_ordinary(process, block));
    }
}

#[cold]
#[inline(never)]
pub(super) fn give_ordinary(process: &'static Process, block: NonNull<u8>) {
    let (heap, watch) = (&process.heap, &process.watch);
    if super::watched_kmem::give_back(process, block) {
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
    match super::kmem::usable_size(block.as_ptr().addr()) {
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
    let is_asked = watch.is_on() && !sys::is_ending();
    is_asked.then(|| watch.usable_size(address))?
}

/// Says what is known of a fault at an address, if it is one of a guard's.
pub(super) fn explain_fault(address: usize, did: &str) -> bool {
    PROCESS
        .get()
        .is_some_and(|process| process.watch.explain_fault(address, did))
}
