//! The rows of `top`: caches as slabtop(1) shows them, sorted by any column.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;

use super::name;
use super::slabinfo::{Order, order};
pub use super::top_nodes::{NODE_COLUMNS, nodes};
use crate::snapshot::{Heap, Pool, Resident, Snapshot};
use crate::totals::Totals;

/// Which columns a row has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// All of them.
    #[default]
    All,
    /// Those of slabtop(1), so that the name has room in 80 columns.
    Slabtop,
    /// Those without the objects of a slab, for longer names.
    Short,
}

impl Shape {
    /// What has room in a number of columns.
    pub fn of(grouping: Grouping, columns: usize) -> Self {
        match grouping {
            _ if columns >= WIDE => Self::All,
            Grouping::CacheNodes => Self::Short,
            _ => Self::Slabtop,
        }
    }

    /// The line above the rows.
    pub fn columns(self) -> String {
        let per_slab = if self == Self::Short { "" } else { " OBJ/SLAB" };
        let rates = if self == Self::All {
            "  ALLOC/s   FREE/s"
        } else {
            ""
        };
        format!("  OBJS ACTIVE  USE OBJ SIZE  SLABS{per_slab} CACHE SIZE{rates} NAME")
    }
}

/// The least columns for all there is, with the name of a cache node.
const WIDE: usize = 106;

/// What a row is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// A class.
    #[default]
    Caches,
    /// A class on a node, for the processors of a cluster.
    CacheNodes,
    /// A node.
    Nodes,
    /// A pool.
    Pools,
}

impl Grouping {
    /// The one that follows.
    pub fn next(self) -> Self {
        match self {
            Self::Caches => Self::CacheNodes,
            Self::CacheNodes => Self::Nodes,
            Self::Nodes => Self::Pools,
            Self::Pools => Self::Caches,
        }
    }
}

/// One cache.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Objects that the program holds or that are cached.
    pub active: u64,
    /// Objects that its slabs have room for.
    pub objects: u64,
    /// Bytes of an object.
    pub size: u64,
    /// Slabs.
    pub slabs: u64,
    /// Objects of a slab.
    pub per_slab: u64,
    /// Bytes of its slabs.
    pub bytes: u64,
    /// Objects that threads took in a second. What they free and take again without the cache node is not counted.
    pub allocated: u64,
    /// Objects that they gave back in a second.
    pub freed: u64,
    /// Objects that threads ever took, and those that they have.
    taken: u64,
    outside: u64,
}

/// What rows are sorted by, by slabtop's letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// `a`: objects that are active.
    Active,
    /// `b`: objects of a slab.
    PerSlab,
    /// `c`: bytes of the cache.
    #[default]
    Bytes,
    /// `l`: slabs.
    Slabs,
    /// `n`: the name.
    Name,
    /// `o`: objects.
    Objects,
    /// `s`: bytes of an object.
    Size,
    /// `u`: the share of objects that are active.
    Use,
    /// `r`: what is taken and given back most.
    Rate,
}

impl Sort {
    /// The column of a letter.
    pub fn from_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'a' | 'v' => Self::Active,
            'b' | 'p' => Self::PerSlab,
            'c' => Self::Bytes,
            'l' => Self::Slabs,
            'n' => Self::Name,
            'o' => Self::Objects,
            's' => Self::Size,
            'u' => Self::Use,
            'r' => Self::Rate,
            _ => return None,
        })
    }

    /// Sorts rows, the largest first; names by size.
    pub fn apply(self, rows: &mut [Row]) {
        match self {
            Self::Name => rows.sort_by_cached_key(|it| match it.name.starts_with("kmalloc-") {
                true => (String::new(), it.size),
                false => (it.name.clone(), 0),
            }),
            Self::Active => rows.sort_by_key(|it| Reverse(it.active)),
            Self::PerSlab => rows.sort_by_key(|it| Reverse(it.per_slab)),
            Self::Bytes => rows.sort_by_key(|it| Reverse(it.bytes)),
            Self::Slabs => rows.sort_by_key(|it| Reverse(it.slabs)),
            Self::Objects => rows.sort_by_key(|it| Reverse(it.objects)),
            Self::Size => rows.sort_by_key(|it| Reverse(it.size)),
            Self::Use => rows.sort_by_key(|it| Reverse(percent(it.active, it.objects))),
            Self::Rate => rows.sort_by_key(|it| Reverse(it.allocated.saturating_add(it.freed))),
        }
    }
}

impl Sort {
    /// Sorts processes by the column of `ps` that comes closest, the largest first.
    pub fn apply_to_processes(self, all: &mut [Snapshot]) {
        let sum = |it: &Snapshot, of: fn(&Heap) -> u64| it.heaps.iter().map(of).sum::<u64>();
        let key = |it: &Snapshot| {
            let totals = Totals::of_all(it);
            match self {
                Self::Name => 0,
                Self::Active => totals.in_use(),
                Self::Bytes => totals.held(),
                Self::Objects => totals.cached(),
                Self::Rate => totals.free(),
                Self::PerSlab => it.threads(),
                Self::Slabs => sum(it, |heap| heap.cache_nodes.len() as u64),
                Self::Size => sum(it, |heap| heap.resident.as_ref().map_or(0, Resident::sum)),
                Self::Use => percent(totals.in_use(), totals.held()),
            }
        };
        all.sort_by_cached_key(|it| match self {
            Self::Name => (Reverse(0), it.command.clone(), it.pid),
            _ => (Reverse(key(it)), String::new(), it.pid),
        });
    }

