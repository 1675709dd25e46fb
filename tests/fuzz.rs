//! Random and stored lists of operations on the built library, by the program of tests/fuzz.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::{Finished, Heap, cargo_build, compile, library, root, run, scratch, target};

const PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn random_lists_find_nothing_wrong() {
    finds_nothing(&["--seconds", "6", "--pools"]);
}

#[test]
fn random_lists_find_nothing_wrong_while_memory_goes_back_at_once() {
    let conf = "purge_ms:0,purge_thread:on";
    finds_nothing(&["--seconds", "3", "--pools", "--conf", conf]);
}

/// Without pools, which take all memory there is in pieces: then none is left for the threads of the lists.
#[test]
fn random_lists_find_nothing_wrong_where_memory_is_short() {
    finds_nothing(&["--seconds", "3", "--conf", "limit:64m"]);
}

#[test]
fn what_blocks_get_and_give_up_is_as_clearing_and_quarantine_say() {
    finds_nothing_in_one_thread(&[
        "zero:free",
        "zero:alloc",
        "zero:free,zero:alloc,purge_ms:0",
        "preset:tiny",
        "quarantine:64m",
    ]);
}

#[test]
fn what_blocks_get_and_give_up_is_as_each_debug_mode_says() {
    finds_nothing_in_one_thread(&[
        "zero:free,quarantine:16m",
        "slab_debug:F",
        "slab_debug:FZP",
        "zero:free,slab_debug:FZ",
        "guard:1/1",
    ]);
}

#[test]
fn random_lists_find_nothing_wrong_in_the_tables() {
    finds_nothing(&["--seconds", "3", "--face", "rust"]);
}

#[test]
fn stored_lists_find_nothing_wrong() {
    for face in ["c", "rust"] {
        let mut replay = vec!["--face", face, "--replay"];
        let lists = stored_lists();
        replay.extend(
            lists
                .iter()
                .map(|path| path.to_str().expect("a plain path")),
        );
        finds_nothing(&replay);
    }
}

/// Without this the others would pass if the program saw nothing.
#[test]
fn a_mistake_is_found_and_the_list_that_shows_it_is_short() {
    let broken = compile("fuzz/broken.c", &["-shared", "-fPIC"]);
    let saved = scratch("mistake");
    let finished = fuzz(
        &broken,
        &[
            "--seconds",
            "30",
            "--save",
            saved.to_str().expect("a plain path"),
        ],
    );
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("memory that must be zero is not"),
        "{finished:?}"
    );
    let lists: Vec<_> = fs::read_dir(&saved).expect("its lists").collect();
    assert_eq!(lists.len(), 1, "{finished:?}");
    let list = lists[0].as_ref().expect("its list");
    let bytes = list.metadata().expect("its size").len();
    // One operation, and the one that sets which sizes there are.
    assert!((6..=12).contains(&bytes), "{finished:?}");
}

fn stored_lists() -> Vec<PathBuf> {
    let lists = fs::read_dir(root().join("tests/fuzz/corpus")).expect("the stored lists");
    let lists: Vec<_> = lists
        .map(|list| list.expect("a stored list").path())
        .collect();
    assert!(!lists.is_empty());
    lists
}

fn finds_nothing(arguments: &[&str]) {
    let finished = fuzz(library(), arguments).succeeded();
    println!("{}", finished.stdout);
    assert_eq!(finished.stdout.lines().next_back(), Some("ok"));
}

/// With one list, so that nobody else takes what it gave up before that was looked at.
fn finds_nothing_in_one_thread(configurations: &[&str]) {
    for conf in configurations {
        let arguments = [
            "--seconds",
            "3",
            "--threads",
            "1",
            "--pools",
            "--conf",
            conf,
        ];
        finds_nothing(&arguments);
    }
}

/// Runs the program, which preloads the allocator into children of its own.
fn fuzz(allocator: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(program());
    command.arg("--library").arg(allocator);
    command.args(["--minimise", "30"]).args(arguments);
    command.current_dir(target());
    run(Heap::Libc, &mut command, PATIENCE)
}

/// The program, built now.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let directory = target().join("fuzz");
        let manifest = "tests/fuzz/Cargo.toml";
        cargo_build(&["--release", "--manifest-path", manifest], &directory);
        directory.join("release/operations")
    })
}
