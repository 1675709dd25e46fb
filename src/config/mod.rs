//! `SLUBMALLOC_CONF`: from text to numbers.
//!
//! # Invariant
//!
//! Whatever the text, there is a configuration: a bad value leaves the default and is reported
//! in one line.
#![forbid(unsafe_code)]

mod deepbind;
mod keys;
mod ranges;

use crate::heap::Settings;
use crate::limit::{Limit, LimitChoice};
use crate::modes;
use crate::numa::Choice;
use crate::profile::DEFAULT_RATE;
use crate::report::{Line, Output, has_file};
use crate::sys::{self, HugePages};
use crate::units::GRANULE_SIZE;
use deepbind::Deepbind;
use keys::{KEYS, Key};
use ranges::MAX_ARENA;
pub(crate) use ranges::{is_limit, is_profile_rate, is_purge_time};

/// What can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// How the heap is made.
    pub(crate) heap: Settings,
    /// How many clusters of processors have cache nodes of their own; `None` for as many as there are.
    pub(crate) clusters: Option<u8>,
    /// How much memory may be in use.
    pub(crate) limit: LimitChoice,
    /// Print statistics when the program ends.
    pub(crate) stats_at_exit: bool,
    /// Milliseconds in which unused memory goes back; `None` for never.
    pub(crate) purge_ms: Option<u64>,
    /// Whether there is a thread for that.
    pub(crate) purge_thread: ThreadChoice,
    /// The debug modes.
    pub(crate) modes: modes::Settings,
    /// Which plug-ins are opened as their host says.
    pub(crate) deepbind: Deepbind,
    /// Whether violations are only reported.
    pub(crate) only_warn: bool,
    /// Whether the heap is profiled from the start on.
    pub(crate) is_profiled: bool,
    /// Bytes between two samples of that.
    pub(crate) profile_rate: u64,
}

/// When there is a thread that gives unused memory back while the program sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadChoice {
    /// When the program has several threads and much is unused.
    Auto,
    /// As soon as the program allocates.
    On,
    /// Never.
    Off,
}

/// The reservation for a small machine, so that no program meets its end.
const LEAST_DEFAULT_ARENA: usize = 64 << 30;
/// Of a limit on address space, arenas take this share and leave the rest to mappings.
const LIMIT_SHARE: usize = 2;
const DEFAULT_REUSE: usize = 64 << 20;
const TINY_REUSE: usize = 16 << 20;
const DEFAULT_PURGE_MS: u64 = 1_000;

/// Clusters of processors have cache nodes of their own from one more thread on, unless their number is told.
const FEW_THREADS: usize = 8;

impl Config {
    /// The configuration of a machine with `ram` bytes whose limit on address space leaves `limit`.
    pub(crate) fn new(ram: usize, limit: Option<usize>) -> Self {
        let wanted = ram.saturating_mul(2).clamp(LEAST_DEFAULT_ARENA, MAX_ARENA);
        let arena_bytes = match limit {
            None => wanted.next_power_of_two().min(MAX_ARENA),
            Some(left) => wanted.min(left / LIMIT_SHARE) / GRANULE_SIZE * GRANULE_SIZE,
        };
        let heap = Settings {
            arena_bytes,
            reuse_bytes: DEFAULT_REUSE,
            is_tiny: false,
            is_eager: false,
            shares_bins: true,
            huge_pages: HugePages::System,
            limit: Limit::off(),
            choice: Choice::Local,
            current_node: sys::current_node,
            clusters: 1,
            current_cluster: || 0,
            few_threads: FEW_THREADS,
        };
        Self {
            heap,
            clusters: None,
            limit: LimitChoice::Found,
            stats_at_exit: false,
            purge_ms: Some(DEFAULT_PURGE_MS),
            purge_thread: ThreadChoice::Auto,
            modes: modes::Settings::OFF,
            deepbind: Deepbind::OFF,
            only_warn: false,
            is_profiled: false,
            profile_rate: DEFAULT_RATE,
        }
    }

    /// Less memory, and more time for that: threads keep little, and what is free goes back; or as always.
    fn be_tiny(&mut self, is_tiny: bool) {
        self.heap.is_tiny = is_tiny;
        self.heap.reuse_bytes = if is_tiny { TINY_REUSE } else { DEFAULT_REUSE };
    }

    /// What follows from all keys together.
    pub(crate) fn conclude(&mut self, has_modes: bool) {
        let heap = &mut self.heap;
        let may_go = self.purge_ms.is_some() && heap.huge_pages != HugePages::Always;
        heap.is_eager = heap.is_tiny && may_go;
        // The modes know a block by its class.
        heap.shares_bins &= !has_modes;
    }

    /// Whether the program's end may have something to say on standard error.
    pub(crate) fn needs_standard_error(&self) -> bool {
        let reports = self.only_warn || self.modes.finds_misuse();
        reports && !has_file(Output::Reports) || self.stats_at_exit && !has_file(Output::Statistics)
    }

