//! What changed between two snapshots.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use super::pools::pool_name;
use super::slabinfo::{Order, order};
use super::{human, name};
use crate::snapshot::{Heap, Pool, Settings, Snapshot};
use crate::totals::Totals;

/// Most pools of a name, each below the one before it.
const DEEPEST: usize = 8;

/// What is not the same, with what it was and is; one line if nothing is.
pub fn diff(before: &Snapshot, after: &Snapshot) -> String {
    let mut lines = Lines::default();
    lines.bytes(&totals(before), &totals(after));
    lines.bytes(&resident(before), &resident(after));
    lines.counts(&threads(before), &threads(after));
    lines.settings(before, after);
    lines.counts(&objects(before), &objects(after));
    let (old, new) = (pools(before), pools(after));
    lines.bytes(&old.0, &new.0);
    lines.counts(&old.1, &new.1);
    let head = format!("before: {}\nafter:  {}\n", named(before), named(after));
    match lines.0.is_empty() {
        true => head + "no difference\n",
        false => {
            let columns = format!(
                "{:<37} {:>12} {:>12} {:>13}\n",
                "", "before", "after", "change"
            );
            head + &columns + &lines.0
        }
    }
}

/// Says that the two are not of one program, if they are not.
pub fn not_of_one_program(before: &Snapshot, after: &Snapshot) -> Option<String> {
    (before.command != after.command).then(|| {
        format!(
            "these are of two programs: {} and {}",
            named(before),
            named(after)
        )
    })
}

/// What a snapshot is of.
fn named(snapshot: &Snapshot) -> String {
    match snapshot.pid {
        0 => format!("core of {}", snapshot.command),
        pid => format!("{pid} ({})", snapshot.command),
    }
}

/// Names in the order in which they are shown, each with a number.
type Numbers<K> = BTreeMap<K, u64>;

/// What differs.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// Adds numbers of bytes, where they differ.
    fn bytes<K: Ord + Named>(&mut self, before: &Numbers<K>, after: &Numbers<K>) {
        both(before, after, |what, from, to| {
            let sign = if to >= from { '+' } else { '-' };
            let change = format!("{sign}{}", human(to.abs_diff(from)));
            self.line(what, &human(from), &human(to), &change);
        });
    }

    /// Adds other numbers, where they differ.
    fn counts<K: Ord + Named>(&mut self, before: &Numbers<K>, after: &Numbers<K>) {
        both(before, after, |what, from, to| {
            let change = i128::from(to) - i128::from(from);
            self.line(
                what,
                &from.to_string(),
                &to.to_string(),
                &format!("{change:+}"),
            );
        });
    }

    /// Adds the settings that differ, of each copy of the library that both have.
    fn settings(&mut self, before: &Snapshot, after: &Snapshot) {
        for (old, new) in before.heaps.iter().zip(&after.heaps) {
            let (old, new) = (settings(&old.settings), settings(&new.settings));
            for ((what, from), (_, to)) in old.iter().zip(&new) {
                if from != to {
                    self.line(&format!("setting: {what}"), from, to, "");
                }
            }
        }
    }

    fn line(&mut self, what: &str, from: &str, to: &str, change: &str) {
        let line = format!("{what:<37} {from:>12} {to:>12} {change:>13}");
        let _ = writeln!(self.0, "{}", line.trim_end());
    }
}

/// Calls `line` for each number that is not the same.
fn both<K: Ord + Named>(
    before: &Numbers<K>,
    after: &Numbers<K>,
    mut line: impl FnMut(&str, u64, u64),
) {
    let mut all: Vec<&K> = before.keys().chain(after.keys()).collect();
    all.sort_unstable();
    all.dedup();
    for key in all {
        let value = |of: &Numbers<K>| of.get(key).copied().unwrap_or_default();
        let (from, to) = (value(before), value(after));
        if from != to {
            line(key.named(), from, to);
        }
    }
}

/// A row's place; a class's order, name and column; and a pool's name and column. The last is what is shown.
type Place = (usize, String);
type ClassKey = (Order, String, usize, String);
type PoolKey = (String, usize, String);

/// A key that ends with the name that is shown.
trait Named {
    fn named(&self) -> &str;
}

impl Named for Place {
    fn named(&self) -> &str {
        &self.1
    }
}

impl Named for ClassKey {
    fn named(&self) -> &str {
        &self.3
    }
}

