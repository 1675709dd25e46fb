//! Misuse, one program per violation: each dies by SIGABRT with one line that reports the violation and the culprit.
//!
//! The fast path of `free` looks at neither the object nor its slab, so violations with small objects are seen
//! at the latest when the sheaves are flushed; their programs drive that flush. All others die on the spot.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::process::Command;
use support::{Heap, compile, libc_allowed, message_of, run, skipped};

/// How the reports name the violations, any of the words being right: the only place that knows.
const INVALID_FREE: &[&str] = &["invalid free"];
const DOUBLE_FREE: &[&str] = &["double free"];
const INTERIOR: &[&str] = &["interior pointer"];
const SIZE_MISMATCH: &[&str] = &["size mismatch"];
/// An object that malloc never returned is free already: both names are true.
const NEVER_RETURNED: &[&str] = &["invalid free", "double free", "interior pointer"];
/// realloc of what is no longer, or never was, a block.
const INVALID_REALLOC: &[&str] = &[
    "invalid realloc",
    "invalid free",
    "double free",
    "interior pointer",
];

const SIGABRT: i32 = 6;

#[test]
fn freeing_a_stack_variable() {
    dies_of(INVALID_FREE, "free_stack", &[]);
}

#[test]
fn freeing_a_static_variable() {
    dies_of(INVALID_FREE, "free_static", &[]);
}

#[test]
fn freeing_before_anything_was_allocated() {
    dies_of(INVALID_FREE, "free_first_of_all", &[]);
}

#[test]
fn freeing_the_programs_own_mapping() {
    dies_of(INVALID_FREE, "free_mapped", &[]);
}

#[test]
fn freeing_an_unmapped_address() {
    for address in [
        "0x1",
        "0x10",
        "0x10000",
        "0x123456789000",
        "0x7ffffffff000",
        "0xdead000000000000",
        "0xfffffffffffffff0",
    ] {
        dies_of(INVALID_FREE, "free_wild", &[address]);
    }
}

#[test]
fn freeing_far_behind_a_real_block() {
    // 64 MiB to 1 TiB: the arena's reserved but uncommitted range, and beyond it.
    for distance in [
        "0x4000000",
        "0x10000000",
        "0x40000000",
        "0x400000000",
        "0x10000000000",
    ] {
        dies_of(INVALID_FREE, "free_far_away", &[distance]);
    }
}

#[test]
fn freeing_an_object_that_was_never_returned() {
    dies_of(NEVER_RETURNED, "free_never_returned", &[]);
}

#[test]
fn freeing_the_inside_of_a_small_object() {
    for (size, offset) in [
        ("64", "1"),
        ("64", "8"),
        ("64", "16"),
        ("64", "32"),
        ("1000", "16"),
        ("1000", "512"),
        ("20000", "4096"),
    ] {
        dies_of(INTERIOR, "interior_small", &[size, offset]);
    }
}

#[test]
fn freeing_the_inside_of_a_large_object() {
    for offset in ["1", "16", "4096", "65536"] {
        dies_of(INTERIOR, "interior_big", &["100000", offset]);
    }
    dies_of(INTERIOR, "interior_big", &["4000000", "0x200000"]);
}

#[test]
fn freeing_the_inside_of_a_huge_object() {
    for offset in ["1", "16", "4096", "0x800000"] {
        dies_of(INTERIOR, "interior_big", &["16777216", offset]);
    }
}

#[test]
fn freeing_a_large_object_twice() {
    for size in ["40000", "100000", "1000000", "4000000"] {
        dies_of(DOUBLE_FREE, "double_free_big", &[size]);
    }
}

#[test]
fn freeing_a_huge_object_twice() {
    // Once unmapped, nothing need remember that this address ever was a block.
    dies_of(DOUBLE_FREE, "double_free_big", &["16777216"]);
}

#[test]
fn freeing_a_small_object_twice() {
    for size in ["16", "64", "1000", "20000"] {
        dies_of(DOUBLE_FREE, "double_free_small", &[size]);
    }
}

#[test]
fn freeing_a_small_object_twice_in_a_thread_that_ends() {
    dies_of(DOUBLE_FREE, "double_free_at_thread_end", &["64"]);
}

#[test]
fn freeing_a_small_object_in_two_threads() {
    dies_of(DOUBLE_FREE, "double_free_across_threads", &["64"]);
}

#[test]
fn freeing_a_small_object_in_two_threads_while_its_slab_changes_hands() {
    dies_of(DOUBLE_FREE, "double_free_reused", &[]);
}

#[test]
fn a_handler_that_allocates_is_not_kept_waiting() {
    for place in ["1", "0"] {
        dies_of(DOUBLE_FREE, "handled", &[place]);
    }
}

#[test]
fn reallocating_what_is_not_a_block() {
    for culprit in ["stack", "freed", "interior"] {
        dies_of(INVALID_REALLOC, "realloc_invalid", &[culprit]);
    }
}

#[test]
fn freeing_with_a_wrong_size() {
    for (real, stated) in [
        ("64", "4096"),
        ("4096", "64"),
        ("64", "100000"),
        ("100000", "64"),
        ("100000", "200000"),
        ("16777216", "64"),
    ] {
        dies_of(SIZE_MISMATCH, "wrong_size", &[real, stated]);
    }
}

/// Runs `violations/{program}.c` and reads its death; on libc it is only run, for libc words it differently.
fn dies_of(words: &[&str], program: &str, arguments: &[&str]) {
    let criminal = compile(&format!("violations/{program}.c"), &[]);
    let finished = run(
        Heap::Slubmalloc,
        Command::new(criminal).args(arguments),
        Duration::from_secs(30),
    );
    let what = format!(
        "{program} {arguments:?}: {}\nstdout:\n{}stderr:\n{}",
        finished.status, finished.stdout, finished.stderr
    );
    if libc_allowed() {
        return skipped(&format!("on libc: {program}"));
    }
    assert_eq!(finished.signal(), Some(SIGABRT), "{what}");
    let report = finished
        .stderr
        .strip_suffix('\n')
        .unwrap_or(&finished.stderr);
    assert!(
        message_of(report).is_some() && !report.contains('\n'),
        "not one line: {what}"
    );
    assert!(
        words.iter().any(|words| report.contains(words)),
        "not called {words:?}: {what}"
    );

    let culprit = finished
        .stdout
        .lines()
        .next()
        .and_then(address_in)
        .expect("the program names its culprit");
    assert_eq!(
        address_in(report),
        Some(culprit),
        "not the culprit's address: {what}"
    );
}

/// The first number written as 0x….
fn address_in(text: &str) -> Option<u64> {
    let digits = &text[text.find("0x")? + 2..];
    let end = digits
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(digits.len());
    u64::from_str_radix(&digits[..end], 16).ok()
}
