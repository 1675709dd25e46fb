//! A thread that moves to another node takes its memory from there, if it stays; one that moves to another cluster of
//! processors takes its objects from that one's pools.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::{ThreadCache, Ties};
use crate::slab::{Object, Pool};
use crate::sync::{self, Lock};
use crate::units::{ClassId, ClusterId};

/// Slow paths between two looks at where the thread runs.
const STEPS: u32 = 8;
/// Looks in a row that must find it on nodes with another home: a thread that was only pushed aside
/// for a moment keeps what it has.
const STRAYS: u32 = 2;

// ORDERING: relaxed, see the module above.

impl ThreadCache {
    /// What the cache is tied to from now on. Objects of the old home are sent there when they are
    /// freed.
    #[inline]
    pub(super) fn follow(&self, ties: Ties) -> Ties {
        if !ties.heap.has_places() || !self.is_time_to_follow() {
            return ties;
        }
        self.look_for_cluster(ties);
        self.look(ties).unwrap_or(ties)
    }

    /// As [`Self::follow`], for who must stay tied to what it is.
    #[inline]
    pub(super) fn follow_cluster(&self, ties: Ties) {
        if ties.heap.clusters().are_several() && self.is_time_to_follow() {
            self.look_for_cluster(ties);
        }
    }

    fn is_time_to_follow(&self) -> bool {
        let steps = self.steps.load(Relaxed) + 1;
        self.steps.store(steps % STEPS, Relaxed);
        steps >= STEPS
    }

    #[cold]
    fn look(&self, ties: Ties) -> Option<Ties> {
        if !ties.heap.is_numa() {
            return None;
        }
        let home = ties.heap.home_of(ties.heap.current_node()?);
        if core::ptr::eq(home, ties.home) {
            self.strays.store(0, Relaxed);
            return None;
        }
        let strays = self.strays.load(Relaxed) + 1;
        self.strays.store(strays % STRAYS, Relaxed);
        if strays < STRAYS {
            return None;
        }
        self.drain();
        let ties = Ties { home, ..ties };
        let _busy = self.busy.lock();
        self.move_in(ties);
        Some(ties)
    }

    /// Takes objects from the pools of the cluster that runs the caller, this cache's thread, from now on, if it was there at
    /// the last look too. Nothing has to move for that: an object goes back to its slab from wherever it is. Few threads stay
    /// where they are.
    #[cold]
    fn look_for_cluster(&self, ties: Ties) {
        let heap = ties.heap;
        if let Some(here) = heap.clusters().current(heap.threads())
            && u32::from(here.0) == self.seen_in.swap(u32::from(here.0), Relaxed)
        {
            self.enter_cluster(ties, here);
        }
    }

    /// The same for a cache that gets a thread.
    pub(super) fn begin_in_cluster(&self, ties: Ties) {
        let heap = ties.heap;
        let cluster = heap.clusters().current(heap.threads() + 1);
        self.enter_cluster(ties, cluster.unwrap_or_default());
    }

    /// Takes objects from the pools of a cluster from now on. The caller does not hold the cache's lock.
    pub(crate) fn enter_cluster(&self, ties: Ties, cluster: ClusterId) {
        // What a fork does not hold, its thread must not begin to use.
        if cluster != self.cluster() && !sync::is_forking() {
            ties.heap.clusters().enter(cluster);
            // Who visits the cache may be giving objects back.
            let _busy = self.busy.lock();
            self.cluster.store(u32::from(cluster.0), Relaxed);
        }
    }

    /// Whose pools the cache takes objects from.
    pub(super) fn cluster(&self) -> ClusterId {
        ClusterId(self.cluster.load(Relaxed) as u8)
    }

    /// The cluster whose pool an object of the home node goes back to: sheaves with such go to its barn, where threads are that
    /// allocate more of them.
    pub(super) fn origin(&self, ties: Ties, id: ClassId, object: Object) -> ClusterId {
        match ties.heap.clusters().are_several() {
            true => ties.home.cluster_of(object.as_ptr() as usize, id),
            false => self.cluster(),
        }
    }

    /// The pool of a class that the cache takes objects from.
    pub(super) fn pool(&self, ties: Ties, id: ClassId) -> &'static Lock<Pool> {
        ties.home.pool(self.cluster(), id)
    }
}
