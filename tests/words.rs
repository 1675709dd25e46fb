//! `scripts/words.py`: that it finds the phrases of its list, and where it does not look.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::process::Command;
use support::{Finished, Heap, run, scratch, skip_unless};
#[test]
fn a_phrase_is_named_with_its_place_and_a_better_one() {
    skip_unless!("python3");
    let found = words(
        "page.md",
        "A fine line.\nIt is what waits in Purge Rounds.\n",
    );
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let lines: Vec<_> = found.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{found:?}");
    assert!(
        lines[0].ends_with("page.md:2: “Purge Rounds”: purge"),
        "{found:?}"
    );
    assert!(
        lines[1].ends_with("page.md:2: “what waits”: what is cached"),
        "{found:?}"
    );
}

#[test]
fn code_in_a_page_is_left_out() {
    skip_unless!("python3");
    let page =
        "Say `crime:warn`:\n\n    program behind\n\n```text\ncrime\n```\n\nLeave it alone.\n";
    let found = words("code.md", page);
    assert_eq!((found.status.code(), found.stdout.as_str()), (Some(0), ""));
}

#[test]
fn comments_of_scripts_are_looked_at() {
    skip_unless!("python3");
    let found = words("script.sh", "# Run it so often.\nconf=crime:warn\n");
    assert_eq!(found.stdout.lines().count(), 1, "{found:?}");
    assert!(
        found.stdout.contains("script.sh:1: “so often”"),
        "{found:?}"
    );
}

/// What the script says of a file.
fn words(name: &str, text: &str) -> Finished {
    let file = scratch(name).join(name);
    fs::write(&file, text).expect("a file");
    let mut command = Command::new(support::root().join("scripts/words.py"));
    run(Heap::Libc, command.arg(&file), Duration::from_secs(60))
}
