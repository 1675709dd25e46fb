//! Lines about nodes in the kernel's formats.
#![forbid(unsafe_code)]

use super::{LINE, unusable_thousandths};
use crate::arena::ArenaCounts;
use crate::heap::{Heap, Node};
use crate::numa::NUMASTAT_NAMES;
use crate::report::Line;
use crate::units::{NodeId, ORDERS};

/// Columns of a line that is not too long.
pub(super) const NODES_IN_LINE: usize = 8;

/// The columns of numastat(8) for some of the nodes, from the one at `first` on, in pages.
#[inline(never)]
pub(super) fn numastat(heap: &Heap, first: usize, line: &mut impl FnMut(&dyn Fn(&mut Line<LINE>))) {
    let nodes = || {
        let homes = heap.topology().homes().iter();
        homes.skip(first).take(NODES_IN_LINE)
    };
    line(&|it| {
        it.column(16);
        for (place, node) in (1..).zip(nodes()) {
            let digits = if node.0 < 10 { 1 } else { 2 };
            it.column(16 + 12 * place - "node".len() - digits);
            it.text("node").number(usize::from(node.0));
        }
    });
    for (place, name) in NUMASTAT_NAMES.iter().enumerate() {
        line(&|it| {
            it.text(name).column(16);
            for node in nodes() {
                let counts = heap.numastat().of(node);
                let count = counts.get(place).copied().unwrap_or_default();
                it.padded(count as usize, 12);
            }
        });
    }
    if heap.nodes().any(Node::is_spread) {
        // Which of an arena's pages in use are on which node only the kernel knows.
        return;
    }
    line(&|it| {
        it.text("pages_used").column(16);
        for node in nodes() {
            it.padded(used_pages(heap, node), 12);
        }
    });
}

/// Pages of a node's arena that are in use, in slabs or as large blocks.
fn used_pages(heap: &Heap, node: NodeId) -> usize {
    let arenas = heap.nodes().filter(|it| it.id() == node);
    arenas
        .map(|it| it.arena().counts())
        .map(|counts| (counts.committed_pages - counts.free_pages) as usize)
        .sum()
}

/// A line in the format of `/proc/buddyinfo`: free blocks of orders 0 to 10.
#[inline(never)]
pub(super) fn buddyinfo(line: &mut Line<LINE>, node: &Node, counts: &ArenaCounts) {
    const _: () = assert!(ORDERS == 11);
    line.text("Node ")
        .number(usize::from(node.id().0))
        .text(", zone   Normal ");
    for count in counts.free_blocks {
        line.padded(count as usize, 6).text(" ");
    }
}

/// A line in the format of the kernel's `extfrag/unusable_index`: for each order the share of the free
/// pages that cannot serve a request of that order, because they lie in smaller blocks.
#[inline(never)]
pub(super) fn unusable_index(line: &mut Line<LINE>, node: &Node, counts: &ArenaCounts) {
    line.text("Node ")
        .number(usize::from(node.id().0))
        .text(", zone   Normal ");
    for order in 0..ORDERS {
        line.thousandths(unusable_thousandths(counts, order))
            .text(" ");
    }
}
