//! Reports: how they begin, and what they say of a configuration that is not understood.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::process::Command;
use support::{Finished, Heap, compile, libc_allowed, message_of, run, skipped};

const PATIENCE: Duration = Duration::from_secs(60);
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

#[test]
fn the_first_line_of_every_report_begins_with_program_and_process() {
    for (conf, misuse, signal, message) in [
        ("", "d", Some(SIGABRT), "double free of 0x"),
        ("crime:warn", "d", None, "double free of 0x"),
        (
            "slab_debug:FZP",
            "o",
            Some(SIGABRT),
            "kmalloc-64: Right Redzone overwritten at 0x",
        ),
        (
            "slab_debug:FZP",
            "d",
            Some(SIGABRT),
            "kmalloc-64: Object already free at 0x",
        ),
        ("guard:1/1", "r", Some(SIGSEGV), "use after free: "),
        ("guard:1/1", "d", Some(SIGABRT), "double free of 0x"),
        ("quarantine:1m", "d", Some(SIGABRT), "double free of 0x"),
        ("stats:exit", "n", None, "statistics of version "),
        ("help:1", "n", None, "SLUBMALLOC_CONF: the keys are"),
        (
            "nosuch:1",
            "n",
            None,
            "SLUBMALLOC_CONF: unknown key \"nosuch\"",
        ),
        ("thp:1", "n", None, "SLUBMALLOC_CONF: thp takes "),
    ] {
        let finished = damaged(conf, &[misuse, "64"]);
        if libc_allowed() {
            return skipped("on libc: there are no reports");
        }
        let first = finished.stderr.lines().next().unwrap_or_default();
        let head = format!("c-damaged-c[{}]: slubmalloc: ", finished.process);
        assert!(first.starts_with(&head), "{conf} {misuse}: {finished:?}");
        assert!(finished.report().starts_with(message), "{conf}: {first}");
        assert_eq!(finished.signal(), signal, "{conf} {misuse}: {finished:?}");
    }
}

#[test]
fn the_lines_of_the_kernels_reports_are_the_kernels() {
    let finished = damaged("slab_debug:FZP", &["d", "64"]);
    if libc_allowed() {
        return skipped("on libc: there are no reports");
    }
    let after: Vec<_> = finished.stderr.lines().skip(1).collect();
    assert_eq!(after[0], "=".repeat(77));
    assert_eq!(after[1], "BUG kmalloc-64: Object already free");
    assert!(after.iter().all(|line| message_of(line).is_none()));
}

#[test]
fn a_switched_off_key_leaves_the_default_as_it_is() {
    for key in ["slab_debug", "guard", "quarantine", "zero", "stats", "help"] {
        let finished = damaged(&format!("{key}:off"), &["d", "64"]);
        if libc_allowed() {
            return skipped("on libc: nothing is configured");
        }
        assert_eq!(finished.signal(), Some(SIGABRT), "{key}: {finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{key}: {finished:?}");
        assert!(finished.report().starts_with("double free of 0x"), "{key}");
    }
}

#[test]
fn a_refused_value_is_told_the_bounds() {
    for (conf, bounds) in [
        (
            "limit:1",
            "limit takes SIZE|auto|off, SIZE from 16m on, not \"1\"; ",
        ),
        (
            "arena:off",
            "arena takes SIZE, SIZE from 64m to 4t, not \"off\"; ",
        ),
        (
            "arena:5t",
            "arena takes SIZE, SIZE from 64m to 4t, not \"5t\"; ",
        ),
        (
            "guard:1/0",
            "guard takes 1/N|off, N from 1 to 4294967295, not \"1/0\"; ",
        ),
        ("purge_ms:3600001", "N up to 3600000, not \"3600001\"; "),
        (
            "crime:off",
            "crime takes abort|warn, not \"off\"; using the default, abort",
        ),
    ] {
        let finished = damaged(conf, &["n", "64"]).succeeded();
        if libc_allowed() {
            return skipped("on libc: nothing is configured");
        }
        assert_eq!(finished.stderr.lines().count(), 1, "{conf}: {finished:?}");
        assert!(finished.report().contains(bounds), "{conf}: {finished:?}");
    }
}

#[test]
fn control_characters_of_a_configuration_do_not_reach_the_terminal() {
    let evil = "\x1b]0;title\x07\x1b[2J\r\u{9b}31m\u{7f}";
    for conf in [
        format!("{evil}:1"),
        format!("thp:{evil}"),
        format!("slab_debug:F,{evil}"),
    ] {
        let finished = damaged(&conf, &["n", "64"]).succeeded();
        if libc_allowed() {
            return skipped("on libc: nothing is configured");
        }
        let is_plain = |byte: u8| matches!(byte, b'\n' | b' '..=b'~');
        // The cut is marked by an ellipsis.
        let text = finished.stderr.replace('…', "");
        assert!(text.bytes().all(is_plain), "{finished:?}");
        assert!(text.contains("\\x1b"), "{finished:?}");
        assert_eq!(text.lines().count(), 1, "{finished:?}");
    }
}

#[test]
fn unknown_keys_are_eight_lines_at_most() {
    let keys: Vec<_> = (0..1_000)
        .map(|number| format!("nosuch{number}:1"))
        .collect();
    let finished = damaged(&keys.join(","), &["n", "64"]).succeeded();
    if libc_allowed() {
        return skipped("on libc: nothing is configured");
    }
    let lines: Vec<_> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 8, "{finished:?}");
    assert!(
        lines[7].ends_with(": 993 more unknown keys"),
        "{finished:?}"
    );
}

/// Runs the program that does such misuse.
fn damaged(conf: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(compile("c/damaged.c", &[]));
    command.args(arguments);
    if !conf.is_empty() {
        command.env("SLUBMALLOC_CONF", conf);
    }
    run(Heap::Slubmalloc, &mut command, PATIENCE)
}
