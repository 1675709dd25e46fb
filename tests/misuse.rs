//! Misuse, a table of it: what is caught in which configuration, when, and whether always.
//!
//! Every row of `misuse/rows.rs` is run in every mode. What happened is compared with `misuse/table.md`, which
//! `SLUBTEST_WRITE=1` writes; what must hold whatever the table says is in [`broken_rule`].
#![cfg(not(any(miri, loom)))]

#[path = "misuse/outcome.rs"]
mod outcome;
#[path = "misuse/rows.rs"]
mod rows;
mod support;
#[path = "misuse/table.rs"]
mod table;

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::env;
use std::fs;
use std::panic::catch_unwind;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use outcome::{Mode, Outcome, Stage};
use rows::{Row, Violation, families};
use support::{Finished, Heap, compile, libc_allowed, message_of, root, run, skipped};
use table::{Cell, render, stored_cells};

/// The largest block that the guard has pages for, in bytes.
const MOST_GUARDED: usize = 4 << 20;
/// Longer than this, and it hangs; all of them take a fraction of a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Runs of a cell …
const RUNS: usize = 2;
/// … and of one that is not the same each time.
const RUNS_WHERE_LIKELY: usize = 10;

#[test]
fn every_misuse_is_caught_as_the_table_says() {
    if libc_allowed() {
        return skipped("on libc: nothing is promised there");
    }
    let path = root().join("tests/misuse/table.md");
    let families = families();
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let expected = stored_cells(&stored, &families);
    let rows: Vec<&Row> = families.iter().flat_map(|family| &family.rows).collect();
    assert!(rows.len() >= 70, "only {} rows", rows.len());

    let cells = run_all(&rows, |row, mode| {
        let cell = expected.as_ref().map(|cells| &cells[row][mode]);
        cell.is_some_and(|text| text.starts_with("likely"))
    });

    let mut faults = Vec::new();
    for (number, (row, three)) in rows.iter().zip(&cells).enumerate() {
        for (mode, cell) in Mode::ALL.into_iter().zip(three) {
            let what = format!(
                "{}, size {}, {} ({})",
                row.misuse,
                row.size_text(),
                mode.name(),
                row.command
            );
            if let Some(rule) = broken_rule(row, mode, cell) {
                faults.push(format!("{what}: {rule}: {}", explain(cell)));
            }
            let text = cell.without_a_hole_by_chance().text();
            let before = expected.as_ref().map(|cells| &cells[number][mode as usize]);
            if before.is_some_and(|before| !allows(before, &text)) {
                let before = before.expect("a cell");
                faults.push(format!("{what}: was \"{before}\", is \"{text}\""));
            }
        }
    }
    let fresh = render(&families, &cells);
    if env::var_os("SLUBTEST_WRITE").is_some() {
        fs::write(&path, fresh).expect("the table is written");
    } else if expected.is_none() {
        faults.push("table.md has other rows".to_owned());
    }
    assert!(
        faults.is_empty(),
        "{} faults; if a changed cell is meant: SLUBTEST_WRITE=1 cargo test --test misuse\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// Whether a cell of the stored table allows for what was seen: where two threads race, misuse may be caught at either of
/// two moments.
fn allows(stored: &str, seen: &str) -> bool {
    let stages = stored.strip_prefix("yes, ").zip(seen.strip_prefix("yes, "));
    stored == seen
        || stages.is_some_and(|(stored, seen)| {
            let is_stored = |stage| stored.split(" or ").any(|other| other == stage);
            seen.split(" or ").all(is_stored)
        })
}

#[test]
fn with_a_warning_alone_the_program_goes_on_unharmed() {
    let is_meant = |violation: Violation| violation.is_double_free() || violation.is_invalid_free();
    let is_report = |line: &str| message_of(line).is_some();
    goes_on("crime:warn", is_report, is_meant, |violation| {
        violation.words(Mode::Default, Stage::Misuse)
    });
}

#[test]
fn with_sanity_checks_alone_a_second_free_is_undone() {
    let is_meant = |violation| violation == Violation::DoubleFree;
    let is_fix = |line: &str| line.starts_with("FIX ");
    goes_on("slab_debug:F", is_fix, is_meant, |_| {
        &["Object not freed again"]
    });
}

#[test]
fn a_program_without_misuse_is_not_accused() {
    if libc_allowed() {
        return skipped("on libc: nobody is reported there");
    }
    const ROUNDS: usize = 12;
    let program = compile("misuse/innocent.c", &["-rdynamic"]);
    let faults = in_parallel(ROUNDS * Mode::ALL.len(), |number| {
        let mode = Mode::ALL[number % Mode::ALL.len()];
        let mut command = Command::new(&program);
        command.arg((number * 3).to_string());
        if let Some(configuration) = mode.configuration() {
            command.env("SLUBMALLOC_CONF", configuration);
        }
        let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
        let is_calm = finished.status.success() && finished.stderr.is_empty();
        (!is_calm).then(|| format!("{}: {finished:?}", mode.name()))
    });
    let faults: Vec<_> = faults.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Runs each such misuse: such a line is printed and holds one of these words, and the program gets away.
fn goes_on(
    configuration: &str,
    is_report: impl Fn(&str) -> bool + Sync,
    is_meant: impl Fn(Violation) -> bool,
    words: impl Fn(Violation) -> &'static [&'static str] + Sync,
) {
    if libc_allowed() {
        return skipped("on libc: nothing is promised there");
    }
    let families = families();
    let rows: Vec<&Row> = families
        .iter()
        .flat_map(|family| &family.rows)
        .filter(|row| is_meant(row.violation))
        .collect();
    assert!(!rows.is_empty());
    let faults = in_parallel(rows.len(), |number| {
        let row = rows[number];
        let finished = run_row(row, Some(configuration))?;
        let what = format!("{}, size {} ({})", row.misuse, row.size_text(), row.command);
        let is_said = finished.stderr.lines().any(|line| {
            is_report(line)
                && words(row.violation)
                    .iter()
                    .any(|words| line.contains(words))
        });
        let is_over = finished.status.success() && finished.stdout.contains("got away\n");
        if is_said && is_over {
            return Ok(());
        }
        Err(format!(
            "{what}: {}\nstdout:\n{}stderr:\n{}",
            finished.status, finished.stdout, finished.stderr
        ))
    });
    let faults: Vec<_> = faults.into_iter().filter_map(Result::err).collect();
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        rows.len(),
        faults.join("\n")
    );
}

/// What must hold in every cell, whatever the table says; the rule that does not.
fn broken_rule(row: &Row, mode: Mode, cell: &Cell) -> Option<&'static str> {
    use Violation::{None as NoViolation, Overflow, ReadAfterFree, Underflow, WriteAfterFree};
    let any = |outcome: &Outcome| cell.outcomes.contains(outcome);
    let is_sure = cell.is_sure();
    let violation = row.violation;
    if cell
        .outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Broken(_)))
    {
        return Some("nothing hangs, dies unexplained, or is called by a wrong name");
    }
    if any(&Outcome::Overlapped)
        && !(violation == Violation::DoubleFreeHandedOut && mode == Mode::Default)
    {
        return Some("no block is handed out twice");
    }
    if violation == NoViolation
        && cell
            .outcomes
            .iter()
            .any(|outcome| *outcome != Outcome::Harmless)
    {
        return Some("what is no block has size 0");
    }
    if (violation.is_invalid_free() || violation.is_double_free()) && !is_sure {
        return Some("every invalid free and every double free is caught");
    }
    let has_new_owner = any(&Outcome::MissedInNewOwner);
    match mode {
        Mode::Default => None,
        _ if violation.is_any_double_free() && !is_sure => {
            Some("every double free is caught where all blocks are debugged")
        }
        Mode::SlabDebug => match violation {
            Overflow | Underflow if !cell.is_stopped() => {
                Some("slab_debug catches every write next to a block")
            }
            WriteAfterFree if !is_sure && !has_new_owner => {
                Some("slab_debug catches every write to a free block")
            }
            _ => None,
        },
        Mode::Guard => match violation {
            // Above, a block has no pages of its own there.
            _ if row.size > MOST_GUARDED => None,
            Overflow if !is_sure => Some("guard catches every write after a block"),
            WriteAfterFree | ReadAfterFree if !is_by_fault(cell) && !has_new_owner => {
                Some("guard faults at every use of a free block")
            }
            _ => None,
        },
    }
}

