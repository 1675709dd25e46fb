//! The kernel's allocation functions without a cache: `kmalloc` and its family, over the same heap as `malloc`.
//!
//! # Invariant
//!
//! What these functions give is a block of `malloc`'s, and each frees what any of them gave. A request for no bytes is answered
//! with an address that is no block's.

use core::ptr::NonNull;

use super::birth::alive;
use super::kmem::beyond_limit;
use super::onnode::aligned_onnode;
use super::process::{is_interrupted, process, with_modes};
use super::threads::inside;
use super::{calloc, free, malloc, malloc_fast, memalign, node_of, pushed, realloc, usable_size};
use crate::kmem::{Gfp, KmemError, out_of_memory};
use crate::report;
use crate::slab::class;
use crate::sys;
use crate::units::{BLOCK_SIZE, GRANULE_SIZE, MIN_ALIGN, NodeId, PAGE_SIZE, align_up};

/// The answer to a request for no bytes, `ZERO_SIZE_PTR`: 16.
const NO_BYTES: NonNull<u8> = NonNull::without_provenance(core::num::NonZero::new(16).unwrap());

/// Whether an address is none of a block: null, or the answer to a request for no bytes.
fn is_none(block: *const u8) -> bool {
    block.addr() <= NO_BYTES.addr().get()
}

/// Allocates `size` bytes; powers of two up to 4 MiB lie at multiples of themselves. `node` is -1 for the thread's own. See
/// `kmalloc` in Linux' core-api/memory-allocation.rst.
///
/// # Errors
///
/// [`KmemError::Invalid`] for flags that are refused and nodes that threads take no memory from.
pub fn kmalloc(size: usize, flags: u32, node: i32) -> Result<NonNull<u8>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    if node != -1 {
        return on_node(size, gfp, node);
    }
    match size {
        0 => Ok(NO_BYTES),
        _ => aligned(size, alignment(size), gfp),
    }
}

/// What the address of a block of `size` bytes is a multiple of.
fn alignment(size: usize) -> usize {
    match size.is_power_of_two() && size <= BLOCK_SIZE {
        true => size.max(MIN_ALIGN),
        false => MIN_ALIGN,
    }
}

/// Allocates `count` times `size` bytes.
///
/// # Errors
///
/// As for [`kmalloc`]; a product that overflows is memory that nobody has.
pub fn kcalloc(count: usize, size: usize, flags: u32) -> Result<NonNull<u8>, KmemError> {
    match count.checked_mul(size) {
        Some(bytes) => kmalloc(bytes, flags, -1),
        None => Gfp::new(flags).map_or(Err(KmemError::Invalid), |_| Err(KmemError::NoMemory)),
    }
}

/// Changes the size of a block, which null is not, nor the answer to a request for no bytes. With `__GFP_ZERO`, and if all
/// of its bytes came with that flag, what is new reads as zero.
///
/// # Errors
///
/// As for [`kmalloc`]; the block stays as it was.
///
/// # Safety
///
/// Nobody uses the old block any more where the answer is not an error.
pub unsafe fn krealloc(block: *mut u8, size: usize, flags: u32) -> Result<NonNull<u8>, KmemError> {
    if is_none(block) {
        return kmalloc(size, flags, -1);
    }
    // SAFETY: the caller's promise.
    unsafe { resize(block, size, Gfp::new(flags).ok_or(KmemError::Invalid)?) }
}

/// What [`krealloc`] does with a block, apart, so that the way of a new one has no room for this on its stack.
///
/// # Safety
///
/// As there.
#[inline(never)]
unsafe fn resize(block: *mut u8, size: usize, gfp: Gfp) -> Result<NonNull<u8>, KmemError> {
    if size == 0 {
        // SAFETY: the caller gives it up.
        unsafe { free(block) };
        return Ok(NO_BYTES);
    }
    let old_bytes = usable_size(block);
    if size <= old_bytes {
        let block = NonNull::new(block).ok_or(KmemError::NoMemory)?;
        if gfp.zeroes() {
            // For when it grows again.
            clear_from(block, size);
        }
        return Ok(block);
    }
    if !gfp.may_wait() || gfp.is_this_node() {
        return replaced(block, old_bytes, size, gfp);
    }
    // SAFETY: the caller's promise.
    let new = granted(size, gfp, || unsafe { realloc(block, size) })?;
    if gfp.zeroes() {
        clear_from(new, old_bytes);
    }
    Ok(new)
}

