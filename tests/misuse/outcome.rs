//! What became of one run of a misuse, read from how the program died and from what it said on the way.

use super::rows::{Row, Violation};
use crate::support::{Finished, message_of};

const SIGABRT: i32 = 6;
const SIGBUS: i32 = 7;
const SIGSEGV: i32 = 11;

/// How slubmalloc is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As it comes.
    Default,
    /// Every allocation debugged, the kernel's way.
    SlabDebug,
    /// Every allocation on guarded pages.
    Guard,
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::Default, Self::SlabDebug, Self::Guard];

    /// The heading of its column, and what `SLUBMALLOC_CONF` says.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::SlabDebug => "slab_debug:FZPU",
            Self::Guard => "guard:1/1",
        }
    }

    /// What to set, if anything.
    pub(crate) fn configuration(self) -> Option<&'static str> {
        (self != Self::Default).then(|| self.name())
    }
}

/// Where a misuse was caught, in the order in which a program gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Misuse,
    Fault,
    Free,
    Realloc,
    Flush,
    Reuse,
    Exit,
}

impl Stage {
    /// By the last word of the program.
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "misuse" => Self::Misuse,
            "free" => Self::Free,
            "realloc" => Self::Realloc,
            "flush" => Self::Flush,
            "reuse" => Self::Reuse,
            "exit" => Self::Exit,
            _ => return None,
        })
    }

    /// As the table says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Misuse => "at once",
            Self::Fault => "by fault",
            Self::Free => "at free",
            Self::Realloc => "at realloc",
            Self::Flush => "at flush",
            Self::Reuse => "at reuse",
            Self::Exit => "at exit",
        }
    }
}

/// What became of one run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Reported, and the process ended.
    Caught(Stage),
    /// What was read gave itself away.
    Pattern,
    /// Nothing was done wrong, and nothing happened.
    Harmless,
    /// The program got away, and afterwards its memory was its own.
    Missed,
    /// The stray access met a hole, and nothing was said.
    Crashed,
    /// As `Missed`, but the block had an honest new owner by then, so that the misuse is no violation to be seen.
    MissedInNewOwner,
    /// Blocks of an honest program overlapped afterwards.
    Overlapped,
    /// None of these: a hang, a report that lies, an allocator that lost its way.
    Broken(String),
}

impl Outcome {
    /// Whether the program's user sees that something was wrong.
    pub(crate) fn is_caught(&self) -> bool {
        matches!(self, Self::Caught(_) | Self::Pattern)
    }

    /// Reads a run.
    pub(crate) fn of(row: &Row, mode: Mode, finished: &Finished) -> Self {
        match read(row, mode, finished) {
            Ok(outcome) => outcome,
            Err(why) => Self::Broken(format!(
                "{why}: {}\nstdout:\n{}stderr:\n{}",
                finished.status, finished.stdout, finished.stderr
            )),
        }
    }
}

fn read(row: &Row, mode: Mode, finished: &Finished) -> Result<Outcome, &'static str> {
    let said = Said::of(&finished.stdout);
    match (finished.signal(), finished.status.code()) {
        (None, Some(0)) => {
            let is_quiet = finished.stderr.is_empty();
            if !is_quiet {
                return Err("the program got away, and yet something was said");
            }
            if !said.has("got away") || !said.has("exit") {
                return Err("the program ended before its end");
            }
            Ok(match row.violation {
                Violation::None if said.has("harmless") => Outcome::Harmless,
                _ if said.has("pattern") => Outcome::Pattern,
                _ if said.has("again") => Outcome::MissedInNewOwner,
                _ => Outcome::Missed,
            })
        }
        (None, Some(3)) if said.has("damaged") => Ok(Outcome::Overlapped),
        (Some(SIGABRT), _) => {
            let stage = said.last_stage().ok_or("it died before the misuse")?;
            check_report(row, mode, &said, &finished.stderr, Stage::Misuse)?;
            Ok(Outcome::Caught(stage))
        }
        (Some(SIGSEGV | SIGBUS), _) if finished.stderr.is_empty() => {
            // A stray access may meet a hole; one by the allocator, or by an honest program later, may not.
            let is_own = said.last_stage() == Some(Stage::Misuse) && row.violation.is_access();
            if is_own {
                Ok(Outcome::Crashed)
            } else {
                Err("a fault without a report")
            }
        }
        (Some(SIGSEGV), _) => {
            if said.last_stage() != Some(Stage::Misuse) || !row.violation.is_access() {
                return Err("a fault later than the guilty access");
            }
            check_report(row, mode, &said, &finished.stderr, Stage::Fault)?;
            Ok(Outcome::Caught(Stage::Fault))
        }
        _ => Err("an end that is none of those expected"),
    }
}

/// What the program said on the way.
struct Said<'text> {
    lines: Vec<&'text str>,
    /// The block, and the guilty addresses from and to.
    blamed: Option<(u64, u64, u64)>,
}

impl<'text> Said<'text> {
    fn of(stdout: &'text str) -> Self {
        let lines: Vec<_> = stdout.lines().collect();
        let blame = lines
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("blame "));
        let numbers: Vec<_> = blame
            .into_iter()
            .flat_map(str::split_whitespace)
            .filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())
            .collect();
        let blamed = match numbers[..] {
            [block, from, to] => Some((block, from, to)),
            _ => None,
        };
        Self { lines, blamed }
    }

    fn has(&self, word: &str) -> bool {
        self.lines.contains(&word)
    }

    fn last_stage(&self) -> Option<Stage> {
        self.lines.iter().rev().find_map(|line| Stage::of(line))
    }
}

/// Whether the report reports the violation and the culprit.
fn check_report(
    row: &Row,
    mode: Mode,
    said: &Said<'_>,
    report: &str,
    stage: Stage,
) -> Result<(), &'static str> {
    let (block, from, to) = said.blamed.ok_or("the program blames nobody")?;
    let is_long = report.contains("BUG ") || stage == Stage::Fault;
    if is_long && row.violation.has_block() {
        let has_owners = report.contains("\nAllocated: ")
            && (!row.violation.is_of_free_block() || report.contains("\nFreed: "));
        if !has_owners {
            return Err("the report does not tell who had the block");
        }
    }
    if mode == Mode::Default {
        let is_line = message_of(report).is_some() && report.lines().count() == 1;
        if !is_line {
            return Err("the report is not one line");
        }
        if numbers_in(report).next() != Some(block) {
            return Err("the report does not give the culprit's address");
        }
    }
    if !row
        .violation
        .words(mode, stage)
        .iter()
        .any(|words| report.contains(words))
    {
        return Err("the report does not name the violation");
    }
    let is_guilty = |address| address == block || (from..to).contains(&address);
    if !numbers_in(report).any(is_guilty) {
        return Err("the report names no guilty address");
    }
    Ok(())
}

/// All that can be read as an address: hexadecimal digits, with or without 0x.
fn numbers_in(text: &str) -> impl Iterator<Item = u64> {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != 'x')
        .filter_map(|word| match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => (word.len() >= 12)
                .then(|| u64::from_str_radix(word, 16).ok())
                .flatten(),
        })
}
