//! What is found of mistakes with objects of named caches and pools, when, and what reports call them.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use support::{Finished, Heap, compile_with_header, linked_to, run};

const PATIENCE: Duration = Duration::from_secs(60);
const SIGABRT: i32 = 6;

fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| compile_with_header("kmem/debugged.c", &linked_to()))
}

fn ran(configuration: &str, what: &str) -> Finished {
    let mut command = Command::new(program());
    command.arg(what).env("SLUBMALLOC_CONF", configuration);
    run(Heap::Libc, &mut command, PATIENCE)
}

/// The program is ended by a report that has these words.
fn is_found(configuration: &str, what: &str, words: &[&str]) {
    let finished = ran(configuration, what);
    let error = &finished.stderr;
    assert_eq!(
        finished.signal(),
        Some(SIGABRT),
        "{configuration} {what}: {error}"
    );
    for word in words {
        assert!(
            error.contains(word),
            "{configuration} {what}: no {word:?} in {error}"
        );
    }
}

#[test]
fn what_is_written_beside_an_object_is_found_at_the_end() {
    let words = [" beyond object 0x", " of \"inode\": 0x41 instead of 0xcc"];
    for configuration in ["slab_debug:Z", "slab_debug:FZPU,inode", "slab_debug:Z,ino*"] {
        is_found(configuration, "beyond", &words);
    }
    // In the red zone of the object before.
    is_found("slab_debug:FZP", "before", &words);
}

#[test]
fn what_is_written_to_a_free_object_is_found_before_its_memory_goes() {
    for what in ["freed", "freed-shrink", "freed-destroy"] {
        is_found(
            "slab_debug:P",
            what,
            &["write after free to byte 5 of object 0x", " of \"inode\""],
        );
    }
}

#[test]
fn reports_name_the_cache_or_the_pool_of_an_object() {
    is_found("", "twice", &["double free of 0x", " in \"inode\""]);
    is_found("", "inside", &["interior pointer", " in \"inode\""]);
    is_found("", "bulk", &["double free of 0x", " in \"inode\""]);
    is_found("", "pool", &["double free of 0x", " in pool \"requests\""]);
    is_found(
        "guard:1/1",
        "twice",
        &["double free of 0x", " in \"inode\"", "inode"],
    );
    let bulk = ran("", "bulk");
    assert!(!bulk.stderr.contains("kmalloc-"), "{bulk:?}");
}

#[test]
fn reports_have_the_stacks_that_allocated_and_freed_the_object() {
    let both = ["was allocated by", "was freed by", "allocates", "frees"];
    is_found("slab_debug:U", "twice", &both);
    for what in ["inside", "other"] {
        is_found("slab_debug:U", what, &["was allocated by", "allocates"]);
        assert!(!ran("slab_debug:U", what).stderr.contains("was freed by"));
    }
}

#[test]
fn calls_are_traced() {
    let finished = ran("slab_debug:T,inode", "nothing");
    assert!(finished.status.success(), "{finished:?}");
    let count = |what: &str| {
        let line = format!("TRACE \"inode\" {what} 0x");
        finished
            .stderr
            .lines()
            .filter(|it| it.starts_with(&line))
            .count()
    };
    // 500 objects three times and one before; none, one and two of them are not freed.
    assert_eq!((count("alloc"), count("free")), (1501, 1497));
    assert!(!finished.stderr.contains("other"), "{finished:?}");
}

#[test]
fn nothing_is_found_where_nothing_is_wrong_and_damage_is_told_once() {
    for configuration in ["slab_debug:FZPU", "slab_debug:ZP,inode", "guard:1/1", ""] {
        let finished = ran(configuration, "nothing");
        assert!(finished.status.success(), "{configuration}: {finished:?}");
        assert_eq!(finished.stderr, "", "{configuration}");
    }
    let finished = ran("slab_debug:ZP,crime:warn", "beyond");
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(
        finished.stderr.matches("; goes on").count(),
        1,
        "{finished:?}"
    );
}
