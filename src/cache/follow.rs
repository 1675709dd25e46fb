//! A thread that moves to another node takes its memory from there, if it stays; one that moves to another cluster of
//! processors takes its objects from that one's pools.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::{ThreadCache, Ties};
use crate::slab::Pool;
use crate::sync::Lock;
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
        if !ties.heap.has_places() {
            return ties;
        }
        let steps = self.steps.load(Relaxed) + 1;
        self.steps.store(steps % STEPS, Relaxed);
        if steps < STEPS {
            return ties;
        }
        self.look(ties).unwrap_or(ties)
    }

    #[cold]
    fn look(&self, ties: Ties) -> Option<Ties> {
        // Nothing has to move for that: an object goes back to its slab from wherever it is.
        self.enter_cluster(ties);
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

    /// Takes objects from the pools of the cluster that runs the caller, this cache's thread, from now on. The caller does not
    /// hold the cache's lock.
    pub(crate) fn enter_cluster(&self, ties: Ties) {
        let cluster = ties.heap.clusters().enter();
        if cluster != self.cluster() {
            // Who visits the cache may be giving objects back.
            let _busy = self.busy.lock();
            self.cluster.store(u32::from(cluster.0), Relaxed);
        }
    }

    /// Whose pools the cache takes objects from.
    pub(super) fn cluster(&self) -> ClusterId {
        ClusterId(self.cluster.load(Relaxed) as u8)
    }

    /// The pool of a class that the cache takes objects from.
    pub(super) fn pool(&self, ties: Ties, id: ClassId) -> &'static Lock<Pool> {
        ties.home.pool(self.cluster(), id)
    }
}
