//! Named caches, as C programs use them that are linked to the library, shared or static.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::path::PathBuf;
use std::process::Command;
use support::{
    Finished, Heap, compile_with_header, full, fully_static, linked_to, linked_to_api, message_of,
    run,
};

const PATIENCE: Duration = Duration::from_secs(120);
const SIGABRT: i32 = 6;

#[test]
fn objects_are_whole_aligned_and_apart() {
    keeps("objects", &[]);
}

#[test]
fn each_flag_and_each_error_is_as_documented() {
    keeps("flags", &[]);
}

#[test]
fn every_function_honours_and_refuses_the_same_flags() {
    keeps("gfp", &[]);
}

#[test]
fn constructors_and_destructors_run_once_for_each_life() {
    keeps("hooks", &[]);
}

#[test]
fn constructors_and_destructors_run_with_no_lock_held() {
    keeps("apart", &[]);
}

#[test]
fn limits_are_exact_and_bulk_is_all_or_nothing() {
    keeps("limits", &[]);
}

#[test]
fn kmalloc_pages_and_their_errors_are_as_documented() {
    keeps("kmalloc", &[]);
}

#[test]
fn type_safe_memory_stays_until_a_grace_period_has_passed() {
    keeps("rcu", &[]);
}

#[test]
fn type_safe_caches_come_and_go_in_several_threads() {
    keeps("rcu_threads", &[]);
}

#[test]
fn readers_under_liburcu_see_objects_of_their_type() {
    for (flags, heap) in [
        (linked_to(), Heap::Libc),
        (linked_to_api(), Heap::Libc),
        (linked_to(), Heap::Purging),
    ] {
        ran("urcu", &with_urcu(flags), heap, &[]).is_ok();
    }
}

/// Without this the test above would pass if readers saw nothing.
#[test]
fn readers_under_liburcu_need_the_flag_and_the_right_order() {
    for without in ["no-flag", "early-end"] {
        let finished = ran("urcu", &with_urcu(linked_to()), Heap::Libc, &[without]);
        let is_seen = finished
            .stderr
            .contains("an object is none of its type any more");
        let is_killed = finished.signal().is_some();
        assert!(
            !finished.status.success() && (is_seen || is_killed),
            "{finished:?}"
        );
    }
}

fn with_urcu(mut flags: Vec<String>) -> Vec<String> {
    flags.push("-lurcu".to_owned());
    flags
}

#[test]
fn modes_leave_objects_of_caches_as_they_are() {
    for configuration in [
        "crime:abort",
        "quarantine:1m",
        "zero:free",
        "zero:free,zero:alloc",
        "slab_debug:FZPU",
        "guard:1/1",
    ] {
        let mut command = Command::new(program("modes", &linked_to()));
        command.env("SLUBMALLOC_CONF", configuration);
        let finished = run(Heap::Libc, &mut command, PATIENCE);
        assert!(finished.is_ok(), "{configuration}: {}", finished.stderr);
        for (what, mode) in [("cleared", "zero:free"), ("poisoned", "slab_debug")] {
            let line =
                format!("cache \"kept\": its objects are not {what}, since they are constructed");
            let mut lines = finished.stderr.lines().filter_map(message_of);
            let is_said = lines.any(|it| it == line);
            assert_eq!(is_said, configuration.contains(mode), "{}", finished.stderr);
        }
    }
}

#[test]
fn prefilled_sheaves_do_not_fail() {
    keeps("sheaves", &[]);
}

#[test]
fn mempools_wait_and_do_not_fail() {
    keeps("mempool", &[]);
    // What is in quarantine is nobody's reason to wait.
    for conf in ["quarantine:1m", "quarantine:64k,zero:free"] {
        let mut command = Command::new(program("mempool", &linked_to()));
        command.env("SLUBMALLOC_CONF", conf);
        run(Heap::Libc, &mut command, PATIENCE).is_ok();
    }
}

#[test]
fn what_idle_threads_have_at_hand_goes_to_others_and_back() {
    keeps("idle", &[]);
}

