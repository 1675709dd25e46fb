//! A thread that moves to another node takes its memory from there, if it stays; one that moves to another cluster of
//! processors takes its objects from that one's cache nodes.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::{Binding, ThreadCache};
use crate::slab::{CacheNode, Object};
use crate::sync::{self, Lock};
use crate::units::{ClassId, ClusterId};

/// Slow paths between two checks of where the thread runs.
const STEPS: u32 = 8;
/// Consecutive checks that must find it on nodes with another home: a thread that was only pushed aside
/// for a moment keeps what it has.
const STRAYS: u32 = 2;

// ORDERING: relaxed, see the module above.

impl ThreadCache {
    /// What the cache is tied to from now on. Objects of the old home are sent there when they are
    /// freed.
    #[inline]
    pub(super) fn rehome(&self, binding: Binding) -> Binding {
        if !binding.heap.has_places() || !self.is_time_to_check() {
            return binding;
        }
        self.recheck_cluster(binding);
        self.move_home(binding).unwrap_or(binding)
    }

    /// The cluster's part of [`Self::rehome`], for callers whose binding must stay.
    #[inline]
    pub(super) fn check_cluster(&self, binding: Binding) {
        if binding.heap.clusters().are_several() && self.is_time_to_check() {
            self.recheck_cluster(binding);
        }
    }

    fn is_time_to_check(&self) -> bool {
        let steps = self.steps.load(Relaxed) + 1;
        self.steps.store(steps % STEPS, Relaxed);
        steps >= STEPS
    }

    #[cold]
    fn move_home(&self, binding: Binding) -> Option<Binding> {
        if !binding.heap.is_numa() {
            return None;
        }
        let home = binding.heap.home_of(binding.heap.current_node()?);
        if core::ptr::eq(home, binding.home) {
            self.strays.store(0, Relaxed);
            return None;
        }
        let strays = self.strays.load(Relaxed) + 1;
        self.strays.store(strays % STRAYS, Relaxed);
        if strays < STRAYS {
            return None;
        }
        self.drain();
        let binding = Binding { home, ..binding };
        let _busy = self.busy.lock();
        self.move_in(binding);
        Some(binding)
    }

    /// Takes objects from the cache nodes of the cluster that runs the caller, this cache's thread, from now on, if it was there at
    /// the last check too. Nothing has to move for that: an object goes back to its slab from wherever it is. Few threads stay
    /// where they are.
    #[cold]
    fn recheck_cluster(&self, binding: Binding) {
        let heap = binding.heap;
        if let Some(here) = heap.clusters().current(heap.threads())
            && u32::from(here.0) == self.seen_in.swap(u32::from(here.0), Relaxed)
        {
            self.enter_cluster(binding, here);
        }
    }

    /// The same for a cache that gets a thread.
    pub(super) fn begin_in_cluster(&self, binding: Binding) {
        let heap = binding.heap;
        let cluster = heap.clusters().current(heap.threads() + 1);
        self.enter_cluster(binding, cluster.unwrap_or_default());
    }

    /// Takes objects from the cache nodes of a cluster from now on. The caller does not hold the cache's lock.
    pub(crate) fn enter_cluster(&self, binding: Binding, cluster: ClusterId) {
        // What a fork does not hold, its thread must not begin to use.
        if cluster != self.cluster() && !sync::is_forking() {
            binding.heap.clusters().enter(cluster);
            // Who visits the cache may be giving objects back.
            let _busy = self.busy.lock();
            self.cluster.store(u32::from(cluster.0), Relaxed);
        }
    }

    /// Whose cache nodes the cache takes objects from.
    pub(super) fn cluster(&self) -> ClusterId {
        ClusterId(self.cluster.load(Relaxed) as u8)
    }

    /// The cluster whose cache node an object of the home node goes back to: sheaves with such go to its barn, where threads are that
    /// allocate more of them.
    pub(super) fn origin(&self, binding: Binding, id: ClassId, object: Object) -> ClusterId {
        match binding.heap.clusters().are_several() {
            true => binding.home.cluster_of(object.as_ptr() as usize, id),
            false => self.cluster(),
        }
    }

    /// The cache node of a class that the cache takes objects from.
    pub(super) fn cache_node(&self, binding: Binding, id: ClassId) -> &'static Lock<CacheNode> {
        binding.home.cache_node(self.cluster(), id)
    }
}
