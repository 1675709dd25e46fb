//! `/proc/buddyinfo`, `/proc/pagetypeinfo` and the kernel's indices of fragmentation.

use std::fmt::Write;

use super::nodes;
use crate::snapshot::{Node, Snapshot};

/// Where the kernel stops to count free blocks.
const MOST_COUNTED: u64 = 100_000;
/// The kernel's migrate types in its order, and the kinds of pageblocks that come closest, by the library's number.
const TYPES: [(&str, usize); 3] = [("Unmovable", 1), ("Movable", 0), ("Reclaimable", 2)];

/// Free blocks of each order, of whatever kind.
pub(super) fn by_order(node: &Node) -> Vec<u64> {
    let orders = node.free_blocks.first().map_or(0, Vec::len);
    let sum = |order| {
        let counts = node
            .free_blocks
            .iter()
            .filter_map(|row: &Vec<u64>| row.get(order));
        counts.sum()
    };
    (0..orders).map(sum).collect()
}

/// `/proc/buddyinfo`.
pub fn buddyinfo(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for (id, node) in nodes::by_number(snapshot) {
        let _ = write!(text, "Node {id}, zone {:>8} ", "Normal");
        for count in by_order(&node) {
            let _ = write!(text, "{count:6} ");
        }
        text.push('\n');
    }
    text
}

/// `/proc/pagetypeinfo`. Pageblocks for anything are `Movable`, those of slabs `Unmovable`, those of large blocks
/// `Reclaimable`.
pub fn pagetypeinfo(snapshot: &Snapshot) -> String {
    let nodes = nodes::by_number(snapshot);
    let orders = nodes
        .values()
        .next()
        .map_or(11, |node| by_order(node).len());
    let mut text = format!(
        "Page block order: {}\nPages per block:  {}\n\n",
        orders.saturating_sub(1),
        1_u64 << orders.saturating_sub(1).min(63)
    );
    let _ = write!(
        text,
        "{:<43} ",
        "Free pages count per migrate type at order"
    );
    for order in 0..orders {
        let _ = write!(text, "{order:6} ");
    }
    text.push('\n');
    for (id, node) in &nodes {
        for (kind, row) in TYPES
            .iter()
            .filter_map(|(kind, at)| Some((kind, node.free_blocks.get(*at)?)))
        {
            let _ = write!(text, "Node {id:4}, zone {:>8}, type {kind:>12} ", "Normal");
            for count in row {
                let over = if *count >= MOST_COUNTED { ">" } else { "" };
                let _ = write!(text, "{over}{:6} ", (*count).min(MOST_COUNTED));
            }
            text.push('\n');
        }
    }
    let _ = write!(text, "\n{:<23}", "Number of blocks type ");
    for (kind, _) in TYPES {
        let _ = write!(text, "{kind:>12} ");
    }
    text.push('\n');
    for (id, node) in &nodes {
        let _ = write!(text, "Node {id}, zone {:>8} ", "Normal");
        for count in TYPES.iter().filter_map(|(_, at)| node.pageblocks.get(*at)) {
            let _ = write!(text, "{count:12} ");
        }
        text.push('\n');
    }
    text
}

/// The kernel's `extfrag/unusable_index`: which share of the free pages is of no use for a block of each order;
/// all of it where there are none.
pub fn extfrag(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for (id, node) in nodes::by_number(snapshot) {
        let counts = by_order(&node);
        let pages = |from: usize| -> u64 {
            let blocks = counts.iter().enumerate().skip(from);
            blocks.map(|(order, count)| count << order.min(40)).sum()
        };
        let free = pages(0);
        let _ = write!(text, "Node {id}, zone {:>8} ", "Normal");
        for order in 0..counts.len() {
            let unusable = free - pages(order);
            let index = (unusable.saturating_mul(1000))
                .checked_div(free)
                .unwrap_or(1000);
            let _ = write!(text, "{}.{:03} ", index / 1000, index % 1000);
        }
        text.push('\n');
    }
    text
}
