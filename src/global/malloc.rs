//! The front door: what `malloc`, `calloc`, `memalign` and `free` do, from their fast paths to what serves the thread.
//!
//! # Invariant
//!
//! Every function works at any time in any thread: before the first allocation, after the
//! thread's exit hook, in the child of a fork.

use core::ptr::NonNull;

use super::birth::{alive, inside_alive};
use super::process::{PROCESS, Process, is_interrupted, process, with_modes};
use super::purge_thread::Trigger;
use super::service::{Service, service};
use super::threads::{here, own};
use super::trim::collect_spans;
use super::uncached::{answer, home};
use super::{debugged, debugged_kmem, early, named, pooled, profiled, pushed, relief, thread_exit};
use crate::cache::{Binding, Counted, ThreadCache};
use crate::modes::Family;
use crate::report::{self, Context, Violation, report_violation};
use crate::slab::{Object, Request, class};
use crate::sys;
use crate::units::{MIN_ALIGN, Zeroed};

/// Allocates at least `size` bytes, aligned to 16; null if there is no memory, or if `size` is
/// above `PTRDIFF_MAX`. A size of 0 gives a block of its own. See malloc(3).
#[inline(always)]
pub fn malloc(size: usize) -> *mut u8 {
    match malloc_fast(size) {
        Some(block) => block.as_ptr(),
        None => malloc_missed(size),
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

/// The second fast path, while the heap is profiled and [`malloc_fast`] is shut: the same, and the bytes are counted.
#[inline(always)]
pub fn malloc_counted(size: usize) -> Option<NonNull<u8>> {
    here().take_counted(size)
}

#[inline(never)]
fn malloc_missed(size: usize) -> *mut u8 {
    match malloc_counted(size) {
        Some(block) => block.as_ptr(),
        None => malloc_slow(size),
    }
}

/// What [`malloc`] does where [`malloc_fast`] and [`malloc_counted`] give up.
#[inline(never)]
pub fn malloc_slow(size: usize) -> *mut u8 {
    if here().count(size) == Counted::Due {
        return allocate_due(size, MIN_ALIGN, Zeroed::No, Family::Malloc);
    }
    if let Some(block) = pushed::take_ready(size) {
        return block.as_ptr();
    }
    if size <= class::MAX_SMALL
        && let Some(object) = here().exchange_empty(class::class_of(size))
    {
        tick(here(), Trigger::Malloc);
        return object.as_ptr();
    }
    allocate_uncounted(size, MIN_ALIGN, Zeroed::No, Family::Malloc)
}

/// Allocates `count` times `size` bytes of zeroes; null also if the product overflows. See calloc(3).
#[inline]
pub fn calloc(count: usize, size: usize) -> *mut u8 {
    let Some(bytes) = count.checked_mul(size) else {
        return core::ptr::null_mut();
    };
    if bytes > class::MAX_SMALL {
        return allocate(bytes, MIN_ALIGN, Zeroed::Yes, Family::Malloc);
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

pub(super) fn allocate_aligned(align: usize, size: usize, family: Family) -> *mut u8 {
    if let Some(id) = class::aligned_class_of(size, align)
        && let Some(object) = here()
            .pop(id)
            .or_else(|| here().take_class_counted(id, size))
    {
        return object.as_ptr();
    }
    allocate(size, align, Zeroed::No, family)
}

/// A block past the fast paths, for functions of a family.
#[inline(never)]
pub(super) fn allocate(size: usize, align: usize, zeroed: Zeroed, family: Family) -> *mut u8 {
    match here().count(size) {
        Counted::Due => allocate_due(size, align, zeroed, family),
        Counted::Off | Counted::Done => allocate_uncounted(size, align, zeroed, family),
    }
}

/// The same of the block at which a sample of the heap profile is due.
#[cold]
#[inline(never)]
fn allocate_due(size: usize, align: usize, zeroed: Zeroed, family: Family) -> *mut u8 {
    match profiled::allocate(size, align, zeroed) {
        Some(block) => {
            tick_own(Trigger::Malloc);
            block.as_ptr()
        }
        None => allocate_uncounted(size, align, zeroed, family),
    }
}

/// The same of bytes that are counted already.
#[inline(never)]
fn allocate_uncounted(size: usize, align: usize, zeroed: Zeroed, family: Family) -> *mut u8 {
    // A thread whose first block this is was not asked yet.
    if here().is_vacant() && profiled::is_first_sample(size) {
        return allocate_due(size, align, zeroed, family);
    }
    // Two ways that share no stack.
    match here().stubbed() {
        None => allocate_beside(size, align, zeroed, family),
        Some(_) => allocate_pushed(size, align, zeroed, family),
    }
}

/// From the pool that the thread has pushed, if there is one.
#[cold]
#[inline(never)]
fn allocate_pushed(size: usize, align: usize, zeroed: Zeroed, family: Family) -> *mut u8 {
    match pushed::take(size, align, zeroed) {
        Some(answer) => {
            tick_own(Trigger::Malloc);
            answer
        }
        None => allocate_beside(size, align, zeroed, family),
    }
}

/// The same, whatever the thread has pushed.
#[inline(never)]
fn allocate_beside(size: usize, align: usize, zeroed: Zeroed, family: Family) -> *mut u8 {
    let request = Request::new(size, align, zeroed);
    let take = || request.as_ref().and_then(|request| take(request, family));
    let (mut block, mut passes) = (take(), 0);
    // Not from in there: this way needs nearly all of the stack that is allowed.
    while block.is_none() && relief::relieve(size, &mut passes) {
        block = take();
    }
    answer(block, size)
}

#[cold]
fn take(request: &Request, family: Family) -> Option<Object> {
    if report::is_ending() {
        return take_mapping(process()?, request);
    }
    if is_interrupted() {
        return early::allocate(request.bytes(), request.align());
    }
    match service() {
        Service::Cached(cache, binding) => take_cached(cache, binding, request),
        Service::Debugged(process) => {
            let block = inside_alive(|| debugged::allocate(process, request, family));
            tick_own(Trigger::Malloc);
            block
        }
        Service::Uncached(process) => process.heap.take(home(process), request),
        Service::Nobody => None,
    }
}

/// A block from the thread's cache or the heap, and once more if other threads have spans at hand.
// Apart, so that no other way pays for the stack of this one.
#[inline(never)]
fn take_cached(cache: &'static ThreadCache, binding: Binding, request: &Request) -> Option<Object> {
    let block = cache.inside(|| {
        let take = || cache.alloc_slow(binding, request);
        take().or_else(|| {
            let process = PROCESS.get();
            let is_worth_it = process.is_some_and(|process| collect_spans(process, request));
            is_worth_it.then(take)?
        })
    });
    tick(cache, Trigger::Malloc);
    block
}

/// A block for the thread that is ending the process: without any lock that it may hold.
#[cold]
#[inline(never)]
fn take_mapping(process: &Process, request: &Request) -> Option<Object> {
    process.heap.take_mapping(home(process), request)
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
pub(super) fn free_slow_as(block: *mut u8, family: Family) {
    let Some(block) = NonNull::new(block) else {
        return;
    };
    if pushed::give(block) {
        return;
    }
    if here().exchange_full(block) {
        return tick(here(), Trigger::Free);
    }
    if !here().push_alien(block.as_ptr()) {
        give(block, family);
    }
}

/// Frees a block that is none for the fast paths.
#[cold]
fn give(block: NonNull<u8>, family: Family) {
    if report::is_ending() {
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
            None => give_uncached(process(), block),
        };
    }
    profiled::end(block);
    if pooled::give(block) || give_named(block) {
        return tick_own(Trigger::Free);
    }
    match service() {
        Service::Debugged(process) => {
            inside_alive(|| debugged::give(process, block, family));
            tick_own(Trigger::Free);
        }
        Service::Cached(cache, binding) => {
            cache.inside(|| cache.free_slow(binding, block));
            tick(cache, Trigger::Free);
        }
        Service::Uncached(process) => give_uncached(Some(process), block),
        Service::Nobody => give_uncached(None, block),
    }
}

/// Takes an object back that somebody frees as a block; `false` if it is none of a named cache's.
fn give_named(block: Object) -> bool {
    let Some(kmem) = named::known() else {
        return false;
    };
    if let Some(process) = with_modes() {
        return inside_alive(|| debugged_kmem::give(process, kmem, None, block));
    }
    let is_named = kmem.cache_of(block.as_ptr().addr()).is_some();
    is_named && inside_alive(|| kmem.give(alive(), None, block))
}

#[cold]
fn give_uncached(process: Option<&Process>, block: NonNull<u8>) {
    match process {
        Some(process) => process.heap.give(block),
        None => report_violation(
            Violation::InvalidFree,
            block.as_ptr() as usize,
            Context::Nowhere,
        ),
    }
}

pub(super) fn tick_own(trigger: Trigger) {
    if let Some(cache) = own() {
        tick(cache, trigger);
    }
}

/// Gives memory back that was not needed for some time, if that is due, and frees what a handler could not.
#[inline(never)]
fn tick(cache: &'static ThreadCache, trigger: Trigger) {
    let Some(process) = PROCESS.get() else {
        return;
    };
    // Which function it was is forgotten.
    cache.take_deferred(|block| give(block, Family::Unknown));
    let is_time = cache.is_time_to_look();
    // What a young child of a fork writes to is copied first.
    if is_time && cache.is_in_the_way() && !process.purge.youth.is_on() {
        cache.inside(|| cache.make_way(process.purge.is_on()));
    }
    if is_time || process.poll(trigger) {
        thread_exit::expect_late(cache);
        process.tick(cache, trigger);
    }
}
