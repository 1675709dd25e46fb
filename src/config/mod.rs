//! `SLUBMALLOC_CONF`: from text to numbers.
//!
//! # Invariant
//!
//! Whatever the text, there is a configuration: a bad value leaves the default and is reported
//! in one line.
#![forbid(unsafe_code)]

mod deepbind;
mod keys;

use crate::heap::Settings;
use crate::limit::{Limit, LimitChoice};
use crate::numa::Choice;
use crate::report::Line;
use crate::sys::{self, HugePages};
use crate::units::GRANULE_SIZE;
use crate::watch;
use deepbind::Deepbind;
use keys::{KEYS, MAX_ARENA};

/// What can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// How the heap is made.
    pub(crate) heap: Settings,
    /// How much memory may be in use.
    pub(crate) limit: LimitChoice,
    /// Print statistics when the program ends.
    pub(crate) stats_at_exit: bool,
    /// Milliseconds in which unused memory goes back; `None` for never.
    pub(crate) purge_ms: Option<u64>,
    /// Whether there is a thread for that.
    pub(crate) purge_thread: ThreadChoice,
    /// What is watched.
    pub(crate) watch: watch::Settings,
    /// Which plug-ins are opened as their host says.
    pub(crate) deepbind: Deepbind,
    /// Whether crimes are only named.
    pub(crate) only_warn: bool,
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
const DEFAULT_PURGE_MS: u64 = 1_000;

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
            huge_pages: HugePages::System,
            limit: Limit::off(),
            choice: Choice::Local,
            current_node: sys::current_node,
        };
        Self {
            heap,
            limit: LimitChoice::Auto,
            stats_at_exit: false,
            purge_ms: Some(DEFAULT_PURGE_MS),
            purge_thread: ThreadChoice::Auto,
            watch: watch::Settings::OFF,
            deepbind: Deepbind::OFF,
            only_warn: false,
        }
    }

    /// Applies `text`, pairs `key:value` separated by commas; `complain` gets a line for each that
    /// is not understood.
    #[cold]
    #[inline(never)]
    pub(crate) fn apply(&mut self, text: &[u8], mut complain: impl FnMut(&[u8])) {
        for pair in pairs(text) {
            if pair.is_empty() {
                continue;
            }
            let mut parts = pair.splitn(2, |byte| *byte == b':');
            let name = parts.next().unwrap_or_default();
            let value = parts.next().unwrap_or_default();
            let mut line = Line::<256>::new();
            line.text("slubmalloc: SLUBMALLOC_CONF: ");
            match KEYS.iter().find(|key| key.name.as_bytes() == name) {
                None => line.text("unknown key \"").raw(shown(name)).text("\""),
                Some(key) if (key.set)(self, value).is_some() => continue,
                Some(key) => {
                    line.text(key.name).text(" takes ").text(key.values);
                    line.text(", not \"")
                        .raw(shown(value))
                        .text("\"; using the default, ");
                    line.text(key.default)
                }
            };
            line.text("\n");
            complain(line.as_bytes());
        }
    }
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

/// As much of a text as a line has room for.
fn shown(text: &[u8]) -> &[u8] {
    text.get(..text.len().min(40)).unwrap_or_default()
}

fn print_help() {
    for key in &KEYS {
        let mut line = Line::<200>::new();
        line.text("slubmalloc: ")
            .text(key.name)
            .text(":")
            .text(key.values)
            .column(32);
        line.text(key.does)
            .text(" (default ")
            .text(key.default)
            .text(")\n");
        line.print();
    }
}

