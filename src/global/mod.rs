//! The one heap of a process: the functions that everything calls.
//!
//! # Invariant
//!
//! Every function works at any time in any thread: before the first allocation, behind the
//! thread's exit hook, in the child of a fork.

mod at_exit;
mod bare;
mod directory;
mod early;
mod kmalloc;
mod kmem;
mod life;
mod look;
mod machine;
mod mail;
mod mempool;
mod onnode;
mod pace;
mod pages;
mod prefilled;
mod progress;
mod purge;
mod purge_thread;
mod requests;
mod settle;
mod size;
mod space;
mod thread_exit;
mod trim;
mod typed;
mod unload;
mod visits;
mod watched;
mod watched_kmem;
mod young;

use core::ptr::NonNull;

use crate::cache::ThreadCache;
use crate::report::{Crime, Scene, accuse};
use crate::slab::{Object, class};
use crate::sys;
use crate::units::{MIN_ALIGN, Zeroed};
use crate::watch::Family;
pub use kmalloc::{
    alloc_at_least, kcalloc, kfree, kfree_sensitive, kmalloc, kmemdup, krealloc, ksize, vmalloc,
};
pub use kmem::{
    kmem_alloc_bulk, kmem_alloc_fast, kmem_alloc_slow, kmem_create, kmem_destroy, kmem_free_bulk,
    kmem_free_fast, kmem_free_slow, kmem_shrink, kmem_used, rcu_begin, rcu_end,
};
pub use look::{
    class_stats, keeps_deepbind, limit_stats, node_stats, print_stats, stats, traffic, validate,
};
pub use mempool::{mempool_alloc, mempool_create, mempool_destroy, mempool_free, mempool_resize};
pub use onnode::{alloc_onnode, node_of};
pub use pages::{alloc_pages, alloc_pages_exact, free_pages, page_order};
pub use prefilled::{
    PrefilledSheaf, alloc_from_sheaf, prefill_sheaf, refill_sheaf, return_sheaf, sheaf_size,
};
pub use size::{realloc, realloc_fast, realloc_slow, usable_size};
pub use space::{address_limit_changed, property_change};
use trim::collect_spans;
pub use trim::trim;
pub use typed::{delete, delete_sized, free_sized, new_slow, realloc_sized};

use bare::{allocate_bare, allocate_ending, answer};
use life::{PROCESS, alive, here, inside, inside_alive, is_interrupted, own, process, watching};
use purge_thread::Moment;

/// Allocates at least `size` bytes, aligned to 16; null if there is no memory, or if `size` is
/// above `PTRDIFF_MAX`. A size of 0 gives a block of its own. See malloc(3).
#[inline(always)]
pub fn malloc(size: usize) -> *mut u8 {
    match malloc_fast(size) {
        Some(block) => block.as_ptr(),
        None => malloc_slow(size),
    }
}

/// The fast paths of [`malloc`]: the thread has an object of that class at hand.
#[inline(always)]
pub fn malloc_fast(size: usize) -> Option<NonNull<u8>> {
    if size <= class::FINE_LIMIT {
        return here().pop_fine(size);
    }
    // Off the straight way of the sizes that are asked for most.
    core::hint::cold_path();
    here().pop(class::coarse_class_of(size))
}

/// What [`malloc`] does where [`malloc_fast`] gives up.
#[inline(never)]
pub fn malloc_slow(size: usize) -> *mut u8 {
    if size <= class::MAX_SMALL
        && let Some(object) = here().exchange_empty(class::class_of(size))
    {
        tick_here(Moment::Malloc);
        return object.as_ptr();
    }
    answer(allocate(size, Zeroed::No, Family::Malloc), size)
}

/// Frees `block`; null is ignored. Anything that is not the start of a block in use is named on
/// standard error and ends the process. See free(3).
///
/// # Safety
///
/// Nobody uses the block any more.
#[inline(always)]
pub unsafe fn free(block: *mut u8) {
    // Null is no address of an arena, so it needs no test of its own here.
    if !here().push(block) {
        free_slow(block);
    }
}

#[inline(never)]
fn free_slow(block: *mut u8) {
    free_slow_as(block, Family::Malloc);
}

#[inline(never)]
fn free_slow_as(block: *mut u8, family: Family) {
    let Some(block) = NonNull::new(block) else {
        return;
    };
    if here().exchange_full(block) {
        return tick_here(Moment::Free);
    }
    if !here().push_alien(block.as_ptr()) {
        free_here(block, family);
    }
}

/// Frees a block that is none for the fast paths.
#[cold]
fn free_here(block: NonNull<u8>, family: Family) {
    if sys::is_ending() {
        // What it does not hold a lock for is not worth looking at any more.
        return;
    }
    if let Some(early) = early::find(block.as_ptr()) {
        return early.give();
    }
    if is_interrupted() {
        return match own() {
            Some(cache) => cache.defer(block),
            // It makes the heap, or is to get a cache: nothing that this needs is locked.
            None => free_bare(block),
        };
    }
    if kmem::give(block) {
        return tick_own(Moment::Free);
    }
    if let Some(process) = watching() {
        inside_alive(|| watched::give(process, block, family));
        return tick_own(Moment::Free);
    }
    if let Some((cache, ties)) = alive() {
        cache.inside(|| cache.free_slow(ties, block));
        return tick(cache, Moment::Free);
    }
    free_bare(block);
}

