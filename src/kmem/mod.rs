//! Named caches: what `kmem_cache_create` is in the kernel.
//!
//! # Invariant
//!
//! Each cache has slabs of its own, and its objects travel in sheaves as malloc's do. Nothing is written into a free object.
//! Constructors and destructors run with no lock held. A cache's structure stays for ever and serves the next cache, so a
//! handle always points to one.

mod args;
mod cache;
mod checks;
mod counts;
mod create;
mod destroy;
mod flags;
mod grace;
mod give;
mod handle;
mod hooks;
mod idle;
pub(crate) mod layout;
mod merge;
mod name;
mod report;
mod reserve;
mod sheaves;
mod sizing;
mod slabs;
mod store;
mod sweep;
mod take;
mod validate;

#[cfg(test)]
mod flags_tests;
#[cfg(test)]
mod idle_tests;
#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod tests;

use core::ptr::NonNull;

use crate::cache::{Binding, ThreadCache};
use crate::heap::{Heap, Home, Node};
use crate::slab::{Handles, Owner};
use crate::sync::{Lock, StaticRef};
use crate::sys::{Region, Table};

pub use args::CacheArgs;
pub(crate) use cache::NamedCache;
pub(crate) use counts::CacheCounts;
pub use create::KmemError;
pub(crate) use flags::{FAST_FLAGS, Gfp};
pub use handle::{CacheHandle, SheafHandle};
pub(crate) use report::{
    no_cache, no_sheaf, out_of_memory, unknown_cache, unknown_sheaf, wrong_cache, wrong_kind,
    wrong_sheaf,
};
pub(crate) use sheaves::FoundSheaf;
use sheaves::Sheaves;
use store::Store;

/// A thread that has a cache, and what that is tied to.
pub(crate) type Caller = (&'static ThreadCache, Binding);

/// All named caches of a heap.
#[derive(Debug)]
pub(crate) struct Kmem {
    heap: &'static Heap,
    store: Store,
    /// Every structure that was ever made, by its number, which begins with 1.
    caches: Table<StaticRef<NamedCache>>,
    /// Prefilled sheaves of all of them.
    sheaves: Sheaves,
    /// Addresses that stand for them, and whose region that is.
    handles: Handles,
    _region: Region,
    /// Held while a cache is created or destroyed.
    life: Lock<Life>,
    /// The last grace period that began.
    period: Lock<u64>,
    /// Held while memory goes back that was not needed, one cache at a time: none that is being destroyed.
    visiting: Lock<()>,
}

#[derive(Debug)]
struct Life {
    /// The highest number.
    last: u32,
    /// Structures that are no cache at the moment.
    unused: StaticRef<NamedCache>,
}

impl Kmem {
    /// No caches yet; `None` where there is no memory.
    #[cold]
    pub(crate) fn new(heap: &'static Heap) -> Option<Self> {
        let bytes = Table::<StaticRef<NamedCache>>::bytes_for(Owner::MOST as usize);
        let store = Store::new(heap)?;
        let all = bytes + Sheaves::BYTES + Handles::BYTES;
        let (caches, rest) = Region::reserve_fenced(all, 0, 1 << 16)?.split(bytes);
        let (sheaves, region) = rest.split(Sheaves::BYTES);
        let handles = Handles::new(region.at(0).addr().get());
        heap.nodes()
            .for_each(|node| node.tables().set_handles(handles));
        Some(Self {
            heap,
            store,
            caches: Table::new(caches),
            sheaves: Sheaves::new(sheaves),
            handles,
            _region: region,
            life: Lock::new(Life {
                last: 0,
                unused: StaticRef::none(),
            }),
            period: Lock::new(0),
            visiting: Lock::new(()),
        })
    }

    /// The cache with a number.
    fn cache(&self, number: u32) -> Option<&'static NamedCache> {
        self.caches.find(number as usize)?.get()
    }

    /// The cache with a handle, if it is one of this heap's that exists.
    pub(crate) fn find(&self, handle: CacheHandle) -> Option<&'static NamedCache> {
        let number = self.handles.number(handle.addr())?;
        self.cache(number).filter(|cache| cache.exists())
    }

    /// Whether a handle is of a cache of this heap's, which may exist no more.
    pub(crate) fn is_handle(&self, handle: CacheHandle) -> bool {
        let number = self.handles.number(handle.addr());
        number.is_some_and(|number| self.cache(number).is_some())
    }

    /// Memory of zeroes apart from the program's.
    pub(crate) fn take_memory(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.store.take(bytes)
    }

    /// Takes back what [`Self::take_memory`] gave.
    pub(crate) fn give_memory(&self, memory: NonNull<u8>, bytes: usize) {
        self.store.give(memory, bytes);
    }

    /// All structures, caches or not.
    fn all(&self) -> impl Iterator<Item = &'static NamedCache> {
        (1..Owner::MOST).map_while(|number| self.cache(number))
    }

    /// The cache whose slabs are marked with a word.
    pub(crate) fn cache_of_owner(&self, word: u32) -> Option<&'static NamedCache> {
        self.cache(Owner::from_word(word).number()?)
    }

    /// The cache that the object at `address` belongs to, and whether an object begins there.
    pub(crate) fn cache_of(
        &self,
        address: usize,
    ) -> Option<(&'static NamedCache, &'static Node, bool)> {
        match self.heap.locate(address) {
            Home::Named {
                node,
                owner,
                is_start,
            } => Some((self.cache(owner.number()?)?, node, is_start)),
            _ => None,
        }
    }

    /// Takes the lock that comes before those of thread caches, to hold it across a fork.
    pub(crate) fn hold_life_for_fork(&self) {
        self.life.hold_for_fork();
    }

    /// In a forked child, of whose parent's threads there is one.
    pub(crate) fn begin_child(&self) {
        self.all().for_each(NamedCache::forget_waiting);
    }

    /// Takes all other locks, to hold them across a fork.
    pub(crate) fn hold_for_fork(&self) {
        self.period.hold_for_fork();
        self.visiting.hold_for_fork();
        for cache in self.all() {
            cache
                .entries()
                .for_each(|entry| entry.growing.hold_for_fork());
        }
        for cache in self.all() {
            cache.entries().for_each(|entry| {
                entry.waiting.hold_for_fork();
                entry.cache_node.hold_for_fork();
            });
        }
        self.store.hold_for_fork();
        self.sheaves.hold_for_fork();
    }
}
