//! What each thread's cache holds.

use std::fmt::Write;

use super::{human, name};
use crate::snapshot::{Cache, Heap, Snapshot};

/// Classes that a line names.
const NAMED: usize = 4;

/// A line for each cache, the fullest first.
pub fn threads(snapshot: &Snapshot) -> String {
    let mut text = String::from(
        "    TID NAME             NODE   OBJECTS        BYTES  CACHE           MOST OF IT\n",
    );
    for heap in &snapshot.heaps {
        let mut rows: Vec<_> = heap.caches.iter().map(|it| (bytes(heap, it), it)).collect();
        rows.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (bytes, cache) in rows {
            let objects: u64 = cache
                .objects
                .iter()
                .chain(&cache.aliens)
                .map(|it| it.1)
                .sum();
            let thread = match cache.tid {
                0 => "-".to_owned(),
                tid => tid.to_string(),
            };
            let name = match (cache.is_owned, cache.thread) {
                (false, _) => "(no thread)".to_owned(),
                // A debug mode counts threads, but stands between a thread and its cache.
                (true, number) if cache.tid == 0 && number > 0 => format!("(number {number})"),
                (true, _) if cache.tid == 0 => "?".to_owned(),
                (true, _) => cache.name.clone(),
            };
            let _ = writeln!(
                text,
                "{thread:>7} {name:<16} {:4} {objects:9} {:>12}  {:#014x}  {}",
                cache.node,
                human(bytes),
                cache.address,
                most(heap, cache)
            );
        }
    }
    text
}

fn bytes(heap: &Heap, cache: &Cache) -> u64 {
    let all = cache.objects.iter().chain(&cache.aliens);
    all.map(|(id, count)| count * size(heap, *id)).sum()
}

fn size(heap: &Heap, id: u64) -> u64 {
    heap.classes.get(id as usize).map_or(0, |class| class.size)
}

/// The classes with most bytes.
fn most(heap: &Heap, cache: &Cache) -> String {
    let mut classes: Vec<_> = cache
        .objects
        .iter()
        .filter_map(|(id, count)| Some((heap.classes.get(*id as usize)?, *count)))
        .collect();
    classes.sort_by_key(|(class, count)| std::cmp::Reverse(class.size * count));
    let named = classes.iter().take(NAMED);
    let named = named.map(|(class, count)| format!("{count} of {}", name(class)));
    named.collect::<Vec<_>>().join(", ")
}
