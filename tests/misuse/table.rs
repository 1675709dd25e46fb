//! The table as Markdown: written from what happened, and compared with the one that is stored.

use super::outcome::{Mode, Outcome, Stage};
use super::rows::{Family, Violation};
use core::fmt::Write;
use std::collections::BTreeSet;

/// What happened to one misuse in one mode, over all runs.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) outcomes: Vec<Outcome>,
}

impl Cell {
    /// Whether every run was caught.
    pub(crate) fn is_sure(&self) -> bool {
        self.outcomes.iter().all(Outcome::is_caught)
    }

    /// Whether no run went on as if nothing had been.
    pub(crate) fn is_stopped(&self) -> bool {
        let is_stopped = |outcome: &Outcome| outcome.is_caught() || *outcome == Outcome::Crashed;
        self.outcomes.iter().all(is_stopped)
    }

    /// Whether some runs were caught and some were not.
    pub(crate) fn is_mixed(&self) -> bool {
        !self.is_sure() && self.outcomes.iter().any(Outcome::is_caught)
    }

    /// The cell without the one run of many in which the stray access met a hole: what lies beside a mapping differs from run to
    /// run, and now and then it is nothing.
    pub(crate) fn without_a_hole_by_chance(&self) -> Self {
        let is_hole = |outcome: &Outcome| *outcome == Outcome::Crashed;
        let holes = self.outcomes.iter().filter(|it| is_hole(it)).count();
        let mut cell = self.clone();
        if holes == 1 && self.outcomes.len() >= 10 {
            cell.outcomes.retain(|outcome| !is_hole(outcome));
        }
        cell
    }

    /// As the table says it.
    pub(crate) fn text(&self) -> String {
        if let Some(other) = self.outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Broken(_) => Some("broken"),
            Outcome::Harmless => Some("answers 0"),
            _ => None,
        }) {
            return other.to_owned();
        }
        let stages: BTreeSet<Stage> = self
            .outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Caught(stage) => Some(*stage),
                _ => None,
            })
            .collect();
        let mut wheres: Vec<_> = stages.into_iter().map(Stage::name).collect();
        if self.outcomes.contains(&Outcome::Pattern) {
            wheres.push("pattern");
        }
        let is_crash = |outcome: &Outcome| *outcome == Outcome::Crashed;
        let missed = if self.outcomes.iter().all(is_crash) {
            "crashes"
        } else if self.outcomes.contains(&Outcome::Overlapped) {
            "no, one block for two"
        } else if self.outcomes.contains(&Outcome::MissedInNewOwner) {
            "no, has a new owner"
        } else {
            "no"
        };
        match (wheres.is_empty(), self.is_sure()) {
            (true, _) => missed.to_owned(),
            (false, true) => format!("yes, {}", wheres.join(" or ")),
            (false, false) => format!("likely, {}", wheres.join(" or ")),
        }
    }
}

const HEAD: &str = "\
# What is caught of what

Every row is a small program that does one thing wrong, run for real by `cargo test --test misuse` in each of three configurations. The test
fails when a cell gets better or worse; `SLUBTEST_WRITE=1` writes this file anew. The programs are beside it, their arguments in `rows.rs`.

| cell | means |
|---|---|
| yes | caught in every run: one line or a report that names the violation and the culprit's address, and the process ended |
| likely | caught in some of ten runs |
| no | not caught. What the program damaged is its own: the allocator's state is whole, and what it hands out afterwards belongs to one owner |
| crashes | the guilty access itself meets a hole; nothing is said |
| at once, by fault | in the guilty call; at the guilty instruction |
| at free, at realloc | when the damaged block was freed or resized |
| at flush | when the program freed others |
| at reuse | when the program went on allocating |
| at exit | when `main` had returned |
| pattern | nothing is reported, but what is read is the pattern of fresh memory, freed memory or a red zone, which shows in every debugger |
| answers 0 | nothing to be caught: `malloc_usable_size` says that this is no block |
| one block for two | not caught, and the program went on with one block twice |
| has a new owner | not caught, as the block had been handed out again: nothing tells the old owner from the new |

Sizes are in bytes; up to 48 KiB a block is small, up to 4 MiB large, above huge.
";

/// The whole file; `cells` in the order of the rows, a mode after the other.
pub(crate) fn render(families: &[Family], all: &[[Cell; 3]]) -> String {
    let mut text = HEAD.to_owned();
    let mut cells = all.iter();
    for family in families {
        let _ = write!(text, "\n## {}\n\n| misuse | size |", family.title);
        for mode in Mode::ALL {
            let _ = write!(text, " {} |", mode.name());
        }
        text.push_str("\n|---|--:|---|---|---|\n");
        for row in &family.rows {
            let three = cells.next().expect("cells for every row");
            let _ = write!(text, "| {} | {} |", row.misuse, row.size_text());
            for cell in three {
                let _ = write!(text, " {} |", cell.text());
            }
            text.push('\n');
        }
    }
    let rows = families.iter().flat_map(|family| &family.rows);
    let misuses: Vec<&[Cell; 3]> = rows
        .zip(all)
        .filter_map(|(row, three)| (row.violation != Violation::None).then_some(three))
        .collect();
    text.push_str("\n## Caught in every run\n\n|");
    for mode in Mode::ALL {
        let _ = write!(text, " {} |", mode.name());
    }
    text.push_str("\n|---|---|---|\n|");
    for mode in Mode::ALL {
        let sure = misuses
            .iter()
            .filter(|three| three[mode as usize].is_sure());
        let _ = write!(text, " {} of {} |", sure.count(), misuses.len());
    }
    text.push('\n');
    text
}

/// The cells of a stored table, row by row; none if it is not as `render` writes it.
pub(crate) fn stored_cells(stored: &str, families: &[Family]) -> Option<Vec<[String; 3]>> {
    let body = stored.strip_prefix(HEAD)?;
    let mut lines = body.lines();
    let mut found = Vec::new();
    for family in families {
        // A blank line, the title, a blank line, and the heading of two lines.
        if lines.nth(1)? != format!("## {}", family.title) {
            return None;
        }
        lines.nth(2)?;
        for row in &family.rows {
            let start = format!("| {} | {} | ", row.misuse, row.size_text());
            let cells = lines.next()?.strip_prefix(&start)?.strip_suffix(" |")?;
            let cells: Vec<_> = cells.split(" | ").map(str::to_owned).collect();
            found.push(cells.try_into().ok()?);
        }
    }
    Some(found)
}
