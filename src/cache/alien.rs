//! Alien buffers: a thread's freed objects of other nodes, to be returned to their node, in sheaves that the
//! home's barn takes whole.
//!
//! # Invariant
//!
//! A sheaf holds objects of one node and class, which nobody else holds. Its count is written last,
//! so that a fork finds it whole.
#![forbid(unsafe_code)]

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering::Relaxed};

use super::{BINS, Binding, ThreadCache, class_of_granule, sizing};
use crate::heap::Node;
use crate::report::{Violation, report_violation};
use crate::slab::{CacheNode, Object, Sheaf, SheafCell, Slot, class};
use crate::sync::{Lock, StaticRef};
use crate::units::{ClassId, GRANULE_SHIFT, MAX_NODES};

/// What a thread must know about another node to free its objects, and those objects.
#[derive(Debug)]
pub(super) struct Alien {
    base: AtomicUsize,
    bytes: AtomicUsize,
    class_map: AtomicPtr<AtomicU8>,
    /// By class; nothing until the first object comes.
    pub(super) sheaves: StaticRef<Sheaves>,
}

/// The sheaves for one node, by class.
#[derive(Debug)]
pub(super) struct Sheaves([SheafCell; BINS]);

/// A thread's aliens by node, in a table of their own that one-node machines lack.
#[derive(Debug)]
pub(super) struct Aliens {
    pub(super) nodes: [Alien; MAX_NODES],
    /// The one that was freed to last.
    latest: StaticRef<Alien>,
}

// ORDERING: relaxed, see the module above.

impl ThreadCache {
    /// Puts a small object of another node into the buffer that goes there; `false` for any other
    /// address, for a node that is not known yet, and if the buffer is full.
    #[inline]
    pub(crate) fn push_alien(&self, block: Slot) -> bool {
        let Some(aliens) = self.aliens.get() else {
            return false;
        };
        let owns = |alien: &Alien| {
            (block as usize).wrapping_sub(alien.base.load(Relaxed)) < alien.bytes.load(Relaxed)
        };
        let alien = match aliens.latest.get() {
            Some(latest) if owns(latest) => latest,
            _ => {
                let Some(alien) = aliens.nodes.iter().find(|alien| owns(alien)) else {
                    return false;
                };
                aliens.latest.set(Some(alien));
                alien
            }
        };
        let offset = block as usize - alien.base.load(Relaxed);
        let id = class_of_granule(alien.class_map.load(Relaxed), offset >> GRANULE_SHIFT);
        if !self.bin(id).is_start(block as usize) {
            return false;
        }
        let sheaf = alien.sheaves.get().and_then(|all| all.0.get(id.index()));
        sheaf.is_some_and(|sheaf| sheaf.try_push(block, sizing::capacity(id)))
    }

    /// Puts an object of `node` into the sheaf that goes there, which is made or exchanged first.
    #[cold]
    pub(super) fn send_home(
        &self,
        binding: Binding,
        node: &'static Node,
        id: ClassId,
        object: Object,
    ) {
        if class::is_span(id) {
            return binding.heap.give(object);
        }
        let _busy = self.busy.lock();
        let Some(cell) = self.alien_sheaf(binding, node, id) else {
            return binding.heap.give(object);
        };
        let sheaf = match cell.take() {
            Some(sheaf) if sheaf.is_near_top(object) => {
                cell.put(sheaf);
                let address = object.as_ptr() as usize;
                return report_violation(
                    Violation::DoubleFree,
                    address,
                    binding.heap.context(address),
                );
            }
            Some(sheaf) if sheaf.count() == sizing::capacity(id) => {
                deliver(binding, sheaf, node, id, object.as_ptr())
            }
            // Sheaves that went there empty come back, so that none is made for each thread.
            None => barn_of(node, id, object.as_ptr()).lock().barn.take_empty(),
            other => other,
        };
        let Some(mut sheaf) =
            sheaf.or_else(|| binding.home.metadata().new_sheaf(sizing::bytes(id)))
        else {
            return binding.heap.give(object);
        };
        sheaf.push(object);
        cell.put(sheaf);
    }

