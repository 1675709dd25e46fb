//! The nodes of a process by number.

use std::collections::BTreeMap;

use crate::snapshot::{Node, Snapshot};

/// Those of one number as one: each copy of the library has its own, and what is spread over nodes is an arena of its own with
/// a number that is there already.
pub(super) fn by_number(snapshot: &Snapshot) -> BTreeMap<u64, Node> {
    let mut nodes: BTreeMap<u64, Node> = BTreeMap::new();
    for heap in &snapshot.heaps {
        for (index, node) in heap.nodes.iter().enumerate() {
            let sum = nodes.entry(node.id).or_insert_with(|| Node {
                id: node.id,
                ..Node::default()
            });
            for (sum, bytes) in [
                (&mut sum.reserved_bytes, node.reserved_bytes),
                (&mut sum.committed_bytes, node.committed_bytes),
                (&mut sum.used_bytes, node.used_bytes),
                (&mut sum.dirty_bytes, node.dirty_bytes),
            ] {
                *sum = sum.saturating_add(bytes);
            }
            sum.free_blocks.resize(
                sum.free_blocks.len().max(node.free_blocks.len()),
                Vec::new(),
            );
            for (sums, row) in sum.free_blocks.iter_mut().zip(&node.free_blocks) {
                add(sums, row);
            }
            add(&mut sum.pageblocks, &node.pageblocks);
            // A copy counts by number, and all its arenas of one number have the same counts.
            let is_first = heap.nodes.iter().position(|it| it.id == node.id) == Some(index);
            if is_first {
                add(&mut sum.numastat, &node.numastat);
            }
        }
    }
    nodes
}

fn add(sums: &mut Vec<u64>, counts: &[u64]) {
    sums.resize(sums.len().max(counts.len()), 0);
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum = sum.saturating_add(*count);
    }
}