    /// Applies `text`, pairs `key:value` separated by commas; `complain` gets a line for each that
    /// is not understood, up to a number.
    #[cold]
    #[inline(never)]
    pub(crate) fn apply(&mut self, text: &[u8], mut complain: impl FnMut(&[u8])) {
        let (mut unknown, mut refused) = (0, 0);
        // A key that is set explicitly counts more than a preset, wherever that stands.
        let (presets, others) = (settings(text, true), settings(text, false));
        for (name, value) in presets.chain(others) {
            let key = KEYS.iter().find(|key| key.name.as_bytes() == name);
            if key.is_some_and(|key| (key.set)(self, value).is_some()) {
                continue;
            }
            let count = match key {
                None => &mut unknown,
                Some(_) => &mut refused,
            };
            *count += 1;
            if *count < MOST_LINES {
                complain(complaint(key, name, value).as_bytes());
            }
        }
        for (count, what) in [
            (unknown, " more unknown keys"),
            (refused, " more bad values"),
        ] {
            if count >= MOST_LINES {
                let mut line = beginning();
                line.number(count + 1 - MOST_LINES).text(what).text("\n");
                complain(line.as_bytes());
            }
        }
    }
}

/// The keys and values of `text`: the presets, or all others.
fn settings(text: &[u8], is_preset: bool) -> impl Iterator<Item = (&[u8], &[u8])> {
    pairs(text)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b':');
            let name = parts.next().unwrap_or_default();
            (name, parts.next().unwrap_or_default())
        })
        .filter(move |(name, _)| (*name == b"preset") == is_preset)
}

/// Lines for unknown keys at most, and as many for values that are refused; the last one counts the rest.
const MOST_LINES: usize = 8;

/// Bytes of a bad key or value that are shown.
const SHOWN: usize = 40;

/// A line about a key that is not known, or about a value that it does not take.
#[inline(never)]
fn complaint(key: Option<&Key>, name: &[u8], value: &[u8]) -> Line<512> {
    let mut line = beginning();
    match key {
        None => line.text("unknown key ").quoted(name, SHOWN),
        Some(key) => {
            line.text(key.name).text(" takes ").text(key.values);
            if !key.bounds.is_empty() {
                line.text(", ").text(key.bounds);
            }
            line.text(", not ").quoted(value, SHOWN);
            line.text("; using the default, ").text(key.default)
        }
    };
    line.text("\n");
    line
}

fn beginning() -> Line<512> {
    let mut line = Line::headline();
    line.text("SLUBMALLOC_CONF: ");
    line
}

/// The parts between commas. A part that begins with a digit belongs to the one before, since that
/// one has a list and no key begins so; and what has no colon belongs to `slab_debug`, which has a list of names.
fn pairs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let has_names = rest.trim_ascii_start().starts_with(b"slab_debug:");
        let is_end = |(place, byte): (usize, &u8)| {
            let next = rest.get(place + 1..).unwrap_or_default();
            let mut word = next
                .split(|byte| *byte == b',')
                .next()
                .into_iter()
                .flatten();
            let is_name = has_names && !next.is_empty() && !word.any(|byte| *byte == b':');
            *byte == b',' && !next.first().is_some_and(u8::is_ascii_digit) && !is_name
        };
        let end = rest
            .iter()
            .enumerate()
            .position(is_end)
            .unwrap_or(rest.len());
        let pair = rest.get(..end).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(pair.trim_ascii())
    })
}

/// Where the help's second and third column begin, and where its lines end.
const HELP_COLUMNS: [usize; 2] = [16, 45];
const HELP_WIDTH: usize = 96;

/// Prints the keys in columns, and below each what it does.
fn print_help() {
    let mut line = beginning();
    line.text("the keys are\n").print_on_stderr();
    let [second, third] = HELP_COLUMNS;
    let row = |name: &str, default: &str, values: &str| {
        let mut line = Line::<256>::new();
        line.text("  ").text(name).column(second).text(default);
        line.column(third).text(values).text("\n");
        line.print_on_stderr();
    };
    row("key", "default", "values");
    for key in &KEYS {
        row(key.name, key.default, key.values);
        print_wrapped(key.does, second);
        print_wrapped(key.bounds, second);
    }
}

/// Prints a text from a column on, in as many lines as it needs.
fn print_wrapped(text: &str, column: usize) {
    let mut line = Line::<256>::new();
    for word in text.split_ascii_whitespace() {
        let end = line.as_bytes().len() + 1 + word.len();
        if end > HELP_WIDTH {
            line.text("\n").print_on_stderr();
            line = Line::new();
        }
        line.column(column - 1).text(" ").text(word);
    }
    if !text.is_empty() {
        line.text("\n").print_on_stderr();
    }
}

/// A number of bytes, with `k`, `m`, `g` or `t` after it for powers of 1,024.
fn size(text: &[u8]) -> Option<usize> {
    let (digits, shift) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 10),
        (b'm' | b'M', digits) => (digits, 20),
        (b'g' | b'G', digits) => (digits, 30),
        (b't' | b'T', digits) => (digits, 40),
        _ => (text, 0),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0_usize, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| usize::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    number.checked_mul(1 << shift)
}

/// As [`size`], and `off` for 0.
fn size_or_off(text: &[u8]) -> Option<usize> {
    if text == b"off" { Some(0) } else { size(text) }
}

#[cfg(test)]
mod tests;
