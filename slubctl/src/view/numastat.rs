//! numastat(8): how many pages came from which node.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::snapshot::Snapshot;

/// The kernel's names (Documentation/admin-guide/numastat.rst).
pub(crate) const NAMES: [&str; 6] = [
    "numa_hit",
    "numa_miss",
    "numa_foreign",
    "interleave_hit",
    "local_node",
    "other_node",
];

/// The table of all nodes; on a machine with one node nothing is counted.
pub fn numastat(snapshot: &Snapshot) -> String {
    let mut nodes: BTreeMap<u64, [u64; NAMES.len()]> = BTreeMap::new();
    for heap in &snapshot.heaps {
        let mut seen = Vec::new();
        // What is spread over nodes is an arena of its own with a number that is there already.
        for node in &heap.nodes {
            if seen.contains(&node.id) {
                continue;
            }
            seen.push(node.id);
            let row = nodes.entry(node.id).or_default();
            for (sum, count) in row.iter_mut().zip(&node.numastat) {
                *sum += count;
            }
        }
    }
    let mut text = " ".repeat(16);
    for id in nodes.keys() {
        let _ = write!(text, "{:>16}", format!("node{id}"));
    }
    text.push('\n');
    for (index, name) in NAMES.iter().enumerate() {
        let _ = write!(text, "{name:<16}");
        for row in nodes.values() {
            let _ = write!(text, "{:16}", row[index]);
        }
        text.push('\n');
    }
    text
}
