//! One page for people: where the memory is, what could be given back, and what is fragmented.

use std::fmt::Write;

use super::{POOL_COLUMNS, counted, human, name, pools};
use crate::snapshot::{Heap, Snapshot};
use crate::totals::{Totals, free_of};

/// A class that uses less of its slabs than this, in percent, is worth a line …
const WELL_USED: u64 = 75;
/// … if that is more than this number of bytes.
const MUCH: u64 = 1 << 20;

/// Pools that have lines of their own.
const MOST_POOLS: usize = 100;

/// The least columns for all that `ps` has, with a command of 15 letters.
const PS_WIDE: usize = 120;

/// The page.
pub fn show(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for (index, heap) in snapshot.heaps.iter().enumerate() {
        let head = match snapshot.pid {
            0 => format!("core of {}", snapshot.command),
            pid => format!("{pid} ({})", snapshot.command),
        };
        if index > 0 {
            text.push('\n');
        }
        let _ = writeln!(text, "{head}: slubmalloc {} in {}", heap.release, heap.file);
        match heap.is_made {
            true => one(heap, &mut text),
            false => text.push_str("has not allocated yet\n"),
        }
    }
    text
}

fn one(heap: &Heap, text: &mut String) {
    if heap.is_approximate {
        text.push_str("numbers moved while they were read: they are approximate\n");
    }
    let totals = Totals::of(heap);
    let _ = writeln!(
        text,
        "{} in use, {} cached, {} free; {}, {}",
        human(totals.in_use()),
        human(totals.cached()),
        human(totals.free()),
        counted(heap.threads, "thread"),
        counted(heap.nodes.len() as u64, "node")
    );
    settings(heap, text);
    text.push('\n');
    let mut last = "";
    for (group, what, bytes) in totals.rows() {
        let group = if group == last { "" } else { group };
        last = if group.is_empty() { last } else { group };
        if bytes > 0 || !group.is_empty() && group != "lost" {
            let _ = writeln!(text, "{group:<8} {what:<28} {:>12}", human(bytes));
        }
    }
    if let Some(resident) = &heap.resident {
        text.push('\n');
        let all = [("all of it", resident.sum())];
        let mut group = "resident";
        let some = |(_, bytes): &(_, u64)| *bytes > 0;
        for (what, bytes) in resident.rows().into_iter().filter(some).chain(all) {
            let _ = writeln!(text, "{group:<8} {what:<28} {:>12}", human(bytes));
            group = "";
        }
        if resident.swapped > 0 {
            let _ = writeln!(
                text,
                "{:<8} {:<28} {:>12}",
                "swapped",
                "out of it",
                human(resident.swapped)
            );
        }
    }
    text.push('\n');
    classes(heap, text);
    if !heap.pools.is_empty() {
        let _ = writeln!(text, "\n{POOL_COLUMNS}");
        for line in pools::largest(heap, MOST_POOLS) {
            let _ = writeln!(text, "{line}");
        }
    }
    advice(heap, &totals, text);
}

fn settings(heap: &Heap, text: &mut String) {
    let settings = &heap.settings;
    let purge = match settings.purge_ms {
        0 => "never given back".to_owned(),
        ms => format!("given back within about {ms} ms"),
    };
    let when = match settings.has_purge_thread {
        Some(false) if settings.purge_ms > 0 => {
            " while the program allocates (it has no purge thread)"
        }
        Some(true) if settings.purge_ms > 0 => " by a purge thread",
        _ => "",
    };
    let limit = match settings.limit_bytes {
        u64::MAX => "no limit".to_owned(),
        bytes => format!("limit {}", human(bytes)),
    };
    let _ = writeln!(
        text,
        "{limit}; unused memory is {purge}{when}; up to {} of freed huge mappings are kept",
        human(settings.reuse_bytes)
    );
    if let Some(request) = &heap.pending {
        let _ = writeln!(text, "pending: {request}, which runs at the next slow path");
    }
}

fn classes(heap: &Heap, text: &mut String) {
    text.push_str(
        "class             objsize      in use   sheaves     barns   partial   slabs  empty   memory  used\n",
    );
    for class in heap.classes.iter().filter(|it| !it.is_span && it.slabs > 0) {
        let held = class.slabs.saturating_mul(class.slab_bytes);
        let used = class.in_use.saturating_mul(class.size);
        let percent = used.saturating_mul(100).checked_div(held).unwrap_or(0);
        let _ = writeln!(
            text,
            "{:<17} {:7} {:11} {:9} {:9} {:9} {:7} {:6} {:>8} {percent:4}%",
            name(class),
            class.size,
            class.in_use,
            class.in_sheaves + class.in_aliens,
            class.in_barns,
            class.in_partial,
            class.slabs,
            class.empty_slabs,
            human(held).replace(" ", "").replace("iB", "")
        );
    }
}

/// What could be given back, and what cannot, and why.
fn advice(heap: &Heap, totals: &Totals, text: &mut String) {
    text.push('\n');
    let back = totals.cached() - totals.at_hand + totals.in_empty + totals.dirty + totals.huge_kept;
    let _ = writeln!(
        text,
        "could be given back: {} (malloc_trim takes what is cached, too)",
        human(back)
    );
    let mut worst: Vec<_> = heap
        .classes
        .iter()
        .filter(|it| !it.is_span)
        .map(|it| {
            let held = it.slabs.saturating_mul(it.slab_bytes);
            let held = held.min(it.resident_bytes.unwrap_or(u64::MAX));
            let free = free_of(it).in_partial;
            (free, held, it)
        })
        .filter(|(free, held, _)| {
            *free > MUCH && free.saturating_mul(100) > held.saturating_mul(100 - WELL_USED)
        })
        .collect();
    worst.sort_by_key(|(free, _, _)| std::cmp::Reverse(*free));
    for (free, _, class) in worst.into_iter().take(5) {
        let _ = writeln!(
            text,
            "fragmented: {} in partial slabs of {}, each kept by objects in use",
            human(free),
            name(class)
        );
    }
}

/// A line for each process.
pub fn ps(snapshots: &[Snapshot]) -> String {
    ps_within(snapshots, usize::MAX)
}

/// The same in a number of columns, where what counts has room with the command.
pub fn ps_within(snapshots: &[Snapshot], columns: usize) -> String {
    let is_wide = columns >= PS_WIDE;
    let (version, counts) = match is_wide {
        true => (" VERSION", " THREADS CACHE-NODES NODES POOLS"),
        false => ("", ""),
    };
    let mut text = format!(
        "    PID{version}     IN USE     CACHED       FREE       HELD   RESIDENT{counts} COMMAND\n",
    );
    for it in snapshots {
        for heap in &it.heaps {
            let totals = Totals::of(heap);
            let resident = heap
                .resident
                .as_ref()
                .map_or("?".to_owned(), |it| human(it.sum()));
            let _ = write!(text, "{:7}", it.pid);
            if is_wide {
                let _ = write!(text, " {:<7}", heap.release);
            }
            for bytes in [
                totals.in_use(),
                totals.cached(),
                totals.free(),
                totals.held(),
            ] {
                let _ = write!(text, " {:>10}", human(bytes));
            }
            let _ = write!(text, " {resident:>10}");
            if is_wide {
                let _ = write!(
                    text,
                    " {:7} {:11} {:5} {:5}",
                    heap.threads,
                    heap.cache_nodes.len(),
                    heap.nodes.len(),
                    heap.pools.iter().filter(|pool| !pool.is_kept).count()
                );
            }
            let _ = writeln!(text, " {}", it.command);
        }
    }
    text
}
