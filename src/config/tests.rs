//! What texts mean, and what is said of those that mean nothing.
#![forbid(unsafe_code)]

extern crate std;
use super::*;
use crate::modes::Options;
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
        ("", LimitChoice::Found),
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
            (LimitChoice::Found, 1),
            "{text}"
        );
        assert!(lines[0].contains("limit takes SIZE|auto|off, SIZE from 16m on, not"));
    }
}

#[test]
fn what_is_not_understood_is_one_line_each_and_changes_nothing() {
    let (config, lines) = parse("colour:red,arena:1k,reuse,stats:exit");
    assert_eq!(config.heap.arena_bytes, 64 << 30);
    assert_eq!(config.heap.reuse_bytes, DEFAULT_REUSE);
    assert!(config.stats_at_exit);
    assert!(lines[0].ends_with("]: slubmalloc: SLUBMALLOC_CONF: unknown key \"colour\"\n"));
    assert!(lines[1].contains("arena takes SIZE, SIZE from 64m to 4t, not \"1k\"; using the"));
    assert_eq!(lines.len(), 3);
}

#[test]
fn names_of_caches_belong_to_slab_debug() {
    let (config, lines) = parse("slab_debug:Z,kmalloc-64,large;U,kmalloc-*,crime:warn,guard:1/100");
    let options = Options::parse(b"Z,kmalloc-64,large;U,kmalloc-*");
    assert_eq!(Some(config.modes.debug), options);
    assert!(config.only_warn && config.modes.guard == 100 && lines.is_empty());
    let (config, lines) = parse("slab_debug:FZ,kmalloc-7,zero:free,quarantine:1m,guard:2");
    assert_eq!(config.modes.debug, Options::OFF);
    assert!(config.modes.clearing.on_free && !config.modes.clearing.on_alloc);
    assert_eq!((config.modes.quarantine, lines.len()), (1 << 20, 2));
    assert!(lines[0].contains("slab_debug takes") && lines[1].contains("guard takes"));
}

#[test]
fn off_is_off_for_every_key_that_can_be() {
    for key in &KEYS {
        let text = std::format!("{}:off", key.name);
        let (_, lines) = parse(&text);
        let cannot = ["arena", "crime", "profile_rate"].contains(&key.name);
        assert_eq!(lines.len(), usize::from(cannot), "{lines:?}");
        assert!(cannot || key.values.contains("off"), "{}", key.name);
    }
    let (config, _) = parse("slab_debug:FZP,slab_debug:off");
    assert_eq!(config.modes.debug, Options::OFF);
    let text = "quarantine:1m,quarantine:off,reuse:off,purge_ms:off,thp:off";
    let (config, lines) = parse(text);
    assert_eq!((config.modes.quarantine, config.heap.reuse_bytes), (0, 0));
    assert_eq!(config.purge_ms, None);
    assert_eq!(config.heap.huge_pages, HugePages::Never);
    assert!(lines.is_empty());
}

#[test]
fn many_mistakes_are_few_lines() {
    let text: Vec<_> = (0..100)
        .map(|it| std::format!("key{it}:1,thp:{it}"))
        .collect();
    let (_, lines) = parse(&text.join(","));
    let count = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!((count("unknown key"), count("thp takes")), (8, 7));
    assert_eq!(count("93 more unknown keys\n"), 1);
    assert_eq!((count("93 more bad values\n"), lines.len()), (1, 16));
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

#[test]
fn a_preset_is_what_is_not_said_in_so_many_words() {
    let (config, lines) = parse("reuse:64m,preset:tiny,purge_ms:50");
    assert!(config.heap.is_tiny && lines.is_empty());
    assert_eq!(
        (config.heap.reuse_bytes, config.purge_ms),
        (64 << 20, Some(50))
    );
    assert_eq!(parse("preset:tiny").0.heap.reuse_bytes, TINY_REUSE);
    let (config, _) = parse("preset:tiny,preset:off");
    assert!(!config.heap.is_tiny && config.heap.reuse_bytes == DEFAULT_REUSE);
    let (config, lines) = parse("preset:small");
    assert!(!config.heap.is_tiny);
    assert!(lines[0].contains("preset takes tiny|off, not"), "{lines:?}");
}