    /// Sorts pools that have the same one above them, the largest first.
    pub(super) fn apply_to_pools(self, pools: &mut [&Pool]) {
        let key = |it: &Pool| match self {
            Self::Name => 0,
            Self::Active | Self::Rate => it.used_bytes,
            Self::Bytes | Self::PerSlab => it.slab_bytes,
            Self::Objects => it.own_bytes,
            Self::Size => it.at_hand_bytes,
            Self::Slabs => it.blocks,
            // In thousandths: limits are large.
            Self::Use => {
                (u128::from(it.used_bytes) * 1000 / u128::from(it.limit_bytes.max(1))) as u64
            }
        };
        pools.sort_by_cached_key(|it| match self {
            Self::Name => (Reverse(0), it.name.clone(), it.address),
            _ => (Reverse(key(it)), String::new(), it.address),
        });
    }
}

/// The caches, or cache nodes, that have slabs; `before` are those of `seconds` ago.
pub fn rows(snapshot: &Snapshot, grouping: Grouping, before: &[Row], seconds: f64) -> Vec<Row> {
    let mut rows: BTreeMap<(Order, String, u64, u64), Row> = BTreeMap::new();
    for heap in &snapshot.heaps {
        for cache_node in heap.cache_nodes.iter().filter(|it| it.slabs > 0) {
            let Some(class) = heap.classes.get(cache_node.class as usize) else {
                continue;
            };
            let (key, name) = match grouping {
                Grouping::CacheNodes => (
                    (
                        order(class),
                        name(class),
                        cache_node.node,
                        cache_node.cluster,
                    ),
                    format!(
                        "{} node{} cluster{}",
                        name(class),
                        cache_node.node,
                        cache_node.cluster
                    ),
                ),
                _ => ((order(class), name(class), 0, 0), name(class)),
            };
            let row = rows.entry(key).or_insert_with(|| Row {
                name,
                size: class.size,
                per_slab: class.slab_objects,
                ..Row::default()
            });
            row.active = row.active.saturating_add(cache_node.out);
            row.slabs = row.slabs.saturating_add(cache_node.slabs);
            let objects = cache_node.slabs.saturating_mul(class.slab_objects);
            row.objects = row.objects.saturating_add(objects);
            let bytes = cache_node.slabs.saturating_mul(class.slab_bytes);
            row.bytes = row.bytes.saturating_add(bytes);
            row.taken = row.taken.wrapping_add(cache_node.taken);
            row.outside = row
                .outside
                .saturating_add(cache_node.out.saturating_sub(cache_node.in_barn));
        }
    }
    for row in rows.values_mut() {
        let Some(old) = before.iter().find(|it| it.name == row.name) else {
            continue;
        };
        // What was taken and is not there any more was given back.
        let taken = row.taken.wrapping_sub(old.taken) as f64;
        let given = taken - (row.outside as f64 - old.outside as f64);
        let rate = |count: f64| (count / seconds.max(0.001)).max(0.0).round() as u64;
        (row.allocated, row.freed) = (rate(taken), rate(given));
    }
    rows.into_values().collect()
}

/// The lines above the columns, as slabtop has them.
pub fn head(rows: &[Row]) -> String {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).fold(0, u64::saturating_add);
    let (active, objects) = (sum(|it| it.active), sum(|it| it.objects));
    let slabs = sum(|it| it.slabs);
    let bytes = sum(|it| it.objects.saturating_mul(it.size));
    let used = sum(|it| it.active.saturating_mul(it.size));
    let sizes = || rows.iter().map(|it| it.size);
    let mean = bytes as f64 / objects.max(1) as f64;
    let kib = |bytes: f64| bytes / 1024.0;
    let mut text = String::new();
    for (what, part, all) in [
        ("Objects", active, objects),
        ("Slabs", slabs, slabs),
        ("Caches", rows.len() as u64, rows.len() as u64),
    ] {
        let label = format!(" Active / Total {what} (% used)");
        let share = share(part as f64, all as f64);
        let _ = writeln!(text, "{label:<35} : {part} / {all} ({share:.1}%)");
    }
    let share = share(used as f64, bytes as f64);
    let _ = writeln!(
        text,
        "{:<35} : {:.2}K / {:.2}K ({share:.1}%)",
        " Active / Total Size (% used)",
        kib(used as f64),
        kib(bytes as f64)
    );
    let _ = writeln!(
        text,
        "{:<35} : {:.2}K / {:.2}K / {:.2}K",
        " Minimum / Average / Maximum Object",
        kib(sizes().min().unwrap_or(0) as f64),
        kib(mean),
        kib(sizes().max().unwrap_or(0) as f64)
    );
    text
}

/// A row as a line.
pub fn line(row: &Row, shape: Shape) -> String {
    let mut line = format!(
        "{:6} {:6} {:3}% {:7.2}K {:6}",
        row.objects,
        row.active,
        percent(row.active, row.objects),
        row.size as f64 / 1024.0,
        row.slabs,
    );
    if shape != Shape::Short {
        let _ = write!(line, " {:8}", row.per_slab);
    }
    let _ = write!(line, " {:9}K", row.bytes / 1024);
    if shape == Shape::All {
        let _ = write!(line, " {:>8} {:>8}", row.allocated, row.freed);
    }
    line + " " + &row.name
}

fn percent(part: u64, all: u64) -> u64 {
    part.saturating_mul(100).checked_div(all).unwrap_or(0)
}

fn share(part: f64, all: f64) -> f64 {
    if all > 0.0 { part / all * 100.0 } else { 0.0 }
}