/// Frees past all thread caches.
#[cold]
fn free_bare(block: NonNull<u8>) {
    match process() {
        Some(process) => process.heap.give(block),
        None => accuse(Crime::InvalidFree, block.as_ptr() as usize, Scene::Nowhere),
    }
}

/// Allocates `count` times `size` bytes of zeroes; null also if the product overflows. See calloc(3).
#[inline]
pub fn calloc(count: usize, size: usize) -> *mut u8 {
    let Some(bytes) = count.checked_mul(size) else {
        return core::ptr::null_mut();
    };
    if bytes > class::MAX_SMALL {
        return answer(allocate(bytes, Zeroed::Yes, Family::Malloc), bytes);
    }
    let block = malloc(bytes);
    if let Some(block) = NonNull::new(block) {
        // SAFETY: the block was allocated above with that size.
        unsafe { sys::clear(block, bytes) };
    }
    block
}

/// Allocates `size` bytes at a multiple of `align`, a power of two; null if there is no memory.
/// See memalign(3).
pub fn memalign(align: usize, size: usize) -> *mut u8 {
    debug_assert!(align.is_power_of_two());
    if align <= MIN_ALIGN {
        return malloc(size);
    }
    allocate_aligned(align, size, Family::Malloc)
}

fn allocate_aligned(align: usize, size: usize, family: Family) -> *mut u8 {
    if let Some(id) = class::aligned_class_of(size, align)
        && let Some(object) = here().pop(id)
    {
        return object.as_ptr();
    }
    if sys::is_ending() {
        return answer(allocate_ending(size, align, Zeroed::No), size);
    }
    if is_interrupted() {
        return answer(early::allocate(size, align), size);
    }
    if let Some(process) = watching() {
        let block = inside_alive(|| watched::allocate(process, size, align, Zeroed::No, family));
        tick_own(Moment::Malloc);
        return answer(block, size);
    }
    let block = match alive() {
        Some((cache, ties)) => again_if_short(cache, size, align, || {
            cache.alloc_aligned(ties, size, align)
        }),
        None => allocate_bare(size, align, Zeroed::No),
    };
    answer(block, size)
}

/// Runs `take`, and once more if it gets nothing while other threads have spans at hand.
#[inline]
fn again_if_short(
    cache: &ThreadCache,
    size: usize,
    align: usize,
    take: impl Fn() -> Option<Object>,
) -> Option<Object> {
    cache.inside(|| {
        take().or_else(|| {
            let is_worth_it = PROCESS
                .get()
                .is_some_and(|process| collect_spans(process, size, align));
            is_worth_it.then(take)?
        })
    })
}

/// Leaves `bytes` of unused memory in each arena, and as much in freed mappings, to the process instead of giving it back when
/// it was not needed for some time; `usize::MAX` for all. See `M_TRIM_THRESHOLD` in mallopt(3).
pub fn keep_unused(bytes: usize) {
    if let Some(process) = process() {
        inside(|| process.heap.keep_unused(bytes));
    }
}

/// Makes blocks of `bytes` and more mappings of their own, as far as they are above 48 KiB; those above 4 MiB always are. See
/// `M_MMAP_THRESHOLD` in mallopt(3).
pub fn map_from(bytes: usize) {
    if let Some(process) = process() {
        inside(|| process.heap.map_from(bytes));
    }
}

#[cold]
fn allocate(size: usize, zeroed: Zeroed, family: Family) -> Option<Object> {
    if sys::is_ending() {
        return allocate_ending(size, MIN_ALIGN, zeroed);
    }
    if is_interrupted() {
        return early::allocate(size, MIN_ALIGN);
    }
    if let Some(process) = watching() {
        let block = inside_alive(|| watched::allocate(process, size, MIN_ALIGN, zeroed, family));
        tick_own(Moment::Malloc);
        return block;
    }
    allocate_unwatched(size, zeroed)
}

/// Apart, so that neither way pays for the other's stack.
#[inline(never)]
fn allocate_unwatched(size: usize, zeroed: Zeroed) -> Option<Object> {
    let Some((cache, ties)) = alive() else {
        return allocate_bare(size, MIN_ALIGN, zeroed);
    };
    let block = again_if_short(cache, size, MIN_ALIGN, || {
        cache.alloc_slow(ties, size, zeroed)
    });
    tick(cache, Moment::Malloc);
    block
}

fn tick_own(moment: Moment) {
    if let Some(cache) = own() {
        tick(cache, moment);
    }
}

/// As [`tick`], of the cache in the slot, which has memory.
#[inline(never)]
fn tick_here(moment: Moment) {
    tick(here(), moment);
}

/// Gives memory back that was not needed for some time, if that is due, and frees what a handler could not.
#[inline]
fn tick(cache: &'static ThreadCache, moment: Moment) {
    let Some(process) = PROCESS.get() else {
        return;
    };
    // Which function it was is forgotten.
    cache.take_deferred(|block| free_here(block, Family::Unknown));
    let is_time = cache.is_time_to_look();
    // What a young child of a fork writes to is copied first.
    if is_time && cache.is_in_the_way() && !process.purge.youth.is_on() {
        cache.inside(|| cache.make_way(process.purge.is_on()));
    }
    if is_time || process.purge.glance(process, moment) {
        thread_exit::expect_late(cache);
        process.purge.tick(process, cache, moment);
    }
}