/// The larger block that [`resize`] gives where `realloc` may not choose it: it waits, and frees the old one before the new one's
/// node can be compared. Not by [`aligned`], whose other ways need more stack.
#[inline(never)]
fn replaced(
    block: *mut u8,
    old_bytes: usize,
    size: usize,
    gfp: Gfp,
) -> Result<NonNull<u8>, KmemError> {
    let take = || match gfp.may_wait() {
        true => malloc(size),
        false => soon(size, MIN_ALIGN),
    };
    let new = pushed::beside(|| granted(size, gfp, || near(take(), gfp)))?;
    if gfp.zeroes() {
        clear_from(new, 0);
    }
    if let Some(old) = NonNull::new(block) {
        // SAFETY: two blocks; the new one is longer.
        unsafe { sys::copy(old, new, old_bytes) };
        // SAFETY: the caller gives it up.
        unsafe { free(old.as_ptr()) };
    }
    Ok(new)
}

/// Frees a block, or nothing for null and the answer to a request for no bytes.
///
/// # Safety
///
/// As for [`free`].
pub unsafe fn kfree(block: *mut u8) {
    if !is_none(block) {
        // SAFETY: the caller's promise.
        unsafe { free(block) };
    }
}

/// Clears a block and frees it.
///
/// # Safety
///
/// As for [`free`].
pub unsafe fn kfree_sensitive(block: *mut u8) {
    let bytes = ksize(block);
    if bytes > 0
        && let Some(block) = NonNull::new(block)
    {
        // SAFETY: the block has as many bytes.
        unsafe { sys::clear(block, bytes) };
        core::hint::black_box(block);
    }
    // SAFETY: the caller's promise.
    unsafe { kfree(block) };
}

/// The bytes of a block that may be used; 0 for null and the answer to a request for no bytes.
pub fn ksize(block: *const u8) -> usize {
    if is_none(block) {
        0
    } else {
        usable_size(block)
    }
}

/// Allocates a copy of `bytes`.
///
/// # Errors
///
/// As for [`kmalloc`].
pub fn kmemdup(bytes: &[u8], flags: u32) -> Result<NonNull<u8>, KmemError> {
    let block = kmalloc(bytes.len(), flags, -1)?;
    // SAFETY: the block is as long, and nobody else's.
    unsafe { sys::copy(NonNull::from(bytes).cast(), block, bytes.len()) };
    Ok(block)
}

/// Allocates whole pages for `size` bytes; null if there is no memory, or if `size` is 0.
pub fn vmalloc(size: usize, is_zeroed: bool) -> *mut u8 {
    let page = sys::page_size();
    let Some(bytes) = align_up(size, page).filter(|bytes| *bytes > 0) else {
        return core::ptr::null_mut();
    };
    // Blocks that are no slabs' objects begin with a page, and fresh ones need no clearing.
    let is_page_aligned = page <= PAGE_SIZE && with_modes().is_none();
    if is_zeroed && is_page_aligned && bytes > class::MAX_SMALL.max(GRANULE_SIZE) {
        return pushed::beside(|| calloc(1, bytes));
    }
    let block = pushed::beside(|| memalign(page, bytes));
    if is_zeroed && let Some(block) = NonNull::new(block) {
        // SAFETY: the block is as long.
        unsafe { sys::clear(block, bytes) };
    }
    block
}

/// Allocates at least `size` bytes, and says how many may be used; see `slubmalloc_alloc_at_least` in slubmalloc.h.
pub fn alloc_at_least(size: usize) -> (*mut u8, usize) {
    let block = malloc(size);
    (block, usable_size(block))
}

/// A block for the flags; see [`kmalloc`].
pub(super) fn aligned(size: usize, align: usize, gfp: Gfp) -> Result<NonNull<u8>, KmemError> {
    // Classes of powers of two lie at multiples of their sizes, but for red zones.
    let is_aligned = || align == size && size <= class::FINE_LIMIT && with_modes().is_none();
    let is_plain = gfp.may_wait() && (align <= MIN_ALIGN || is_aligned());
    let is_calloc = is_plain && gfp.zeroes();
    let take = || match gfp.may_wait() {
        // Which knows what reads as zero already.
        _ if is_calloc => calloc(1, size),
        _ if is_plain => malloc(size),
        true => memalign(align, size),
        false => soon(size, align),
    };
    let block = pushed::beside(|| granted(size, gfp, || near(take(), gfp)))?;
    if gfp.zeroes() {
        clear_from(block, if is_calloc { size } else { 0 });
    }
    Ok(block)
}

