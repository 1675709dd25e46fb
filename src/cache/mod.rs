//! A thread's sheaves, between it and the heap.
//!
//! # Invariant
//!
//! The fast paths touch only this cache: no lock, no atomic read-modify-write. Everything else
//! holds `busy`, so that a fork finds no cache half changed.

mod alien;
mod audit;
mod bin;
mod binding;
mod bounds;
mod counted;
mod deferred;
mod drain;
mod exchange;
mod first;
mod growth;
mod idle;
pub(crate) mod layout;
mod lists;
mod named;
mod named_idle;
mod notice;
mod registry;
mod rehome;
mod room;
mod shared;
mod sized;
mod sizing;
mod slow;
mod sources;
mod stub;

use core::ptr::null_mut;
use core::sync::atomic::{
    self, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    compiler_fence,
};

pub(crate) use bin::Bin;
pub(crate) use binding::Binding;
pub(crate) use counted::Counted;
pub(crate) use idle::{Haste, SETTLE_MS};
use named::NamedBins;
pub(crate) use named::{BIN_BYTES, BinTable, Notes};
pub(crate) use named_idle::Taken;
use once_cell::race::OnceRef;
pub(crate) use registry::Registry;
pub(crate) use sizing::capacity as sheaf_capacity;
use stub::Stub;

use crate::heap::{Heap, Node};
use crate::slab::{NAMED, Object, SheafCell, class};
use crate::sync::{Lock, StaticRef};
use crate::sys::{Lifeline, ZeroInit};
use crate::units::{ClassId, GRANULE_SHIFT};
use alien::{Aliens, Sheaves};
use deferred::Deferred;

/// One for each class, one for class 0, and one for what is a named cache's; the last two refuse everything.
const BINS: usize = NAMED.index() + 1;

/// A thread's main and spare sheaf for each class.
///
/// The bins come first: the fast paths then reach them without adding an offset. What else `free`
/// reads shares a cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct ThreadCache {
    bins: [Bin; BINS],
    arena_base: AtomicUsize,
    arena_bytes: AtomicUsize,
    class_map: AtomicPtr<AtomicU8>,
    /// Bytes before a sample of the heap profile; 0 where there is none.
    left: AtomicU64,
    /// Where in this cache the bin of a size is, in 16-byte steps: one load from size to bin.
    places: [AtomicU16; class::FINE_ENTRIES],
    /// Nothing in the two static caches, which have no memory.
    heap: StaticRef<Heap>,
    home: StaticRef<Node>,
    /// Whose cache nodes it takes objects from; written under its lock.
    cluster: AtomicU32,
    /// The cluster that its thread was last seen in.
    seen_in: AtomicU32,
    /// Held while anything but a fast path changes this cache.
    busy: Lock<()>,
    /// Whether a thread owns this cache.
    owned: AtomicU32,
    /// The next cache of the registry, and of its list of unowned ones.
    next: StaticRef<Self>,
    next_free: StaticRef<Self>,
    /// What is to be returned to other nodes.
    aliens: OnceRef<'static, Aliens>,
    /// Slow paths since the thread was looked for, and how often it was found elsewhere since.
    steps: AtomicU32,
    strays: AtomicU32,
    /// How many objects the last refill of a class brought.
    refills: Counts,
    /// Objects at the bottom of each main sheaf that are detached, and slots there whose objects went.
    detached: Counts,
    gaps: Counts,
    /// Slow paths since the clock was last read.
    slow_paths: AtomicU32,
    /// Whether each refill brings one object, so that the thread comes by as often as it allocates.
    is_awaited: AtomicU32,
    /// When they were detached, in milliseconds; 0 if nothing is.
    detached_at: AtomicU64,
    /// The number of the visitor that detached them, 0 for a purge.
    visitor: AtomicU32,
    /// Whether each bin was refilled since the last visit.
    refilled: Counts,
    /// What the thread's slot points to in place of this cache, where every call is to come by the slow paths; and
    /// from there back.
    stub: StaticRef<Stub>,
    stubbed: StaticRef<Self>,
    /// The home's growth when this cache last made way for it.
    growth: AtomicU32,
    /// How many threads there were when the room of its sheaves was last looked at.
    seen_threads: AtomicU32,
    /// The thread's number, where a debug mode is on.
    thread: AtomicU32,
    /// How often its thread has come into the allocator past the fast paths and not left it.
    inside: AtomicU32,
    /// What a handler freed meanwhile.
    deferred: Deferred,
    /// Whether anything gives notice of its thread's end.
    is_noticed: AtomicU32,
    /// Gives that notice where there is no key for it.
    lifeline: Lifeline,
    /// What it has of named caches.
    named: NamedBins,
    /// The other sheaf of each bin, closed.
    spares: [SheafCell; BINS],
}

