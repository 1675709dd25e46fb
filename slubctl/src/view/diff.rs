//! What changed between two snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{human, name};
use crate::snapshot::Snapshot;
use crate::totals::Totals;

/// The sums and classes that are not the same, with what they were and are.
pub fn diff(before: &Snapshot, after: &Snapshot) -> String {
    let mut text = format!(
        "{:<37} {:>12} {:>12} {:>13}\n",
        "", "before", "after", "change"
    );
    let (old, new) = (Totals::of_all(before), Totals::of_all(after));
    for ((group, what, from), (_, _, to)) in old.rows().into_iter().zip(new.rows()) {
        if from != to {
            let change = match to >= from {
                true => format!("+{}", human(to - from)),
                false => format!("-{}", human(from - to)),
            };
            let _ = writeln!(
                text,
                "{:<37} {:>12} {:>12} {change:>13}",
                format!("{group}: {what}"),
                human(from),
                human(to)
            );
        }
    }
    let (old, new) = (objects(before), objects(after));
    let both: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in both {
        let none = [0; COLUMNS.len()];
        let (from, to) = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
        for (index, column) in COLUMNS.iter().enumerate() {
            let (from, to) = (from[index], to[index]);
            if from != to {
                let change = i128::from(to) - i128::from(from);
                let what = format!("{}: {column}", key.2);
                let _ = writeln!(text, "{what:<37} {from:12} {to:12} {change:>+13}");
            }
        }
    }
    text
}

const COLUMNS: [&str; 4] = [
    "objects in use",
    "objects cached",
    "objects free in slabs",
    "slabs",
];

/// Which class, and what it is called: those of sizes come first, by size.
type Key = (bool, u64, String);

fn objects(snapshot: &Snapshot) -> BTreeMap<Key, [u64; COLUMNS.len()]> {
    let mut rows: BTreeMap<Key, [u64; COLUMNS.len()]> = BTreeMap::new();
    let classes = snapshot.heaps.iter().flat_map(|heap| &heap.classes);
    for class in classes.filter(|it| it.size > 0) {
        let key = (!class.name.is_empty(), class.size, name(class));
        let row = rows.entry(key).or_default();
        row[0] += class.in_use;
        row[1] += class.in_sheaves + class.in_barns + class.in_aliens;
        row[2] += class.in_partial;
        row[3] += class.slabs;
    }
    rows
}