impl Named for PoolKey {
    fn named(&self) -> &str {
        &self.2
    }
}

fn totals(snapshot: &Snapshot) -> Numbers<Place> {
    let rows = Totals::of_all(snapshot).rows();
    let row = |(index, (group, what, bytes))| ((index, format!("{group}: {what}")), bytes);
    rows.into_iter().enumerate().map(row).collect()
}

fn resident(snapshot: &Snapshot) -> Numbers<Place> {
    let mut sums = Numbers::new();
    for resident in snapshot.heaps.iter().filter_map(|it| it.resident.as_ref()) {
        let rows = resident.rows();
        let all = [("all of it", resident.sum())];
        for (index, (what, bytes)) in rows.into_iter().chain(all).enumerate() {
            *sums
                .entry((index, format!("resident: {what}")))
                .or_default() += bytes;
        }
        let swapped = (rows.len() + 1, "swapped".to_owned());
        *sums.entry(swapped).or_default() += resident.swapped;
    }
    sums
}

fn threads(snapshot: &Snapshot) -> Numbers<Place> {
    let sum = |of: fn(&Heap) -> u64| snapshot.heaps.iter().map(of).sum();
    [
        ("threads with a cache", snapshot.threads()),
        ("threads that ever had one", sum(|it| it.births)),
        ("nodes", sum(|it| it.nodes.len() as u64)),
        ("pools", sum(|it| it.pools.len() as u64)),
        ("huge blocks", sum(|it| it.huge.blocks)),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, (what, count))| ((index, what.to_owned()), count))
    .collect()
}

fn settings(it: &Settings) -> [(&'static str, String); 6] {
    let word = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
    let purge_ms = match it.purge_ms {
        0 => "never".to_owned(),
        ms => ms.to_string(),
    };
    let limit = match it.limit_bytes {
        u64::MAX => "none".to_owned(),
        bytes => human(bytes),
    };
    [
        ("purge_ms", purge_ms),
        ("limit", limit),
        (
            "purge thread",
            it.has_purge_thread.map_or("?".to_owned(), word),
        ),
        ("huge mappings kept at most", human(it.reuse_bytes)),
        ("arena", human(it.arena_bytes)),
        ("tiny", word(it.is_tiny)),
    ]
}

const COLUMNS: [&str; 4] = [
    "objects in use",
    "objects cached",
    "objects free in slabs",
    "slabs",
];

fn objects(snapshot: &Snapshot) -> Numbers<ClassKey> {
    let mut sums = Numbers::new();
    let classes = snapshot.heaps.iter().flat_map(|heap| &heap.classes);
    for class in classes.filter(|it| it.size > 0) {
        let cached = class.in_sheaves + class.in_barns + class.in_aliens;
        let counts = [class.in_use, cached, class.in_partial, class.slabs];
        for (index, (column, count)) in COLUMNS.into_iter().zip(counts).enumerate() {
            let what = format!("{}: {column}", name(class));
            let key = (order(class), name(class), index, what);
            *sums.entry(key).or_default() += count;
        }
    }
    sums
}

/// Bytes and blocks of pools by their names and the names of those above them; what they have of their own, so that those of one
/// name can be added up.
fn pools(snapshot: &Snapshot) -> (Numbers<PoolKey>, Numbers<PoolKey>) {
    let (mut bytes, mut counts) = (Numbers::new(), Numbers::new());
    for heap in &snapshot.heaps {
        let all: HashMap<u64, &Pool> = heap.pools.iter().map(|it| (it.address, it)).collect();
        for pool in &heap.pools {
            let mut path = pool_name(pool).to_owned();
            let mut above = all.get(&pool.parent);
            for _ in 0..DEEPEST {
                let Some(parent) = above else { break };
                path = format!("{}/{path}", pool_name(parent));
                above = all.get(&parent.parent);
            }
            let key = |index, what| (path.clone(), index, format!("pool {path}: {what}"));
            for (index, (what, number)) in [
                ("own", pool.own_bytes),
                ("at hand", pool.at_hand_bytes),
                ("slabs", pool.slab_bytes),
            ]
            .into_iter()
            .enumerate()
            {
                *bytes.entry(key(index, what)).or_default() += number;
            }
            *counts.entry(key(0, "large blocks")).or_default() += pool.blocks;
            *counts.entry(key(1, "pools of that name")).or_default() += 1;
        }
    }
    (bytes, counts)
}