#[test]
fn what_must_not_fail_passes_the_process_limit() {
    for flags in [linked_to(), fully_static(), linked_to_api()] {
        let mut command = Command::new(program("beyond", &flags));
        command.env("SLUBMALLOC_CONF", "limit:32m");
        run(Heap::Libc, &mut command, PATIENCE).is_ok();
    }
    for (what, whose) in [
        ("cache", "filler"),
        ("create", "panics"),
        ("kmalloc", "kmalloc"),
        ("pages", "kmalloc"),
    ] {
        let finished = ran("beyond", &linked_to(), Heap::Libc, &[what]);
        let line = format!("out of memory for \"{whose}\", which must not fail");
        assert_eq!(
            finished.signal(),
            Some(SIGABRT),
            "{what}: {}",
            finished.stderr
        );
        assert_eq!(finished.report(), line, "{}", finished.stderr);
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    }
}

#[test]
fn shrinkers_make_room_before_an_allocation_fails() {
    for flags in [linked_to(), fully_static(), linked_to_api()] {
        let mut command = Command::new(program("shrinkers", &flags));
        command.env("SLUBMALLOC_CONF", "limit:48m,purge_thread:off");
        run(Heap::Libc, &mut command, PATIENCE).is_ok();
    }
}

#[test]
fn shrinkers_run_in_the_purge_thread() {
    let mut command = Command::new(program("shrinkers", &linked_to()));
    command
        .arg("background")
        .env("SLUBMALLOC_CONF", "limit:48m,purge_thread:on,stats:exit");
    let finished = run(Heap::Libc, &mut command, PATIENCE);
    finished.is_ok();
}

#[test]
fn caches_are_merged_where_all_of_them_allow_it() {
    keeps("merge", &[]);
}

#[test]
fn objects_cross_threads_ends_and_forks() {
    keeps("threads", &[]);
}

#[test]
fn a_thousand_caches_leave_no_memory_behind() {
    keeps("many", &[if full() { "100" } else { "5" }]);
}

#[test]
fn a_cache_is_as_fast_as_malloc() {
    // A bar for a machine that does something else as well.
    ran(
        "bars",
        &linked_to(),
        Heap::Libc,
        &[if full() { "1.05" } else { "1.5" }],
    )
    .is_ok();
}

#[test]
fn wrong_frees_end_the_process_with_one_line() {
    for (what, words) in [
        ("wrong-cache", "wrong cache: object 0x"),
        ("no-cache", "of no named cache was freed to \"two\""),
        ("wrong-sheaf", "a sheaf of \"one\" was returned to \"two\""),
        ("sheaf-of-other", "a sheaf of \"one\" was used for \"two\""),
        ("sheaf-twice", "use of a returned sheaf 0x"),
        ("no-sheaf", "unknown sheaf 0x"),
        ("no-mempool", "cache \"one\" is no mempool"),
        ("mempool-no-cache", "a mempool of \"two\" is no cache"),
        ("huge", "of no named cache was freed to \"two\""),
        ("nowhere", "of no named cache was freed to \"two\""),
        ("interior", "interior pointer"),
        ("interior-free", "interior pointer"),
        ("twice", "double free"),
        ("twice-free", "double free"),
        ("twice-far", "double free"),
        ("destroyed", "use of a destroyed cache 0x"),
        ("destroyed-twice", "use of a destroyed cache 0x"),
        ("destroyed-free", "use of a destroyed cache 0x"),
        ("twice-checked", "double free"),
        ("wrong-order", "size mismatch in sized free of 0x"),
        ("smaller-order", "size mismatch in sized free of 0x"),
        ("fewer-pages", "size mismatch in sized free of 0x"),
        ("kfree-twice", "double free"),
        (
            "panic",
            "cache \"must be\" was not created: its size is not",
        ),
    ] {
        let finished = ran("misuse", &linked_to(), Heap::Libc, &[what]);
        assert_eq!(
            finished.signal(),
            Some(SIGABRT),
            "{what}: {}",
            finished.stderr
        );
        let last = finished.stderr.lines().last().and_then(message_of);
        let is_right = last.is_some_and(|line| line.contains(words));
        assert!(is_right, "{what}: {}", finished.stderr);
    }
}