/// Of a bin's bounds; the models watch the first where it matters, and the second nowhere, as it is under the lock.
type Floor = AtomicU32;
type Veil = AtomicU32;

/// A small number for each bin.
type Counts = [AtomicU8; BINS];

const _: () = assert!(core::mem::offset_of!(ThreadCache, bins) == 0);

// SAFETY: made of atomics and a mutex without an owner; a cache of zeroes is one without memory that knows no size's bin.
unsafe impl ZeroInit for ThreadCache {}
// SAFETY: made of atomics; a node of zeroes has no memory.
unsafe impl ZeroInit for Aliens {}
// SAFETY: made of atomics; the cache in it is one without memory.
unsafe impl ZeroInit for Stub {}
// SAFETY: made of atomics; zero is no sheaf.
unsafe impl ZeroInit for Sheaves {}

// ORDERING: relaxed throughout this module. A cache belongs to one thread; it changes hands under
// the registry's lock, and others read its numbers only for statistics.

impl ThreadCache {
    /// A cache without memory: every bin is empty and full, no address is near.
    pub(crate) const fn vacant() -> Self {
        Self {
            bins: [const { Bin::none() }; BINS],
            arena_base: AtomicUsize::new(0),
            arena_bytes: AtomicUsize::new(0),
            class_map: AtomicPtr::new(null_mut()),
            left: AtomicU64::new(0),
            places: shared::places(),
            heap: StaticRef::none(),
            home: StaticRef::none(),
            cluster: AtomicU32::new(0),
            seen_in: AtomicU32::new(0),
            busy: Lock::new(()),
            owned: AtomicU32::new(0),
            next: StaticRef::none(),
            next_free: StaticRef::none(),
            aliens: OnceRef::new(),
            steps: AtomicU32::new(0),
            strays: AtomicU32::new(0),
            refills: [const { AtomicU8::new(0) }; BINS],
            detached: [const { AtomicU8::new(0) }; BINS],
            gaps: [const { AtomicU8::new(0) }; BINS],
            slow_paths: AtomicU32::new(0),
            is_awaited: AtomicU32::new(0),
            detached_at: AtomicU64::new(0),
            visitor: AtomicU32::new(0),
            refilled: [const { AtomicU8::new(0) }; BINS],
            stub: StaticRef::none(),
            stubbed: StaticRef::none(),
            growth: AtomicU32::new(0),
            seen_threads: AtomicU32::new(0),
            thread: AtomicU32::new(0),
            inside: AtomicU32::new(0),
            deferred: Deferred::none(),
            is_noticed: AtomicU32::new(0),
            lifeline: Lifeline::new(),
            named: NamedBins::none(),
            spares: [const { SheafCell::empty() }; BINS],
        }
    }

    /// Runs what takes locks for this cache's thread. A signal handler can tell then what it has interrupted.
    #[inline]
    pub(crate) fn inside<T>(&self, run: impl FnOnce() -> T) -> T {
        let before = self.inside.load(Relaxed);
        self.inside.store(before + 1, Relaxed);
        // No lock is taken before the handler can see this, and none held after it.
        compiler_fence(SeqCst);
        let answer = run();
        compiler_fence(SeqCst);
        self.inside.store(before, Relaxed);
        answer
    }

