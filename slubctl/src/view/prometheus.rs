//! OpenMetrics text for one or several processes.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::buddyinfo::by_order;
use super::pool_metrics::PoolMetrics;
use super::{name, nodes};
use crate::snapshot::{Heap, Resident, Snapshot};
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
pub(super) type Labels = Vec<(&'static str, String)>;
pub(super) type Numbers = Family<Labels, Gauge<u64, AtomicU64>>;

impl Process {
    pub(super) fn labels(&self, more: &[(&'static str, &str)]) -> Labels {
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

/// The families of all processes.
#[derive(Debug, Default)]
struct Metrics {
    memory: Numbers,
    resident: Numbers,
    swapped: Numbers,
    limit: Numbers,
    free_blocks: Numbers,
    slabs: Numbers,
    cache_node_objects: Numbers,
    cache_node_taken: Family<Labels, Counter>,
    objects: Numbers,
    threads: Numbers,
    pools: PoolMetrics,
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        for (name, help, family) in [
            ("memory", "Memory by what it is", &self.memory),
            (
                "resident",
                "Resident memory by what is on it",
                &self.resident,
            ),
            ("swapped", "Memory that was swapped out", &self.swapped),
            (
                "limit",
                "The limit on resident memory of a copy of the library; sums of limits mean nothing",
                &self.limit,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, family.clone());
        }
        for (name, help, family) in [
            (
                "free_blocks",
                "Free blocks of a node by their order: 2^order pages of 4 KiB",
                &self.free_blocks,
            ),
            (
                "slabs",
                "Slabs of a cache node: a class on a node, for a cluster of processors",
                &self.slabs,
            ),
            (
                "cache_node_objects",
                "Objects that are out of a cache node's slabs, and those in its barn",
                &self.cache_node_objects,
            ),
            ("objects", "Objects of a class", &self.objects),
            ("threads", "Threads with a cache", &self.threads),
        ] {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "cache_node_taken",
            "Objects that threads took from a cache node",
            self.cache_node_taken.clone(),
        );
        self.pools.register(registry);
    }

    fn add(&self, process: &Process, snapshot: &Snapshot) {
        let add = |family: &Numbers, more: &[(&'static str, &str)], count: u64| {
            family.get_or_create(&process.labels(more)).inc_by(count);
        };
        for (state, kind, bytes) in Totals::of_all(snapshot).rows() {
            let state = state.replace(' ', "_");
            add(&self.memory, &[("state", &state), ("kind", kind)], bytes);
        }
        add(&self.threads, &[], snapshot.threads());
        for (id, node) in nodes::by_number(snapshot) {
            for (order, count) in by_order(&node).into_iter().enumerate() {
                let labels = [("node", id.to_string()), ("order", order.to_string())];
                let labels = labels.each_ref().map(|(name, it)| (*name, it.as_str()));
                add(&self.free_blocks, &labels, count);
            }
        }
        for heap in &snapshot.heaps {
            for (kind, bytes) in heap.resident.iter().flat_map(Resident::rows) {
                add(&self.resident, &[("kind", kind)], bytes);
            }
            if let Some(resident) = &heap.resident {
                add(&self.swapped, &[], resident.swapped);
            }
            if heap.is_made && heap.settings.limit_bytes != u64::MAX {
                let labels = process.labels(&[("file", &heap.file)]);
                let limit = self.limit.get_or_create(&labels);
                limit.set(heap.settings.limit_bytes);
            }
            self.add_classes(process, heap);
            self.pools.add(process, heap);
        }
    }

    fn add_classes(&self, process: &Process, heap: &Heap) {
        let add = |family: &Numbers, more: &[(&'static str, &str)], count: u64| {
            family.get_or_create(&process.labels(more)).inc_by(count);
        };
        for cache_node in &heap.cache_nodes {
            let class = heap.classes.get(cache_node.class as usize).map(name);
            let (node, class) = (cache_node.node.to_string(), class.unwrap_or_default());
            let cluster = cache_node.cluster.to_string();
            let labels = [
                ("node", node.as_str()),
                ("class", &class),
                ("cluster", &cluster),
            ];
            add(&self.slabs, &labels, cache_node.slabs);
            let taken = self
                .cache_node_taken
                .get_or_create(&process.labels(&labels));
            taken.inc_by(cache_node.taken);
            for (state, objects) in [("out", cache_node.out), ("in_barn", cache_node.in_barn)] {
                let labels = [&labels[..], &[("state", state)]].concat();
                add(&self.cache_node_objects, &labels, objects);
            }
        }
        for class in heap.classes.iter().filter(|it| it.slabs > 0) {
            for (state, count) in [
                ("in_use", class.in_use),
                ("in_sheaves", class.in_sheaves + class.in_aliens),
                ("in_barns", class.in_barns),
                ("in_partial_slabs", class.in_partial),
            ] {
                let labels = [("class", name(class)), ("state", state.to_owned())];
                let labels = labels.each_ref().map(|(name, it)| (*name, it.as_str()));
                add(&self.objects, &labels, count);
            }
        }
    }
}

/// The text of all processes; each has its labels beside it.
pub fn prometheus(all: &[(Process, Snapshot)]) -> String {
    let mut registry = Registry::with_prefix("slubmalloc");
    let metrics = Metrics::default();
    metrics.register(&mut registry);
    for (process, snapshot) in all {
        metrics.add(process, snapshot);
    }
    let mut output = String::new();
    match text::encode(&mut output, &registry) {
        Ok(()) => sorted(&output),
        Err(_) => "# EOF\n".to_owned(),
    }
}

/// The same with the samples of each family sorted: the encoder has them in another order each time.
fn sorted(text: &str) -> String {
    let (mut lines, mut samples) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.starts_with('#') {
            samples.sort_unstable();
            lines.append(&mut samples);
            lines.push(line);
        } else {
            samples.push(line);
        }
    }
    lines.push("");
    lines.join("\n")
}