    /// Returns all remote objects to their nodes.
    pub(super) fn drain_aliens(&self, binding: Binding) {
        let Some(aliens) = self.aliens.get() else {
            return;
        };
        for node in binding.heap.nodes() {
            let alien = aliens.nodes.get(node.id().index());
            let Some(sheaves) = alien.and_then(|alien| alien.sheaves.get()) else {
                continue;
            };
            for id in class::all() {
                let Some(sheaf) = sheaves.0.get(id.index()).and_then(SheafCell::take) else {
                    continue;
                };
                let one = sheaf.objects().first().copied().unwrap_or(null_mut());
                let rest = if sheaf.count() == sizing::capacity(id) {
                    deliver(binding, sheaf, node, id, one)
                } else {
                    Some(sheaf)
                };
                if let Some(mut sheaf) = rest {
                    let cache_node = barn_of(node, id, one);
                    binding.heap.flush(node, id, &mut sheaf);
                    cache_node.lock().barn.put_empty(sheaf);
                }
            }
        }
    }

    /// Forgets that `node` was another one than this thread's home.
    pub(super) fn settle(&self, node: &Node) {
        if let Some(aliens) = self.aliens.get()
            && let Some(alien) = aliens.nodes.get(node.id().index())
        {
            alien.bytes.store(0, Relaxed);
        }
    }

    /// Number of objects to be returned to other nodes.
    #[cfg(test)]
    pub(super) fn alien_objects(&self) -> usize {
        let aliens = self.aliens.get().into_iter();
        let sheaves = aliens
            .flat_map(|aliens| &aliens.nodes)
            .filter_map(|alien| alien.sheaves.get());
        sheaves.flat_map(|all| &all.0).map(SheafCell::count).sum()
    }

    /// The place of the sheaf for objects of class `id` of `node`; what this thread knows of the node
    /// is up to date then.
    fn alien_sheaf(
        &self,
        binding: Binding,
        node: &'static Node,
        id: ClassId,
    ) -> Option<&'static SheafCell> {
        let aliens = match self.aliens.get() {
            Some(aliens) => aliens,
            None => {
                let fresh = binding.home.metadata().zeroed::<Aliens>()?;
                self.aliens.get_or_init(|| fresh)
            }
        };
        let alien = aliens.nodes.get(node.id().index())?;
        if alien.sheaves.get().is_none() {
            alien.sheaves.set(Some(binding.home.metadata().zeroed()?));
        }
        alien.base.store(node.arena().base(), Relaxed);
        let class_map = node.tables().class_map().cast_mut();
        alien.class_map.store(class_map, Relaxed);
        alien.bytes.store(node.tables().covered_bytes(), Relaxed);
        alien.sheaves.get()?.0.get(id.index())
    }
}

/// Gives a full sheaf to its home's barn, where threads are that allocated an object like this one; an empty one for it, if
/// there is one.
fn deliver(
    binding: Binding,
    full: Sheaf,
    home: &'static Node,
    id: ClassId,
    one: Slot,
) -> Option<Sheaf> {
    let mut cache_node = barn_of(home, id, one).lock();
    let empty = cache_node.barn.take_empty();
    let Some(mut oldest) = cache_node.barn.put_full(full, binding.barn_places(id)) else {
        return empty;
    };
    if let Some(empty) = empty {
        cache_node.barn.put_empty(empty);
    }
    drop(cache_node);
    // Remote objects may be in it, from a time when that node was out of memory.
    binding.heap.flush(home, id, &mut oldest);
    Some(oldest)
}

/// The cache node of `node` that sheaves with an object go to: threads of the cluster that allocated it will take them.
fn barn_of(node: &'static Node, id: ClassId, object: Slot) -> &'static Lock<CacheNode> {
    node.cache_node(node.cluster_of(object as usize, id), id)
}