    /// Whether the cache's thread, which asks, was interrupted where it may hold locks.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.inside.load(Relaxed) > 0
    }

    /// Takes an object of at least `bytes`, at most 1 KiB, from the main sheaf of its class.
    #[inline(always)]
    pub(crate) fn pop_fine(&self, bytes: usize) -> Option<Object> {
        self.fine_bin(bytes).pop()
    }

    /// The bin that serves `bytes`, at most 1 KiB.
    #[inline(always)]
    fn fine_bin(&self, bytes: usize) -> &Bin {
        debug_assert!(bytes <= class::FINE_LIMIT);
        // SAFETY: one entry for each 16 bytes up to the limit.
        let place = unsafe { self.places.get_unchecked(bytes.div_ceil(class::FINE_STEP)) };
        // SAFETY: written only by the cache's thread. An atomic load would do as well.
        let place = unsafe { place.as_ptr().read() };
        // SAFETY: places are offsets of bins.
        let bin = unsafe { self.bins.as_ptr().byte_add(usize::from(place)) };
        // SAFETY: as above.
        unsafe { &*bin }
    }

    /// Takes an object of class `id` from the main sheaf.
    #[inline(always)]
    pub(crate) fn pop(&self, id: ClassId) -> Option<Object> {
        self.bin(id).pop()
    }

    /// Puts a small object of this cache's node on its main sheaf; `false` for any other address
    /// and if the sheaf is full.
    #[inline(always)]
    pub(crate) fn push(&self, block: *mut u8) -> bool {
        let offset = (block as usize).wrapping_sub(own(&self.arena_base));
        if offset >= own(&self.arena_bytes) {
            return false;
        }
        let id = class_of_granule(self.class_map.load(Relaxed), offset >> GRANULE_SHIFT);
        let bin = self.bin(id);
        bin.is_start(block as usize) && bin.push(block)
    }

    fn get(&self, counts: &Counts, id: ClassId) -> usize {
        counts
            .get(id.index())
            .map_or(0, |count| usize::from(count.load(Relaxed)))
    }

    fn set(&self, counts: &Counts, id: ClassId, value: usize) {
        if let Some(count) = counts.get(id.index()) {
            count.store(value as u8, Relaxed);
        }
    }

    #[inline(always)]
    fn bin(&self, id: ClassId) -> &Bin {
        debug_assert!(id.index() < BINS);
        // SAFETY: classes come from the class tables and the class map, which hold no others.
        unsafe { self.bins.get_unchecked(id.index()) }
    }
}

impl ThreadCache {
    /// The spare sheaf of a class.
    #[inline]
    fn spare(&self, id: ClassId) -> &SheafCell {
        debug_assert!(id.index() < BINS);
        // SAFETY: as in `bin`.
        unsafe { self.spares.get_unchecked(id.index()) }
    }
}

/// The class of a granule that `class_map` covers.
#[inline(always)]
fn class_of_granule(class_map: *mut AtomicU8, granule: usize) -> ClassId {
    // SAFETY: every caller has seen that the map covers the address.
    let entry = unsafe { class_map.add(granule) };
    // SAFETY: as above; the table lives for ever, and the entry of an object does not change
    // while somebody holds it. An atomic load would do, with an instruction more.
    ClassId(unsafe { entry.cast::<u8>().read() })
}

/// Reads a number that only the calling thread writes.
#[inline(always)]
fn own(number: &AtomicUsize) -> usize {
    // SAFETY: nobody writes meanwhile. An atomic load would do, but the compiler does not fold it
    // into the instruction that uses it.
    unsafe { number.as_ptr().read() }
}

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod idle_tests;
#[cfg(test)]
mod model;
#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod stall_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
