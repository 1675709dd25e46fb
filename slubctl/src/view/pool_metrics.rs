//! Metrics of pools.
//!
//! # Invariant
//!
//! Each pool is a series of its own, whatever it is called; but for what says so, numbers are a pool's own, so that sums over
//! pools count nothing twice.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use prometheus_client::registry::{Registry, Unit};

use super::pools::{pool_name, sum_of};
use super::prometheus::{Numbers, Process};
use crate::snapshot::{Heap, Pool};

/// Pools of a process that have series of their own: those that have most. The others have one together.
const MOST: usize = 100;
/// What those are called.
const OTHERS: &str = "(others)";

/// The families.
#[derive(Debug, Default)]
pub(super) struct PoolMetrics {
    count: Numbers,
    memory: Numbers,
    large: Numbers,
    used: Numbers,
    limit: Numbers,
    objects: Numbers,
}

impl PoolMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("pools", "Pools", self.count.clone());
        for (name, help, family) in [
            (
                "pool_memory",
                "What a pool itself has: its own blocks, objects at hand, and the rest of its slabs; without pools below it",
                &self.memory,
            ),
            (
                "pool_large",
                "Of a pool's own blocks, those that are no objects of slabs",
                &self.large,
            ),
            (
                "pool_used",
                "What the blocks of a pool and of all pools below it have; sums over pools count those below twice",
                &self.used,
            ),
            (
                "pool_limit",
                "The most that a pool and those below it may use; sums of limits mean nothing",
                &self.limit,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, family.clone());
        }
        let help = "Objects of slabs that a pool itself has";
        registry.register("pool_objects", help, self.objects.clone());
    }

    pub(super) fn add(&self, process: &Process, heap: &Heap) {
        if heap.pools.is_empty() {
            return;
        }
        let count = self.count.get_or_create(&process.labels(&[]));
        count.inc_by(heap.pools.iter().filter(|it| !it.is_kept).count() as u64);
        let mut pools: Vec<&Pool> = heap.pools.iter().collect();
        pools.sort_by_key(|it| (Reverse(it.own_bytes), Reverse(it.slab_bytes), it.address));
        let (named, others) = pools.split_at(pools.len().min(MOST));
        for pool in named {
            let address = format!("{:#x}", pool.address);
            let parent = match pool.parent {
                0 => String::new(),
                parent => format!("{parent:#x}"),
            };
            let labels = [
                ("pool", pool_name(pool)),
                ("address", &address),
                ("parent", &parent),
            ];
            self.add_own(process, &labels, pool);
            let all = process.labels(&labels);
            self.used.get_or_create(&all).set(pool.used_bytes);
            if pool.limit_bytes != u64::MAX {
                self.limit.get_or_create(&all).set(pool.limit_bytes);
            }
        }
        if !others.is_empty() {
            let labels = [("pool", OTHERS), ("address", ""), ("parent", "")];
            self.add_own(process, &labels, &sum_of(others));
        }
    }

    /// Adds what may be added up.
    fn add_own(&self, process: &Process, labels: &[(&'static str, &str)], pool: &Pool) {
        let objects = |of: fn(&crate::snapshot::PoolClass) -> u64| {
            let bytes = pool.classes.iter().map(|it| it.size.saturating_mul(of(it)));
            bytes.fold(0, u64::saturating_add)
        };
        let rest = pool.slab_bytes.saturating_sub(objects(|it| it.in_use));
        for (kind, bytes) in [
            ("own", pool.own_bytes),
            ("at_hand", pool.at_hand_bytes),
            ("free_in_slabs", rest.saturating_sub(pool.at_hand_bytes)),
        ] {
            let labels = process.labels(&[labels, &[("kind", kind)]].concat());
            self.memory.get_or_create(&labels).inc_by(bytes);
        }
        let large = self.large.get_or_create(&process.labels(labels));
        large.inc_by(pool.block_bytes);
        let mut sizes: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for class in &pool.classes {
            let sum = sizes.entry(class.size).or_default();
            *sum = (sum.0 + class.in_use, sum.1 + class.at_hand);
        }
        for (size, (in_use, at_hand)) in sizes {
            let class = format!("kmalloc-{size}");
            for (state, count) in [("in_use", in_use), ("at_hand", at_hand)] {
                let more = [("class", class.as_str()), ("state", state)];
                let labels = process.labels(&[labels, &more].concat());
                self.objects.get_or_create(&labels).inc_by(count);
            }
        }
    }
}
