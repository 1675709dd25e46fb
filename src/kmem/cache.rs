//! What is known of a named cache.
//!
//! # Invariant
//!
//! All but the counters is written while the cache is created, before anybody has its handle. While the structure is no cache
//! no thread has anything in its bin, so that fast paths give up.

use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};

use super::flags::CLEARED_LATE;
use super::handle::CacheHandle;
use crate::cache::BIN_BYTES;
use crate::heap::{Heap, Node};
use crate::slab::class::{self, ClassInfo};
use crate::slab::{CacheNode, Owner, Waiting};
use crate::sync::{CachePadded, Lock, StaticRef};
use crate::sys::ZeroInit;
use crate::units::ClassId;

/// A constructor or destructor.
pub(crate) type Hook = extern "C" fn(*mut u8);

/// A cache of objects of one kind, with a name.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct NamedCache {
    /// What the program has of it.
    pub(super) handle: AtomicUsize,
    /// What the slabs are marked with.
    pub(super) owner: AtomicU32,
    pub(super) number: AtomicU32,
    /// Bytes of an object as the program sees them, and its alignment.
    pub(super) size: AtomicU32,
    pub(super) align: AtomicU32,
    /// Objects that a full sheaf holds.
    pub(super) capacity: AtomicU32,
    pub(super) state: AtomicU8,
    pub(super) typesafe: AtomicU8,
    /// How many caches the program takes it for, where it may be several; changed while no cache comes or goes.
    pub(super) aliases: AtomicU32,
    /// Flags that have each object looked at.
    pub(super) checks: AtomicU32,
    pub(super) constructor: AtomicPtr<u8>,
    pub(super) destructor: AtomicPtr<u8>,
    /// A string of C, and the memory it has.
    pub(super) name: AtomicPtr<u8>,
    pub(super) name_bytes: AtomicUsize,
    /// The most objects that may be out of the slabs, and how many are.
    pub(super) limit: AtomicUsize,
    pub(super) out: AtomicUsize,
    /// Prefilled sheaves that the program has.
    pub(super) sheaves: AtomicUsize,
    /// The cache whose reserve this is, if it is one.
    pub(super) base: StaticRef<NamedCache>,
    /// Changes whenever an object comes back to a reserve, and how many threads wait for that.
    pub(super) turn: AtomicU32,
    pub(super) waiters: AtomicU32,
    /// The next structure that is no cache.
    pub(super) next: StaticRef<NamedCache>,
    /// The slabs on the first node, and through it on the others.
    pub(super) first: CachePadded<Entry>,
}

/// The structure is a cache.
pub(super) const LIVE: u8 = 1;
/// The structure is no cache any more, but has slabs.
pub(super) const ENDED: u8 = 3;

// ORDERING: relaxed throughout this room where nothing else is said: a handle is passed on with what was written before, and
// `limit` and `out` are numbers that order nothing.

impl NamedCache {
    /// The program has one more prefilled sheaf.
    pub(crate) fn take_sheaf(&self) {
        self.sheaves.fetch_add(1, Relaxed);
    }

    /// The program has one less.
    pub(crate) fn give_sheaf(&self) {
        self.sheaves.fetch_sub(1, Relaxed);
    }

    /// What the program has of the cache.
    pub(crate) fn handle(&self) -> CacheHandle {
        CacheHandle(self.handle.load(Relaxed))
    }

    /// The place of the cache's bin in a thread's table.
    pub(super) fn place(&self) -> usize {
        (self.number().saturating_sub(1)) as usize * BIN_BYTES
    }

    /// What the cache's slabs are marked with.
    pub(crate) fn owner_word(&self) -> u32 {
        self.owner.load(Relaxed)
    }

    pub(super) fn owner(&self) -> Owner {
        let class = ClassId(self.owner.load(Relaxed) as u8);
        let keeps_empty = self.ends_slabs() || self.is_typesafe() || self.base().is_some();
        let number = self.number.load(Relaxed);
        let marks_new = self.constructs() || self.is_checked();
        Owner::cache(number, class, marks_new, keeps_empty)
    }

    pub(super) fn class(&self) -> ClassId {
        self.owner().class()
    }

    /// The cache's number.
    pub(super) fn number(&self) -> u32 {
        self.number.load(Relaxed)
    }

    /// Bytes of an object's slot.
    pub(crate) fn slot(&self) -> usize {
        self.info().size as usize
    }

