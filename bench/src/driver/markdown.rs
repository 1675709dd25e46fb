//! Rows as a page of Markdown.

use core::fmt::Write;

use super::peer::{LIMIT, SUBJECT};
use super::row::{LEAST_PEAK_BYTES, Row, against_ours, failures, mean, shared};

/// The whole page: the means, the section on memory at `rest`, then a table for each case.
#[must_use]
pub fn page(rows: &[Row], rest: &str, command: &str, machine: &str) -> String {
    let mut text = format!("# Allocators side by side\n\n`{command}`\n\n{machine}\n\n");
    text += "Ratios below 1 are faster, or smaller. Times are medians of interleaved runs; memory is the peak\n";
    text += "resident above what the program has at its start with glibc. ";
    _ = writeln!(
        text,
        "Memory ratios are given where the reference is at least {} KiB.\n",
        LEAST_PEAK_BYTES as u64 / 1024
    );
    means(&mut text, rows);
    verdict(
        &mut text,
        "time",
        rows,
        |row| row.time_to_glibc,
        |row| row.time_to_best_peer,
    );
    verdict(
        &mut text,
        "memory",
        rows,
        |row| row.memory_to_glibc,
        |row| row.memory_to_best_peer,
    );
    text += "\n";
    text += rest;
    for case in unique(rows.iter().map(|row| row.workload.as_str())) {
        table(&mut text, case, rows);
    }
    text
}

fn means(text: &mut String, rows: &[Row]) {
    _ = writeln!(
        text,
        "## Geometric means\n\nOver the cases that every allocator has: {} of time, {} of memory. Beside that, over all cases \
         that an allocator and slubmalloc both have, how much more it needs.\n",
        shared(rows, |row| row.time_to_glibc).len(),
        shared(rows, |row| row.memory_to_glibc).len(),
    );
    *text += "| allocator | time / glibc | time / best peer | memory / glibc | memory / best peer | time / ours (cases) | \
              memory / ours (cases) | failed |\n";
    *text += "|---|--:|--:|--:|--:|--:|--:|--:|\n";
    for name in unique(rows.iter().map(|row| row.allocator.as_str())).filter(|&name| name != LIMIT)
    {
        _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            figure(mean(rows, name, |row| row.time_to_glibc), 3),
            figure(mean(rows, name, |row| row.time_to_best_peer), 3),
            figure(mean(rows, name, |row| row.memory_to_glibc), 3),
            figure(mean(rows, name, |row| row.memory_to_best_peer), 3),
            counted(against_ours(rows, name, |row| row.time_to_glibc)),
            counted(against_ours(rows, name, |row| row.memory_to_glibc)),
            failures(rows, name),
        );
    }
    *text += "\n";
}

fn counted((value, count): (Option<f64>, usize)) -> String {
    format!("{} ({count})", figure(value, 3))
}

/// Our mean beside the best other's, and on how many cases we are ahead of all.
fn verdict(
    text: &mut String,
    what: &str,
    rows: &[Row],
    to_glibc: fn(&Row) -> Option<f64>,
    to_best: fn(&Row) -> Option<f64>,
) {
    let others = unique(rows.iter().map(|row| row.allocator.as_str()))
        .filter(|&name| name != LIMIT && name != SUBJECT && failures(rows, name) == 0);
    let best = others
        .filter_map(|name| Some((mean(rows, name, to_glibc)?, name)))
        .min_by(|one, other| one.0.total_cmp(&other.0));
    let (Some(ours), Some((theirs, name))) = (mean(rows, SUBJECT, to_glibc), best) else {
        return;
    };
    let ratios: Vec<_> = rows
        .iter()
        .filter(|row| row.allocator == SUBJECT)
        .filter_map(to_best)
        .collect();
    let count = |most: f64| ratios.iter().filter(|&&ratio| ratio <= most).count();
    _ = writeln!(
        text,
        "- {what}: {:.3} of {name}'s mean, the best of those that failed nowhere; of {} cases ahead of every \
         peer on {}, within 5 % of the best on {}, within 30 % on {}.",
        ours / theirs,
        ratios.len(),
        count(1.0),
        count(1.05),
        count(1.3),
    );
}

fn table(text: &mut String, case: &str, rows: &[Row]) {
    _ = writeln!(text, "## {case}\n");
    *text += "| allocator | ns/op | / glibc | / best peer | peak KiB | / glibc | user s | system s | faults | runs |\n";
    *text += "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for row in rows.iter().filter(|row| row.workload == case) {
        let cells = [
            figure(row.nanoseconds, 2),
            figure(row.time_to_glibc, 2),
            figure(row.time_to_best_peer, 2),
            figure(row.peak_bytes.map(|bytes| bytes / 1024.0), 0),
            figure(row.memory_to_glibc, 2),
            figure(row.user_seconds, 3),
            figure(row.system_seconds, 3),
            figure(row.minor_faults, 0),
            row.rounds.to_string(),
        ];
        _ = writeln!(text, "| {} | {} |", row.allocator, cells.join(" | "));
    }
    for row in rows.iter().filter(|row| row.workload == case) {
        if let Some(failure) = &row.failure {
            _ = writeln!(text, "\n{} failed: {failure}", row.allocator);
        }
    }
    *text += "\n";
}

/// A number, or a dash.
#[must_use]
pub fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"))
}

/// Each name once, in order of appearance.
pub fn unique<'a>(names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let mut seen = Vec::new();
    names.filter(move |&name| {
        !seen.contains(&name) && {
            seen.push(name);
            true
        }
    })
}