/// The block, unless it must be this node's and is not.
fn near(block: *mut u8, gfp: Gfp) -> *mut u8 {
    match gfp.is_this_node() {
        true => unless_elsewhere(block, own_node(), gfp),
        false => block,
    }
}

/// Clears a new block from a byte on, to its end, as krealloc may hand out what was not asked for.
fn clear_from(block: NonNull<u8>, first: usize) {
    let bytes = usable_size(block.as_ptr());
    // SAFETY: inside of the block.
    let rest = unsafe { block.add(first.min(bytes)) };
    // SAFETY: as above.
    unsafe { sys::clear(rest, bytes.saturating_sub(first)) };
}

/// A block that no lock is waited for, nor the system asked.
fn soon(size: usize, align: usize) -> *mut u8 {
    if align <= MIN_ALIGN
        && let Some(block) = malloc_fast(size)
    {
        return block.as_ptr();
    }
    if is_interrupted() || report::is_ending() {
        return core::ptr::null_mut();
    }
    let block = alive()
        .and_then(|(_, binding)| inside(|| binding.heap.take_soon(binding.home, size, align)));
    block.map_or(core::ptr::null_mut(), NonNull::as_ptr)
}

/// The same on a node.
fn soon_on(size: usize, align: usize, node: u8) -> *mut u8 {
    if is_interrupted() || report::is_ending() {
        return core::ptr::null_mut();
    }
    let block = alive().and_then(|(_, binding)| {
        let node = binding.heap.node(NodeId(node))?;
        inside(|| binding.heap.take_soon(node, size, align))
    });
    block.map_or(core::ptr::null_mut(), NonNull::as_ptr)
}

/// The node with a number; `None` if threads take no memory from such a one.
fn node_with(number: i32) -> Option<u8> {
    let number = u8::try_from(number).ok()?;
    process()?.heap.node(NodeId(number)).map(|_| number)
}

// Apart, so that the way of a block of any node has no room for this on its stack.
#[inline(never)]
fn on_node(size: usize, gfp: Gfp, node: i32) -> Result<NonNull<u8>, KmemError> {
    let node = node_with(node).ok_or(KmemError::Invalid)?;
    if size == 0 {
        return Ok(NO_BYTES);
    }
    let align = alignment(size);
    let take = || {
        let block = match gfp.may_wait() {
            true => aligned_onnode(size, align, node).unwrap_or(core::ptr::null_mut()),
            false => soon_on(size, align, node),
        };
        unless_elsewhere(block, Some(node), gfp)
    };
    let block = granted(size, gfp, take)?;
    if gfp.zeroes() {
        clear_from(block, 0);
    }
    Ok(block)
}

/// The block, unless it must be of a node and is of another.
fn unless_elsewhere(block: *mut u8, node: Option<u8>, gfp: Gfp) -> *mut u8 {
    if gfp.is_this_node()
        && let Some(node) = node
        && node_of(block).is_some_and(|found| found != node)
    {
        // SAFETY: the caller has just taken it.
        unsafe { free(block) };
        return core::ptr::null_mut();
    }
    block
}

/// The node of the calling thread, where nodes are told apart.
fn own_node() -> Option<u8> {
    let own = alive().filter(|(_, binding)| binding.heap.is_numa());
    own.map(|(_, binding)| binding.home.id().0)
}

/// A block that `take` gets, or what becomes of a request without one.
fn granted(size: usize, gfp: Gfp, take: impl Fn() -> *mut u8) -> Result<NonNull<u8>, KmemError> {
    let take = || NonNull::new(take());
    match take() {
        Some(block) => Ok(block),
        None if gfp.never_fails() => beyond_limit(size, take).map_or_else(|| refused(gfp), Ok),
        None => refused(gfp),
    }
}

/// What becomes of a request for which there is no memory.
fn refused(gfp: Gfp) -> Result<NonNull<u8>, KmemError> {
    match gfp.never_fails() {
        true => out_of_memory(b"kmalloc"),
        false => Err(KmemError::NoMemory),
    }
}