/// A number of bytes, with `k`, `m`, `g` or `t` behind it for powers of 1,024.
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::watch::Options;
    use std::{string::String, vec::Vec};

    fn parse(text: &str) -> (Config, Vec<String>) {
        let mut config = Config::new(8 << 30, None);
        let mut lines = Vec::new();
        config.apply(text.as_bytes(), |line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
        });
        (config, lines)
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size(b"12"), Some(12));
        assert_eq!(size(b"3m"), Some(3 << 20));
        assert_eq!(size(b"1G"), Some(1 << 30));
        for bad in [
            &b""[..],
            b"m",
            b"-1",
            b"1mb",
            b"99999999999999999999",
            b"99999999t",
        ] {
            assert_eq!(size(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_pair_counts_and_blanks_do_not() {
        let (config, lines) = parse("arena:1g, reuse:0,,stats:exit,numa:off");
        assert_eq!(config.heap.arena_bytes, 1 << 30);
        assert_eq!(config.heap.reuse_bytes, 0);
        assert!(config.stats_at_exit);
        assert_eq!(config.heap.choice, Choice::Off);
        assert!(lines.is_empty());
    }

    #[test]
    fn a_list_of_nodes_has_commas_of_its_own() {
        let (config, lines) = parse("numa:bind=0,2-3,stats:exit");
        let nodes = crate::numa::NodeSet::from_bits(0b1101);
        assert_eq!(config.heap.choice, Choice::Bind(nodes));
        assert!(config.stats_at_exit && lines.is_empty());
        let (config, lines) = parse("numa:bind=,stats:exit,numa:prefer=1,2");
        assert_eq!((config.heap.choice, lines.len()), (Choice::Local, 2));
    }

    #[test]
    fn a_limit_is_a_size_or_a_word() {
        for (text, limit) in [
            ("", LimitChoice::Auto),
            ("limit:auto", LimitChoice::Auto),
            ("limit:off", LimitChoice::Off),
            ("limit:16m", LimitChoice::Bytes(16 << 20)),
            ("limit:off,limit:2g", LimitChoice::Bytes(2 << 30)),
        ] {
            let (config, lines) = parse(text);
            assert_eq!((config.limit, lines.len()), (limit, 0), "{text}");
        }
        for text in ["limit:15m", "limit:0", "limit:", "limit:none", "limit"] {
            let (config, lines) = parse(text);
            assert_eq!(
                (config.limit, lines.len()),
                (LimitChoice::Auto, 1),
                "{text}"
            );
            assert!(lines[0].contains("limit takes SIZE|auto|off, not"));
        }
    }

    #[test]
    fn what_is_not_understood_is_one_line_each_and_changes_nothing() {
        let (config, lines) = parse("colour:red,arena:1k,reuse,stats:exit");
        assert_eq!(config.heap.arena_bytes, 64 << 30);
        assert_eq!(config.heap.reuse_bytes, DEFAULT_REUSE);
        assert!(config.stats_at_exit);
        assert_eq!(
            lines[0],
            "slubmalloc: SLUBMALLOC_CONF: unknown key \"colour\"\n"
        );
        assert!(lines[1].contains("arena takes SIZE, not \"1k\"; using the default"));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn names_of_caches_belong_to_slab_debug() {
        let (config, lines) =
            parse("slab_debug:Z,kmalloc-64,large;U,kmalloc-*,crime:warn,guard:1/100");
        let options = Options::parse(b"Z,kmalloc-64,large;U,kmalloc-*");
        assert_eq!(Some(config.watch.debug), options);
        assert!(config.only_warn && config.watch.guard == 100 && lines.is_empty());
        let (config, lines) = parse("slab_debug:FZ,nosuch,zero:free,quarantine:1m,guard:2");
        assert_eq!(config.watch.debug, Options::OFF);
        assert!(config.watch.zero_on_free && !config.watch.zero_on_alloc);
        assert_eq!((config.watch.quarantine, lines.len()), (1 << 20, 2));
        assert!(lines[0].contains("slab_debug takes") && lines[1].contains("guard takes"));
    }

    #[test]
    fn reservations_follow_the_machine_and_its_limits() {
        assert_eq!(Config::new(0, None).heap.arena_bytes, 64 << 30);
        assert_eq!(Config::new(100 << 30, None).heap.arena_bytes, 256 << 30);
        assert_eq!(Config::new(100 << 40, None).heap.arena_bytes, 4 << 40);
        assert_eq!(
            Config::new(8 << 30, Some(3 << 30)).heap.arena_bytes,
            3 << 29
        );
    }
}
