//! numastat(8): how many pages came from which node.

use std::fmt::Write;

use super::nodes;
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
    let nodes = nodes::by_number(snapshot);
    let mut text = " ".repeat(16);
    for id in nodes.keys() {
        let _ = write!(text, "{:>16}", format!("node{id}"));
    }
    text.push('\n');
    for (index, name) in NAMES.iter().enumerate() {
        let _ = write!(text, "{name:<16}");
        for node in nodes.values() {
            let count = node.numastat.get(index).copied().unwrap_or_default();
            let _ = write!(text, "{count:16}");
        }
        text.push('\n');
    }
    text
}