#[test]
fn wrong_frees_are_ignored_where_they_are_only_named() {
    for what in [
        "wrong-cache",
        "no-cache",
        "wrong-sheaf",
        "sheaf-of-other",
        "sheaf-twice",
        "no-sheaf",
        "no-mempool",
        "mempool-no-cache",
        "interior",
        "twice",
        "destroyed",
        "destroyed-twice",
        "destroyed-free",
    ] {
        let program = program("misuse", &linked_to());
        let mut command = Command::new(program);
        command.arg(what).env("SLUBMALLOC_CONF", "crime:warn");
        let finished = run(Heap::Libc, &mut command, PATIENCE);
        assert!(
            finished.is_ok() && finished.stderr.contains("; ignored"),
            "{what}: {}",
            finished.stderr
        );
    }
}

#[test]
fn each_function_reports_what_is_no_handle() {
    for flags in [linked_to(), fully_static(), linked_to_api()] {
        let mut command = Command::new(program("handles", &flags));
        command.env("SLUBMALLOC_CONF", "crime:warn");
        let finished = run(Heap::Libc, &mut command, PATIENCE);
        let error = &finished.stderr;
        assert!(finished.is_ok(), "{error}");
        let parts: Vec<_> = error.split("== ").skip(1).collect();
        assert!(parts.len() > 150, "{error}");
        for part in parts {
            let mut lines = part.lines();
            let words = lines.next().unwrap_or_default();
            let said: Vec<_> = lines.filter_map(message_of).collect();
            let [line] = said[..] else {
                panic!("{part}");
            };
            assert!(
                line.contains(words) && line.ends_with("; ignored"),
                "{part}"
            );
        }
    }
}

#[test]
fn writes_beyond_objects_and_after_free_are_seen() {
    for (what, words) in [
        ("beyond", "write 3 bytes beyond object 0x"),
        ("beyond-late", "write 1 bytes beyond object 0x"),
        ("after-free", "write after free to byte 7 of object 0x"),
    ] {
        let finished = ran("misuse", &linked_to(), Heap::Libc, &[what]);
        assert_eq!(
            finished.signal(),
            Some(SIGABRT),
            "{what}: {}",
            finished.stderr
        );
        assert!(
            finished.report().starts_with(words),
            "{what}: {}",
            finished.stderr
        );
        assert!(finished.report().contains(": 0x41 instead of 0x"));
    }
}

#[test]
fn modes_know_caches_by_name() {
    const SIGSEGV: i32 = 11;
    for (configuration, what, signal, words) in [
        (
            "slab_debug:Z,tw*",
            "mode-beyond",
            SIGABRT,
            "write 1 bytes beyond object 0x",
        ),
        (
            "slab_debug:FZ",
            "mode-beyond",
            SIGABRT,
            " of \"two\": 0x41 instead of 0xcc",
        ),
        (
            "guard:1/1",
            "mode-guard",
            SIGSEGV,
            "buffer overflow: write of 0x",
        ),
        ("guard:1/1", "mode-guard", SIGSEGV, " bytes in two"),
        (
            "guard:1/1",
            "wrong-cache",
            SIGABRT,
            "of \"one\" was freed to \"two\"",
        ),
        (
            "quarantine:1m,zero:free",
            "mode-rest",
            SIGABRT,
            "double free",
        ),
        (
            "quarantine:1m",
            "wrong-cache",
            SIGABRT,
            "of \"one\" was freed to \"two\"",
        ),
    ] {
        let mut command = Command::new(program("misuse", &linked_to()));
        command.arg(what).env("SLUBMALLOC_CONF", configuration);
        let finished = run(Heap::Libc, &mut command, PATIENCE);
        let error = &finished.stderr;
        assert_eq!(finished.signal(), Some(signal), "{configuration}: {error}");
        assert!(
            finished.report().contains(words),
            "{configuration}: {error}"
        );
    }
    // Whose objects a mode does not watch.
    let mut command = Command::new(program("misuse", &linked_to()));
    command
        .arg("mode-beyond")
        .env("SLUBMALLOC_CONF", "slab_debug:Z,other");
    assert!(run(Heap::Libc, &mut command, PATIENCE).is_ok());
}

