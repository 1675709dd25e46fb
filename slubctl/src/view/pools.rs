//! Pools as lines: each below the pool that it is in.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::human;
use super::top::Sort;
use crate::snapshot::{Heap, Pool, Snapshot};

/// The line above the pools.
pub const POOL_COLUMNS: &str = "POOL                        USED      LIMIT        OWN    AT HAND      SLABS  LARGE NODE  OBJECTS";

/// Classes that a line names.
const NAMED: usize = 3;

/// What is known of a pool that was released, and of one that has ended and keeps slabs for the next.
const CLOSED: &str = "(released)";
const KEPT: &str = "(kept)";

/// A line for each pool of all copies of the library; those below one pool in that order.
pub fn pools(snapshot: &Snapshot, sort: Sort) -> Vec<String> {
    let heaps = snapshot.heaps.iter();
    heaps.flat_map(|heap| of_heap(heap, sort)).collect()
}

/// A line for each pool of a heap.
pub(super) fn of_heap(heap: &Heap, sort: Sort) -> Vec<String> {
    let known: HashSet<u64> = heap.pools.iter().map(|it| it.address).collect();
    let mut below: HashMap<u64, Vec<&Pool>> = HashMap::new();
    for pool in &heap.pools {
        // One whose parent is not there is shown as if it had none.
        let parent = if known.contains(&pool.parent) {
            pool.parent
        } else {
            0
        };
        below.entry(parent).or_default().push(pool);
    }
    for pools in below.values_mut() {
        // The last is taken first.
        sort.apply_to_pools(pools);
        pools.reverse();
    }
    let mut left: Vec<(usize, &Pool)> = Vec::new();
    let mut lines = Vec::new();
    let first = below.remove(&0).unwrap_or_default();
    left.extend(first.into_iter().map(|pool| (0, pool)));
    while let Some((depth, pool)) = left.pop() {
        lines.push(line(pool, depth));
        let inner = below.remove(&pool.address).unwrap_or_default();
        left.extend(inner.into_iter().map(|pool| (depth + 1, pool)));
    }
    lines
}

/// What a pool is called.
pub(super) fn pool_name(pool: &Pool) -> &str {
    match pool.name.as_str() {
        _ if pool.is_kept => KEPT,
        "" if pool.is_closed => CLOSED,
        "" => "(no name)",
        name => name,
    }
}

fn line(pool: &Pool, depth: usize) -> String {
    let limit = match pool.limit_bytes {
        u64::MAX => "none".to_owned(),
        bytes => human(bytes),
    };
    let mut name = format!("{:1$}{2}", "", 2 * depth.min(8), pool_name(pool));
    if pool.is_closed && !pool.is_kept && !pool.name.is_empty() {
        let _ = write!(name, " {CLOSED}");
    }
    let mut classes: Vec<_> = pool.classes.iter().filter(|it| it.in_use > 0).collect();
    classes.sort_by_key(|it| std::cmp::Reverse(it.size.saturating_mul(it.in_use)));
    let objects = classes.iter().take(NAMED);
    let objects = objects.map(|it| format!("{} of {}", it.in_use, it.size));
    let mut objects = objects.collect::<Vec<_>>().join(", ");
    if classes.len() > NAMED {
        objects.push_str(", …");
    }
    let line = format!(
        "{name:<22} {:>10} {limit:>10} {:>10} {:>10} {:>10} {:6} {:4}  {objects}",
        human(pool.used_bytes),
        human(pool.own_bytes),
        human(pool.at_hand_bytes),
        human(pool.slab_bytes),
        pool.blocks,
        pool.node,
    );
    line.trim_end().to_owned()
}