fn is_by_fault(cell: &Cell) -> bool {
    cell.outcomes
        .iter()
        .all(|outcome| *outcome == Outcome::Caught(Stage::Fault))
}

fn explain(cell: &Cell) -> String {
    let broken = cell.outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Broken(why) => Some(why.clone()),
        _ => None,
    });
    broken.unwrap_or_else(|| cell.text())
}

/// All cells, in the order of the rows.
fn run_all(rows: &[&Row], is_likely: impl Fn(usize, usize) -> bool + Sync) -> Vec<[Cell; 3]> {
    let cells = in_parallel(rows.len() * Mode::ALL.len(), |number| {
        let (row, mode) = (number / Mode::ALL.len(), number % Mode::ALL.len());
        run_cell(rows[row], Mode::ALL[mode], is_likely(row, mode))
    });
    let (threes, _) = cells.as_chunks::<3>();
    threes.to_vec()
}

/// Runs a misuse in a mode, more often where it does not end the same way each time.
fn run_cell(row: &Row, mode: Mode, is_likely: bool) -> Cell {
    let once = || match run_row(row, mode.configuration()) {
        Ok(finished) => Outcome::of(row, mode, &finished),
        Err(why) => Outcome::Broken(why),
    };
    let mut cell = Cell {
        outcomes: Vec::new(),
    };
    loop {
        let outcome = once();
        // A hang is not waited for twice.
        let is_broken = matches!(outcome, Outcome::Broken(_));
        cell.outcomes.push(outcome);
        let wanted = match is_likely || cell.is_mixed() {
            true => RUNS_WHERE_LIKELY,
            false => RUNS,
        };
        if is_broken || cell.outcomes.len() == wanted {
            return cell;
        }
    }
}

/// Runs the program once; the error is that it hung.
fn run_row(row: &Row, configuration: Option<&str>) -> Result<Finished, String> {
    let mut command = Command::new(compile(&row.source(), &["-rdynamic"]));
    command.args(row.arguments());
    if let Some(configuration) = configuration {
        command.env("SLUBMALLOC_CONF", configuration);
    }
    // A hang is a panic there; here it is one cell of many.
    catch_unwind(AssertUnwindSafe(|| {
        run(Heap::Slubmalloc, &mut command, PATIENCE)
    }))
    .map_err(|_| format!("{} hangs, or does not start", row.command))
}

/// `work` for all numbers below `count`, by as many threads as there are processors.
fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(count));
    let threads = thread::available_parallelism().map_or(2, |threads| threads.get());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    // ORDERING: Relaxed, only the number's uniqueness matters.
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let result = work(number);
                    results.lock().expect("no panic").push((number, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no panic");
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}