#[test]
fn statistics_have_a_line_for_each_cache() {
    let mut command = Command::new(program("misuse", &linked_to()));
    command.arg("in-use").env("SLUBMALLOC_CONF", "stats:exit");
    let finished = run(Heap::Libc, &mut command, PATIENCE);
    let two = |line: &&str| line.starts_with("two ");
    assert!(finished.is_ok());
    // It has no slab.
    assert_eq!(finished.stderr.lines().find(two), None);
    let mut command = Command::new(program("objects", &linked_to()));
    command.env("SLUBMALLOC_CONF", "stats:exit");
    let finished = run(Heap::Libc, &mut command, PATIENCE);
    assert!(finished.is_ok());
    let lines = finished.stderr.lines();
    let kept = lines.filter(|line| line.starts_with("stays_here "));
    let words: Vec<_> = kept.flat_map(str::split_whitespace).collect();
    assert_eq!(
        words.get(1..3),
        Some(&["128", "3"][..]),
        "{}",
        finished.stderr
    );
}

#[test]
fn names_are_whole_in_json() {
    let finished = ran("names", &linked_to(), Heap::Libc, &[]);
    assert!(finished.status.success(), "{}", finished.stderr);
    for name in [
        r#"say \"it\""#,
        r"back\\slash",
        r"line\u000aand\u0009tab",
        "\\u0001\\u001f\x7f",
        "größe",
        "bad\u{fffd}\u{fffd}",
        "/plain",
    ] {
        let member = format!("{{\"name\":\"{name}\",\"size\":64,");
        assert!(finished.stdout.contains(&member), "{}", finished.stdout);
    }
    let pool = r#"{"name":"a \"pool\"\u000a","used":"#;
    assert!(finished.stdout.contains(pool), "{}", finished.stdout);
}

#[test]
fn caches_and_mempools_are_65535() {
    ran("most", &linked_to(), Heap::Libc, &[]).is_ok();
    let finished = ran("most", &linked_to(), Heap::Libc, &["panic"]);
    assert_eq!(finished.signal(), Some(SIGABRT), "{}", finished.stderr);
    assert_eq!(
        finished.report(),
        "cache \"too much\" was not created: there are 65535 caches and mempools"
    );
}

#[test]
fn an_object_in_use_is_shown_with_the_stack_that_allocated_it() {
    let finished = ran("misuse", &linked_to(), Heap::Libc, &["in-use-by"]);
    assert!(finished.is_ok() && finished.report().contains("1 object is still in use"));
    let second = finished.stderr.lines().nth(1).unwrap_or_default();
    assert!(second.ends_with(" was allocated by"), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("kmem-misuse-c"),
        "{}",
        finished.stderr
    );
}

#[test]
fn what_is_refused_is_one_line() {
    let finished = ran("misuse", &linked_to(), Heap::Libc, &["unknown-flags"]);
    assert!(finished.is_ok() && finished.stderr.lines().count() == 1);
    assert_eq!(
        finished.report(),
        "cache \"name\\x0a\" was not created: unknown flags 0x11"
    );
}

#[test]
fn a_cache_with_objects_in_use_is_kept_and_says_where_they_are() {
    let finished = ran("misuse", &linked_to(), Heap::Libc, &["in-use"]);
    assert!(finished.is_ok() && finished.stderr.lines().count() == 1);
    let line = finished.report();
    assert!(line.starts_with("cache \"one\" was not destroyed: 7 objects are still in use, at 0x"));
    assert!(
        line.matches("0x").count() == 4 && line.ends_with(", …"),
        "{line}"
    );
}

/// Runs a program in each way that it can have the library.
fn keeps(name: &str, arguments: &[&str]) {
    for flags in [linked_to(), fully_static(), linked_to_api()] {
        ran(name, &flags, Heap::Libc, arguments).is_ok();
    }
    // While a thread of its own gives memory back all the time.
    ran(name, &linked_to(), Heap::Purging, arguments).is_ok();
}

fn ran(name: &str, flags: &[String], heap: Heap, arguments: &[&str]) -> Finished {
    run(
        heap,
        Command::new(program(name, flags)).args(arguments),
        PATIENCE,
    )
}

fn program(name: &str, flags: &[String]) -> PathBuf {
    compile_with_header(&format!("kmem/{name}.c"), flags)
}
