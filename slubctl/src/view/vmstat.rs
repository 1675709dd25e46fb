//! `/proc/vmstat`: one name and value a line, in the arena's pages, under the kernel's names where they mean the same.

use std::fmt::Write;

use super::nodes;
use super::numastat::NAMES;
use crate::snapshot::Snapshot;
use crate::totals::Totals;

/// The file's text.
pub fn vmstat(snapshot: &Snapshot) -> String {
    let totals = Totals::of_all(snapshot);
    let slabs = |is_wanted: fn(u64) -> bool| -> u64 {
        let classes = snapshot.heaps.iter().flat_map(|heap| &heap.classes);
        let classes = classes.filter(|it| !it.is_span && is_wanted(it.slabs));
        classes
            .map(|it| it.slabs.saturating_mul(it.slab_bytes) / 4096)
            .sum()
    };
    let mut rows = vec![
        ("nr_free_pages", (totals.dirty + totals.clean) / 4096),
        ("nr_free_pages_with_memory", totals.dirty / 4096),
        ("nr_slab_unreclaimable", slabs(|slabs| slabs > 0)),
        ("nr_slab_empty", totals.in_empty / 4096),
        ("nr_large", totals.large / 4096),
        ("nr_huge", totals.huge / 4096),
        ("nr_huge_kept", totals.huge_kept / 4096),
    ];
    let nodes = nodes::by_number(snapshot);
    for (index, name) in NAMES.into_iter().enumerate() {
        let counts = nodes.values().filter_map(|it| it.numastat.get(index));
        rows.push((name, counts.sum()));
    }
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name} {value}");
    }
    text
}
