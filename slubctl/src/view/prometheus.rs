//! OpenMetrics text for one or several processes.

use std::fmt::Write;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::name;
use super::pools::pool_name;
use crate::snapshot::{Resident, Snapshot};
use crate::totals::Totals;

/// A process as a metric's labels tell of it.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its name.
    pub command: String,
    /// Its control group.
    pub cgroup: String,
}

/// Names and values.
type Labels = Vec<(&'static str, String)>;
type Numbers = Family<Labels, Gauge<u64, AtomicU64>>;

impl Process {
    fn labels(&self, more: &[(&'static str, &str)]) -> Labels {
        let pid = self.pid.to_string();
        let own = [
            ("pid", pid.as_str()),
            ("command", &self.command),
            ("cgroup", &self.cgroup),
        ];
        let all = own.iter().chain(more);
        all.map(|(name, value)| (*name, escaped(value))).collect()
    }
}

/// A label's value as the OpenMetrics format wants it: the encoder writes it as it is.
fn escaped(value: &str) -> String {
    let escape = |it: char| match it {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '\n' => "\\n".to_owned(),
        _ => it.to_string(),
    };
    value.chars().map(escape).collect()
}

/// The text of all processes; each has its labels beside it.
pub fn prometheus(all: &[(Process, Snapshot)]) -> String {
    let mut registry = Registry::with_prefix("slubmalloc");
    let [
        memory,
        resident,
        slabs,
        cache_node_objects,
        objects,
        threads,
        pool_memory,
        pool_limit,
        pool_objects,
        swapped,
    ] = [(); 10].map(|()| Numbers::default());
    let taken = Family::<Labels, Counter>::default();
    let bytes = Unit::Bytes;
    registry.register_with_unit(
        "swapped",
        "Memory that was swapped out",
        bytes.clone(),
        swapped.clone(),
    );
    registry.register_with_unit(
        "pool_memory",
        "What the blocks of a pool and of those below it have, its own of that, and what it holds for more",
        bytes.clone(),
        pool_memory.clone(),
    );
    registry.register_with_unit(
        "pool_limit",
        "The most that a pool may use",
        bytes.clone(),
        pool_limit.clone(),
    );
    registry.register(
        "pool_objects",
        "Objects of slabs that a pool has",
        pool_objects.clone(),
    );
    registry.register_with_unit(
        "memory",
        "Memory by what it is",
        bytes.clone(),
        memory.clone(),
    );
    registry.register_with_unit(
        "resident",
        "Resident memory by what is on it",
        bytes,
        resident.clone(),
    );
    registry.register(
        "slabs",
        "Slabs of a cache node: a class on a node, for a cluster of processors",
        slabs.clone(),
    );
    registry.register(
        "cache_node_objects",
        "Objects that are out of a cache node's slabs, and those in its barn",
        cache_node_objects.clone(),
    );
    registry.register(
        "cache_node_taken",
        "Objects that threads took from a cache node",
        taken.clone(),
    );
    registry.register("objects", "Objects of a class", objects.clone());
    registry.register("threads", "Threads with a cache", threads.clone());
    for (process, snapshot) in all {
        let add = |family: &Numbers, more: &[(&'static str, &str)], count: u64| {
            family.get_or_create(&process.labels(more)).inc_by(count);
        };
        for (state, kind, bytes) in Totals::of_all(snapshot).rows() {
            let state = state.replace(' ', "_");
            add(&memory, &[("state", &state), ("kind", kind)], bytes);
        }
        for heap in &snapshot.heaps {
            add(&threads, &[], heap.threads);
            for (kind, bytes) in heap.resident.iter().flat_map(Resident::rows) {
                add(&resident, &[("kind", kind)], bytes);
            }
            if let Some(resident) = &heap.resident {
                add(&swapped, &[], resident.swapped);
            }
            for cache_node in &heap.cache_nodes {
                let class = heap.classes.get(cache_node.class as usize).map(name);
                let (node, class) = (cache_node.node.to_string(), class.unwrap_or_default());
                let cluster = cache_node.cluster.to_string();
                let labels = [
                    ("node", node.as_str()),
                    ("class", &class),
                    ("cluster", &cluster),
                ];
                add(&slabs, &labels, cache_node.slabs);
                let count = taken.get_or_create(&process.labels(&labels));
                count.inc_by(cache_node.taken);
                for (state, objects) in [("out", cache_node.out), ("in_barn", cache_node.in_barn)] {
                    let labels = [&labels[..], &[("state", state)]].concat();
                    add(&cache_node_objects, &labels, objects);
                }
            }
            for pool in &heap.pools {
                let label = ("pool", pool_name(pool));
                for (kind, bytes) in [
                    ("used", pool.used_bytes),
                    ("own", pool.own_bytes),
                    ("at_hand", pool.at_hand_bytes),
                    ("slabs", pool.slab_bytes),
                    ("large_blocks", pool.block_bytes),
                ] {
                    add(&pool_memory, &[label, ("kind", kind)], bytes);
                }
                if pool.limit_bytes != u64::MAX {
                    add(&pool_limit, &[label], pool.limit_bytes);
                }
                for class in &pool.classes {
                    let size = format!("kmalloc-{}", class.size);
                    for (state, count) in [("in_use", class.in_use), ("at_hand", class.at_hand)] {
                        let labels = [label, ("class", &size), ("state", state)];
                        add(&pool_objects, &labels, count);
                    }
                }
            }
            for class in heap.classes.iter().filter(|it| it.slabs > 0) {
                for (state, count) in [
                    ("in_use", class.in_use),
                    ("in_sheaves", class.in_sheaves + class.in_aliens),
                    ("in_barns", class.in_barns),
                    ("in_partial_slabs", class.in_partial),
                ] {
                    add(
                        &objects,
                        &[("class", &name(class)), ("state", state)],
                        count,
                    );
                }
            }
        }
    }
    let mut output = String::new();
    if text::encode(&mut output, &registry).is_err() {
        let _ = writeln!(output, "# EOF");
    }
    output
}
