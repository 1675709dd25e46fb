//! Memory at rest as a table of its own: a line for each allocator, a column for each case, in MiB.

use core::fmt::Write;

use super::markdown::{figure, unique};
use super::peer::SUBJECT;
use super::row::Row;

/// Bytes in a MiB.
pub const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// One allocator on one case, as it is shown.
struct Cell {
    rest: String,
    drift: String,
}

/// The section of the page; empty if no row has memory at rest.
#[must_use]
pub fn section(rows: &[Row]) -> String {
    let read = rows.iter().filter(|row| row.rest_bytes.is_some());
    let cases: Vec<_> = unique(read.map(|row| row.workload.as_str()))
        .map(|case| rows.iter().filter(|row| row.workload == case).collect())
        .collect::<Vec<Vec<_>>>();
    if cases.is_empty() {
        return String::new();
    }
    let mut text = "## Memory at rest\n\n".to_owned();
    text += "MiB resident when the work is over, above what the program has at its start with glibc. Drift is\n";
    text += "that at the end over that after the first tenth of the operations.\n\n";
    let heads = cases.iter().map(|case| Cell {
        rest: case[0].workload.clone(),
        drift: "drift".into(),
    });
    line(&mut text, "allocator", &cases, heads);
    let ruler = cases.iter().map(|_| Cell {
        rest: "--:".into(),
        drift: "--:".into(),
    });
    line(&mut text, "---", &cases, ruler);
    for name in unique(cases.iter().flatten().map(|row| row.allocator.as_str())) {
        let cells = cases.iter().map(|case| of_allocator(case, name));
        line(&mut text, name, &cases, cells);
    }
    let best = cases.iter().map(|case| best_peer(case));
    line(&mut text, "*best peer*", &cases, best);
    text + "\n"
}

/// One line of the table. Only cases that were read twice have a column for drift.
fn line(text: &mut String, name: &str, cases: &[Vec<&Row>], cells: impl Iterator<Item = Cell>) {
    _ = write!(text, "| {name} |");
    for (case, cell) in cases.iter().zip(cells) {
        _ = write!(text, " {} |", cell.rest);
        if case.iter().any(|row| drift(row).is_some()) {
            _ = write!(text, " {} |", cell.drift);
        }
    }
    text.push('\n');
}

fn of_allocator(case: &[&Row], name: &str) -> Cell {
    let row = case.iter().find(|row| row.allocator == name);
    let failed = row.is_some_and(|row| row.failure.is_some());
    Cell {
        rest: match failed {
            true => "failed".into(),
            false => mebibytes(row.and_then(|row| row.rest_bytes)),
        },
        drift: figure(row.and_then(|row| drift(row)), 2),
    }
}

/// The smallest of all but ours, and whose it is.
fn best_peer(case: &[&Row]) -> Cell {
    let least = |value: fn(&Row) -> Option<f64>, shown: fn(Option<f64>) -> String| {
        let others = case.iter().filter(|row| row.allocator != SUBJECT);
        others
            .filter_map(|row| Some((value(row)?, &row.allocator)))
            .min_by(|one, other| one.0.total_cmp(&other.0))
            .map_or("-".into(), |(value, name)| {
                format!("{} ({name})", shown(Some(value)))
            })
    };
    Cell {
        rest: least(|row| row.rest_bytes, mebibytes),
        drift: least(drift, |value| figure(value, 2)),
    }
}

/// What is resident at the end, over that after the first tenth.
fn drift(row: &Row) -> Option<f64> {
    let first = row.first_tenth_bytes.filter(|&bytes| bytes > 0.0)?;
    Some(row.rest_bytes? / first)
}

fn mebibytes(bytes: Option<f64>) -> String {
    figure(bytes.map(|bytes| bytes / MEBIBYTE), 1)
}

#[cfg(test)]
mod tests {
    use super::section;
    use crate::driver::case::Case;
    use crate::driver::peer::{Peer, SUBJECT, Way};
    use crate::driver::round::Measured;
    use crate::driver::row::rows;
    use crate::workloads::find;

    /// A run that began at 1 MiB and had that many MiB more after a tenth and at the end.
    fn measured(first_tenth: Option<f64>, rest: f64) -> Measured {
        let mebibytes = |number: f64| (1.0 + number) * super::MEBIBYTE;
        let mut measured = Measured::default();
        measured.nanoseconds.push(100.0);
        measured.start_bytes.push(mebibytes(0.0));
        measured.peak_bytes.push(mebibytes(rest));
        measured.rest_bytes.push(mebibytes(rest));
        if let Some(first_tenth) = first_tenth {
            measured.first_tenth_bytes.push(mebibytes(first_tenth));
        }
        measured
    }

    #[test]
    fn each_allocator_has_a_line_and_each_case_a_column() {
        let peer = |name: &str| Peer {
            name: name.into(),
            way: Way::Plain,
            configuration: None,
        };
        let peers = [Peer::glibc(), peer(SUBJECT), peer("other")];
        let case = |name| Case::of(find(name).expect("listed"));
        let burst = [8.0, 2.0, 4.0].map(|rest| measured(None, rest));
        let server = [300.0, 220.0, 240.0].map(|rest| measured(Some(200.0), rest));
        let mut all = rows(&case("rest/burst"), &peers, &burst);
        assert!(all.iter().all(|row| row.time_to_glibc.is_none()));
        assert_eq!(all[1].rest_to_best_peer, Some(0.5));
        all.extend(rows(&case("rest/server"), &peers, &server));
        assert_eq!(all[4].time_to_glibc, Some(1.0));

        let text = section(&all);
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(
            lines,
            [
                "| allocator | rest/burst | rest/server | drift |",
                "| --- | --: | --: | --: |",
                "| glibc | 8.0 | 300.0 | 1.50 |",
                "| slubmalloc | 2.0 | 220.0 | 1.10 |",
                "| other | 4.0 | 240.0 | 1.20 |",
                "| *best peer* | 4.0 (other) | 240.0 (other) | 1.20 (other) |",
            ]
        );
    }
}
