//! Misuse that only Rust and C++ know: wrong layouts, and blocks of `new` that `free` gets.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{
    Finished, Heap, cargo_build, compile, libc_allowed, message_of, run, skipped, target,
};

const PATIENCE: Duration = Duration::from_secs(60);
const SIGABRT: i32 = 6;

#[test]
fn a_rust_program_hears_at_its_end_what_was_wrong() {
    for release in [false, true] {
        let program = rust_program(release);
        for (conf, misuse, signal, message) in [
            ("stats:exit", "right", None, "statistics of version "),
            ("", "late", Some(SIGABRT), "double free of 0x"),
            (
                "slab_debug:Z",
                "overrun",
                Some(SIGABRT),
                "kmalloc-64: Right Redzone overwritten",
            ),
            (
                "guard:1/1",
                "overrun",
                Some(SIGABRT),
                "kmalloc-64: Right Redzone overwritten",
            ),
        ] {
            let finished = ends(&program, conf, misuse);
            assert_eq!(finished.signal(), signal, "{conf} {misuse}: {finished:?}");
            assert!(
                finished.stdout.ends_with("ok\n"),
                "{conf} {misuse}: {finished:?}"
            );
            // Once: the crate and the library under a preload are two heaps, and here is one.
            let heads = finished.stderr.lines().filter_map(message_of);
            assert!(
                heads.eq([finished.report()]),
                "{conf} {misuse}: {finished:?}"
            );
            assert!(
                finished.report().starts_with(message),
                "{conf} {misuse}: {finished:?}"
            );
        }
    }
}

#[test]
fn a_wrong_layout_is_noticed() {
    let program = rust_program(false);
    for (conf, misuse, message) in [
        ("", "longer", "size mismatch in sized free of 0x"),
        ("", "shorter", "size mismatch in sized free of 0x"),
        ("", "aligned", "alignment mismatch in sized free of 0x"),
        ("", "resized", "size mismatch in sized free of 0x"),
        // Where sizes are kept, to the byte.
        (
            "slab_debug:F",
            "nearly",
            "size mismatch in sized free of 0x",
        ),
        ("guard:1/1", "nearly", "size mismatch in sized free of 0x"),
    ] {
        let finished = ends(&program, conf, misuse);
        assert_eq!(
            finished.signal(),
            Some(SIGABRT),
            "{conf} {misuse}: {finished:?}"
        );
        assert!(
            finished.report().starts_with(message),
            "{conf} {misuse}: {finished:?}"
        );
    }
    for conf in [
        "",
        "slab_debug:FZP",
        "guard:1/1",
        "quarantine:1m,zero:free,zero:alloc",
    ] {
        let finished = ends(&program, conf, "right").succeeded();
        assert_eq!(finished.stderr, "", "{conf}");
    }
}

#[test]
fn a_value_that_is_forgotten_in_a_cache_is_told() {
    let finished = ends(&rust_program(false), "", "forgotten").succeeded();
    let message = "cache \"left\" was not destroyed: 1 object is still in use, at 0x";
    assert!(finished.report().starts_with(message), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    assert_eq!(finished.stdout, "ok\n");
}

#[test]
fn what_new_allocates_only_delete_may_free_where_that_is_looked_at() {
    if libc_allowed() {
        return skipped("on libc: nobody looks");
    }
    let wrong = [
        ("new", "free", "new freed by free"),
        ("new-nothrow", "free", "new freed by free"),
        ("new-aligned", "free", "new freed by free"),
        ("new", "realloc", "new freed by free"),
        ("new", "array", "new freed by delete[]"),
        ("array", "free", "new[] freed by free"),
        ("array-nothrow", "delete-sized", "new[] freed by delete"),
        ("array-aligned", "delete-aligned", "new[] freed by delete"),
        ("malloc", "delete", "malloc freed by delete"),
        ("calloc", "delete-sized", "malloc freed by delete"),
        ("memalign", "array-aligned", "malloc freed by delete[]"),
        ("malloc", "array-sized", "malloc freed by delete[]"),
    ];
    for size in ["64", "100000"] {
        for (take, give, what) in wrong {
            for conf in ["", "slab_debug:ZP", "quarantine:1m", "zero:free"] {
                let finished = families(conf, take, give, size).succeeded();
                assert_eq!(finished.stderr, "", "{conf} {take} {give}");
            }
            let finished = families("guard:1/1", take, give, size);
            assert_eq!(
                finished.signal(),
                Some(SIGABRT),
                "{take} {give}: {finished:?}"
            );
            let block = finished.stdout.lines().next().expect("its address");
            let message = format!("{what} of {block} in a block of {size} bytes");
            assert_eq!(finished.report(), message, "{take} {give}: {finished:?}");
            assert!(
                finished.stderr.contains("\nAllocated: age="),
                "{finished:?}"
            );
            // Without more, sanity checks repair and go on.
            let finished = families("slab_debug:F", take, give, size).succeeded();
            let name = if size == "64" { "kmalloc-64" } else { "large" };
            let bug = format!("\nBUG {name}: {what}\n");
            assert!(
                finished.stderr.contains(&bug),
                "{take} {give}: {finished:?}"
            );
            assert!(
                finished
                    .report()
                    .starts_with(&format!("{name}: {what} at 0x"))
            );
            let finished = families("slab_debug:FZ", take, give, size);
            assert_eq!(
                finished.signal(),
                Some(SIGABRT),
                "{take} {give}: {finished:?}"
            );
            let finished = families("guard:1/1,crime:warn", take, give, size).succeeded();
            let report = finished.report();
            assert!(report.starts_with(what), "{finished:?}");
            assert!(report.ends_with("; freed all the same"), "{finished:?}");
        }
        for (take, give) in [
            ("malloc", "free"),
            ("memalign", "realloc"),
            ("new", "delete"),
            ("new-nothrow", "delete-sized"),
            ("new-aligned", "delete-aligned"),
            ("array", "array-sized"),
            ("array-aligned", "array-aligned"),
        ] {
            for conf in ["slab_debug:F", "slab_debug:FZPU", "guard:1/1"] {
                let finished = families(conf, take, give, size).succeeded();
                assert_eq!(finished.stderr, "", "{conf} {take} {give}");
            }
        }
    }
}

/// The Rust program, built now.
fn rust_program(release: bool) -> PathBuf {
    let mut arguments = vec!["--quiet", "-p", "slubmalloc", "--example", "ends"];
    arguments.extend(release.then_some("--release"));
    cargo_build(&arguments, target());
    let profile = if release { "release" } else { "debug" };
    target().join(profile).join("examples/ends")
}

fn ends(program: &Path, conf: &str, misuse: &str) -> Finished {
    // No file of memory for those that abort.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c 0; exec \"$@\"", "sh"]);
    command.arg(program).arg(misuse);
    if !conf.is_empty() {
        command.env("SLUBMALLOC_CONF", conf);
    }
    run(Heap::Libc, &mut command, PATIENCE)
}

fn families(conf: &str, take: &str, give: &str, size: &str) -> Finished {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c 0; exec \"$@\"", "sh"]);
    command.arg("env").arg(format!("SLUBMALLOC_CONF={conf}"));
    command
        .arg(compile("cxx/families.cpp", &[]))
        .args([take, give, size]);
    run(Heap::Slubmalloc, &mut command, PATIENCE)
}