    pub(super) fn info(&self) -> &'static ClassInfo {
        class::info(self.class())
    }

    /// Bytes of an object, as they were asked for.
    pub(crate) fn size(&self) -> usize {
        self.size.load(Relaxed) as usize
    }

    /// What the address of every object is a multiple of.
    pub(crate) fn alignment(&self) -> usize {
        self.align.load(Relaxed) as usize
    }

    /// The name, a string of C.
    pub(crate) fn name(&self) -> *const u8 {
        self.name.load(Relaxed)
    }

    /// Has at most `limit` objects out of the slabs from now on, those that threads have at hand included; `false` for a
    /// cache that others may share.
    pub(crate) fn set_limit(&self, objects: usize) -> bool {
        let is_alone = self.aliases.load(Relaxed) == 0;
        if is_alone {
            self.limit.store(objects, Relaxed);
        }
        is_alone
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity.load(Relaxed) as usize
    }

    /// Whether the structure is a cache at the moment.
    pub(crate) fn exists(&self) -> bool {
        self.state.load(Relaxed) == LIVE
    }

    /// Whether new objects are constructed.
    pub(crate) fn constructs(&self) -> bool {
        !self.constructor.load(Relaxed).is_null()
    }

    /// Whether memory goes only after a grace period.
    pub(crate) fn is_typesafe(&self) -> bool {
        self.typesafe.load(Relaxed) != 0
    }

    /// Whether free objects are left as the program freed them, whatever the modes ask for.
    pub(crate) fn keeps_contents(&self) -> bool {
        self.constructs() || self.is_typesafe()
    }

    /// Whether objects of this cache are the other's: it is the same, or a reserve for that.
    pub(super) fn serves(&self, other: &Self) -> bool {
        let is_other = |cache: &Self| core::ptr::eq(cache, other);
        is_other(self) || self.base().is_some_and(is_other)
    }

    /// Whether something is to be done with the objects of an empty slab before it goes; see [`Self::give_empty`].
    pub(super) fn ends_slabs(&self) -> bool {
        !self.destructor.load(Relaxed).is_null() || self.has_check(CLEARED_LATE)
    }

    /// The slabs on each node.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        core::iter::successors(Some(&self.first), |entry| entry.next.get()).map(|entry| &**entry)
    }

    /// The slabs on `node`.
    pub(super) fn entry(&self, heap: &Heap, node: &Node) -> Option<&Entry> {
        let mut pairs = heap.nodes().zip(self.entries());
        let found = pairs.find(|(known, _)| core::ptr::eq(*known, node));
        found.map(|(_, entry)| entry)
    }

    /// Counts up to `wanted` objects as out, as far as the limit allows; returns how many.
    pub(crate) fn charge(&self, wanted: usize, is_unlimited: bool) -> usize {
        let limit = match is_unlimited {
            true => usize::MAX,
            false => self.limit.load(Relaxed),
        };
        let mut out = self.out.load(Relaxed);
        loop {
            let left = limit.saturating_sub(out);
            // Near the limit threads take few, so that little of it lies in their sheaves.
            let granted = wanted.min(left.div_ceil(NEAR_SHARE));
            let new = out + granted;
            match self.out.compare_exchange_weak(out, new, Relaxed, Relaxed) {
                Ok(_) => return granted,
                Err(other) => out = other,
            }
        }
    }

    /// Whether the limit lets no more objects out.
    pub(crate) fn is_at_limit(&self) -> bool {
        self.out.load(Relaxed) >= self.limit.load(Relaxed)
    }

    /// Objects that are out of the slabs.
    pub(super) fn out(&self) -> usize {
        self.out.load(Relaxed)
    }

    /// Counts `count` objects as out, unless the limit forbids it.
    pub(super) fn charge_all(&self, count: usize) -> bool {
        let limit = self.limit.load(Relaxed);
        let add = |out: usize| out.checked_add(count).filter(|out| *out <= limit);
        self.out.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    /// Counts objects as back.
    pub(crate) fn uncharge(&self, objects: usize) {
        self.out.fetch_sub(objects, Relaxed);
    }
}

/// A refill brings at most this share of what a limit leaves.
const NEAR_SHARE: usize = 4;

/// The slabs of a cache on one node.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) cache_node: Lock<CacheNode>,
    /// Held while a slab is made for it.
    pub(super) growing: Lock<()>,
    /// Slabs that wait for a grace period.
    pub(super) waiting: Lock<Waiting>,
    /// That of the next node.
    pub(super) next: StaticRef<CachePadded<Entry>>,
}

// SAFETY: zero is two free locks, one around a cache node without slabs (`slab/cache_nodes.rs`), and a reference to nothing; all changes are
// under the locks.
unsafe impl ZeroInit for CachePadded<Entry> {}
// SAFETY: made of entries and atomics; zero is a structure that is no cache.
unsafe impl ZeroInit for NamedCache {}
// SAFETY: null is no reference.
unsafe impl ZeroInit for StaticRef<NamedCache> {}
