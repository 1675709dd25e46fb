//! Pools as lines: each below the pool that it is in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use super::human;
use super::top::Sort;
use crate::snapshot::{Heap, Pool, PoolClass, Snapshot};

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
    heaps
        .flat_map(|heap| of_heap(&heap.pools.iter().collect::<Vec<_>>(), sort))
        .collect()
}

/// A line for each of the pools of a heap that use most, `most` of them, and one for the others.
pub(super) fn largest(heap: &Heap, most: usize) -> Vec<String> {
    let mut pools: Vec<&Pool> = heap.pools.iter().collect();
    // One that is above another uses as much, and is made before.
    pools.sort_by_key(|it| (Reverse(it.used_bytes), it.parent != 0, it.address));
    let others = pools.split_off(pools.len().min(most));
    let mut lines = of_heap(&pools, Sort::Active);
    if !others.is_empty() {
        let name = format!("({} more)", others.len());
        lines.push(line_of(&sum_of(&others), &name, ["-", "-", "-"]));
    }
    lines
}

/// What pools have together of their own; what they use and their limits cannot be added up.
pub(super) fn sum_of(pools: &[&Pool]) -> Pool {
    let sum = |of: fn(&Pool) -> u64| pools.iter().map(|it| of(it)).fold(0, u64::saturating_add);
    let mut classes: BTreeMap<u64, PoolClass> = BTreeMap::new();
    for class in pools.iter().flat_map(|it| &it.classes) {
        let all = classes.entry(class.class).or_insert(PoolClass {
            class: class.class,
            size: class.size,
            ..PoolClass::default()
        });
        all.slabs = all.slabs.saturating_add(class.slabs);
        all.in_use = all.in_use.saturating_add(class.in_use);
        all.at_hand = all.at_hand.saturating_add(class.at_hand);
    }
    Pool {
        own_bytes: sum(|it| it.own_bytes),
        at_hand_bytes: sum(|it| it.at_hand_bytes),
        slab_bytes: sum(|it| it.slab_bytes),
        blocks: sum(|it| it.blocks),
        block_bytes: sum(|it| it.block_bytes),
        classes: classes.into_values().collect(),
        ..Pool::default()
    }
}

/// A line for each of some pools of a heap.
fn of_heap(pools: &[&Pool], sort: Sort) -> Vec<String> {
    let known: HashSet<u64> = pools.iter().map(|it| it.address).collect();
    let mut below: HashMap<u64, Vec<&Pool>> = HashMap::new();
    for pool in pools.iter().copied() {
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
    let used = human(pool.used_bytes);
    line_of(pool, &name, [&used, &limit, &pool.node.to_string()])
}

/// The line of a pool, or of several, given what cannot be added up: what is used, the limit and the node.
fn line_of(pool: &Pool, name: &str, [used, limit, node]: [&str; 3]) -> String {
    let mut classes: Vec<_> = pool.classes.iter().filter(|it| it.in_use > 0).collect();
    classes.sort_by_key(|it| Reverse(it.size.saturating_mul(it.in_use)));
    let objects = classes.iter().take(NAMED);
    let objects = objects.map(|it| format!("{} of {}", it.in_use, it.size));
    let mut objects = objects.collect::<Vec<_>>().join(", ");
    if classes.len() > NAMED {
        objects.push_str(", …");
    }
    let line = format!(
        "{name:<22} {used:>10} {limit:>10} {:>10} {:>10} {:>10} {:6} {node:>4}  {objects}",
        human(pool.own_bytes),
        human(pool.at_hand_bytes),
        human(pool.slab_bytes),
        pool.blocks,
    );
    line.trim_end().to_owned()
}
