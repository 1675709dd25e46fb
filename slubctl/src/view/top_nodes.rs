//! The nodes of a process as rows of `top`.

use super::{human, nodes};
use crate::snapshot::{Node, Snapshot};

/// The line above the nodes, of 80 columns.
pub const NODE_COLUMNS: &str =
    "NODE  COMMITTED       USED       FREE WITH MEMORY UNUSABLE    HIT   MISS FOREIGN";

/// A line for each node.
pub fn nodes(snapshot: &Snapshot) -> Vec<String> {
    let line = |it: &Node| {
        let free = it.committed_bytes.saturating_sub(it.used_bytes);
        let [hit, miss, foreign] =
            [0, 1, 2].map(|index| it.numastat.get(index).copied().unwrap_or_default());
        format!(
            "{:4} {:>10} {:>10} {:>10} {:>11} {:7.1}% {hit:>6} {miss:>6} {foreign:>7}",
            it.id,
            human(it.committed_bytes),
            human(it.used_bytes),
            human(free),
            human(it.dirty_bytes),
            100.0 * unusable(it),
        )
    };
    nodes::by_number(snapshot).values().map(line).collect()
}

/// The share of a node's free pages that is of no use for 2 MiB in one piece.
fn unusable(node: &Node) -> f64 {
    const HUGE_ORDER: usize = 9;
    let blocks = node
        .free_blocks
        .iter()
        .flat_map(|row| row.iter().enumerate());
    let (mut free, mut usable) = (0.0, 0.0);
    for (order, count) in blocks {
        let pages = *count as f64 * f64::from(1_u32 << order.min(31));
        free += pages;
        if order >= HUGE_ORDER {
            usable += pages;
        }
    }
    // The kernel's index says so, too, where nothing is free.
    if free > 0.0 {
        (free - usable) / free
    } else {
        1.0
    }
}
