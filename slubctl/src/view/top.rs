//! The rows of `top`: caches as slabtop(1) shows them, sorted by any column.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;

use super::name;
use crate::snapshot::Snapshot;

/// The line above the rows.
pub const COLUMNS: &str = "  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE  CHANGE/s NAME";

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
    /// How many objects in use came, or went, in a second.
    pub change: i64,
    in_use: u64,
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
    /// `r`: what changes most.
    Change,
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
            'r' => Self::Change,
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
            Self::Change => rows.sort_by_key(|it| Reverse(it.change.unsigned_abs())),
        }
    }
}

/// The caches that have slabs; `before` are those of `seconds` ago.
pub fn rows(snapshot: &Snapshot, before: &[Row], seconds: f64) -> Vec<Row> {
    let mut rows: BTreeMap<(String, u64), Row> = BTreeMap::new();
    let classes = snapshot.heaps.iter().flat_map(|heap| &heap.classes);
    for class in classes.filter(|it| !it.is_span && it.slabs > 0) {
        let row = rows
            .entry((class.name.clone(), class.size))
            .or_insert_with(|| Row {
                name: name(class),
                size: class.size,
                per_slab: class.slab_objects,
                ..Row::default()
            });
        row.in_use += class.in_use;
        row.active += class.in_use + class.in_sheaves + class.in_barns + class.in_aliens;
        row.slabs += class.slabs;
        row.objects += class.slabs.saturating_mul(class.slab_objects);
        row.bytes += class.slabs.saturating_mul(class.slab_bytes);
    }
    for row in rows.values_mut() {
        if let Some(old) = before.iter().find(|it| it.name == row.name) {
            let change = row.in_use as f64 - old.in_use as f64;
            row.change = (change / seconds.max(0.001)).round() as i64;
        }
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
pub fn line(row: &Row) -> String {
    format!(
        "{:6} {:6} {:3}% {:7.2}K {:6} {:8} {:9}K {:>+9} {}",
        row.objects,
        row.active,
        percent(row.active, row.objects),
        row.size as f64 / 1024.0,
        row.slabs,
        row.per_slab,
        row.bytes / 1024,
        row.change,
        row.name
    )
}

fn percent(part: u64, all: u64) -> u64 {
    part.saturating_mul(100).checked_div(all).unwrap_or(0)
}

fn share(part: f64, all: f64) -> f64 {
    if all > 0.0 { part / all * 100.0 } else { 0.0 }
}
