//! Reports: how they begin, where they go, and what they say of a configuration that is not understood.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{
    Finished, Heap, compile, libc_allowed, message_of, preload_into, root, run, scratch,
    skip_unless, skipped, target,
};

const PATIENCE: Duration = Duration::from_secs(60);
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

#[test]
fn the_first_line_of_every_report_begins_with_program_and_process() {
    for (conf, deed, signal, message) in [
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
        let finished = damaged(conf, &[deed, "64"]);
        if libc_allowed() {
            return skipped("on libc: there are no reports");
        }
        let first = finished.stderr.lines().next().unwrap_or_default();
        let head = format!("c-damaged-c[{}]: slubmalloc: ", finished.process);
        assert!(first.starts_with(&head), "{conf} {deed}: {finished:?}");
        assert!(finished.report().starts_with(message), "{conf}: {first}");
        assert_eq!(finished.signal(), signal, "{conf} {deed}: {finished:?}");
    }
}

#[test]
fn the_lines_of_the_kernels_reports_are_the_kernels() {
    let finished = damaged("slab_debug:FZP", &["d", "64"]);
    if libc_allowed() {
        return skipped("on libc: there are no reports");
    }
    let behind: Vec<_> = finished.stderr.lines().skip(1).collect();
    assert_eq!(behind[0], "=".repeat(77));
    assert_eq!(behind[1], "BUG kmalloc-64: Object already free");
    assert!(behind.iter().all(|line| message_of(line).is_none()));
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

/// Runs the program that does such deeds.
fn damaged(conf: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(compile("c/damaged.c", &[]));
    command.args(arguments);
    if !conf.is_empty() {
        command.env("SLUBMALLOC_CONF", conf);
    }
    run(Heap::Slubmalloc, &mut command, PATIENCE)
}

#[test]
fn what_is_said_at_the_end_survives_a_closed_standard_error() {
    if libc_allowed() {
        return skipped("on libc: nothing is said at the end");
    }
    let statistics = "statistics of version ";
    let overrun = "kmalloc-64: Right Redzone overwritten at 0x";
    for (conf, deed, message) in [
        ("stats:exit", "count", statistics),
        ("slab_debug:Z", "overrun", overrun),
        ("crime:warn", "late", "double free of 0x"),
    ] {
        for to_pipe in [false, true] {
            // All that closes descriptors, as daemons and coreutils do it.
            for acts in [
                &["close2"][..],
                &["closefrom", "close2"],
                &["range", "close2"],
                &["loop", "close2"],
                &["fork", "close2"],
            ] {
                let acts: Vec<_> = acts.iter().chain(&[deed]).copied().collect();
                // Where the limit may be raised, the copy lies above it.
                let finished = run_limited(conf, &acts, to_pipe);
                let what = format!("{conf} {acts:?} {to_pipe}: {finished:?}");
                let heads = finished.stderr.lines().filter_map(message_of);
                let count = heads.filter(|line| line.starts_with(message)).count();
                let processes = 1 + usize::from(acts.contains(&"fork"));
                assert_eq!(count, processes, "{what}");
            }
        }
    }
}

#[test]
fn a_file_or_terminal_is_opened_again_where_all_descriptors_were_closed() {
    if libc_allowed() {
        return skipped("on libc: nothing is said at the end");
    }
    for acts in [["kernel", "close2"], ["each", "close2"], ["take", "close2"]] {
        let finished = closes("stats:exit", &acts, false).succeeded();
        assert!(
            finished.report().starts_with("statistics of"),
            "{acts:?} {finished:?}"
        );
        // Of a pipe nothing is left, and nobody else gets what was meant for it.
        let finished = closes("stats:exit", &acts, true).succeeded();
        assert_eq!(finished.stderr, "", "{acts:?}");
    }
}

#[test]
fn a_file_that_has_number_2_now_is_left_alone() {
    if libc_allowed() {
        return skipped("on libc: nothing is said at the end");
    }
    let reused = scratch("reused").join("database");
    let reuse = format!("reuse={}", reused.display());
    for (conf, deed) in [
        ("stats:exit", "count"),
        ("slab_debug:Z", "overrun"),
        ("guard:1/1,stats:exit", "count"),
        ("crime:warn", "late"),
        ("crime:warn", "twice"),
    ] {
        for to_pipe in [false, true] {
            let finished = closes(conf, &[&reuse, deed], to_pipe);
            assert!(!finished.report().is_empty(), "{conf}: {finished:?}");
            let bytes = fs::read(&reused).expect("the program's file");
            assert_eq!(bytes, b"DATABASE", "{conf} {deed}");
        }
    }
    // What was closed before the program started is nobody's either.
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" 2>&-", "sh"]);
    command
        .arg(compile("c/closes.c", &[]))
        .args([&reuse, "count"]);
    command.env("SLUBMALLOC_CONF", "stats:exit");
    run(Heap::Slubmalloc, &mut command, PATIENCE).succeeded();
    assert_eq!(fs::read(&reused).expect("the program's file"), b"DATABASE");
}

#[test]
fn a_descriptor_is_kept_only_for_a_report_at_the_end() {
    if libc_allowed() {
        return skipped("on libc: no descriptor is kept");
    }
    let file = scratch("kept").join("file");
    let to_file = format!("stats:exit={0},report:{0},slab_debug:Z", file.display());
    let count = |conf: &str| {
        let finished = closes(conf, &["count"], false).succeeded();
        let count = finished.stdout.split(' ').next();
        count
            .and_then(|it| it.parse::<u32>().ok())
            .expect("a count")
    };
    let harness = count("");
    for (conf, kept) in [
        ("stats:off", 0),
        ("zero:free,zero:alloc,limit:1g", 0),
        (to_file.as_str(), 0),
        ("stats:exit", 1),
        ("slab_debug:Z", 1),
        ("guard:1/100", 1),
        ("quarantine:1m", 1),
        ("crime:warn", 1),
    ] {
        assert_eq!(count(conf), harness + kept, "{conf}");
    }
    // It is not passed on, and lies where nobody comes by.
    let mut command = Command::new("bash");
    command.args(["-c", "ls -v /proc/$$/fd; exec ls -v /proc/self/fd"]);
    command.env("SLUBMALLOC_CONF", "stats:exit");
    let finished = run(Heap::Slubmalloc, &mut command, PATIENCE).succeeded();
    let numbers: Vec<u32> = finished
        .stdout
        .lines()
        .filter_map(|it| it.parse().ok())
        .collect();
    let high: Vec<_> = numbers.iter().filter(|number| **number > 255).collect();
    assert!(high.len() == 2 && *high[0] >= 1000, "{numbers:?}");
}

#[test]
fn reports_and_statistics_go_to_files() {
    if libc_allowed() {
        return skipped("on libc: there are no reports");
    }
    let folder = scratch("files");
    let conf = "report:r-%n.%p%%,stats:exit=s.%p";
    let mut command = Command::new(compile("c/closes.c", &[]));
    command.args(["fork", "chdir=/", "close2", "late"]);
    command.env("SLUBMALLOC_CONF", format!("{conf},crime:warn"));
    let finished = run(Heap::Slubmalloc, command.current_dir(&folder), PATIENCE).succeeded();
    assert_eq!(finished.stderr, "");
    let mut lines = finished.stdout.lines();
    let child = lines.find_map(|line| line.strip_prefix("child "));
    let processes = [
        finished.process.to_string(),
        child.expect("its number").to_owned(),
    ];
    for process in &processes {
        for (name, message) in [
            (format!("r-c-closes-c.{process}%"), "double free of 0x"),
            (format!("s.{process}"), "statistics of version "),
        ] {
            let path = folder.join(&name);
            let text = fs::read_to_string(&path).unwrap_or_else(|it| panic!("{name}: {it}"));
            let head = format!("c-closes-c[{process}]: slubmalloc: {message}");
            assert!(text.starts_with(&head), "{name}: {text}");
            let mode = fs::metadata(&path).expect("its mode").permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{name}");
        }
    }
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 4);
}

#[test]
fn a_report_is_appended_and_links_are_not_followed() {
    if libc_allowed() {
        return skipped("on libc: there are no reports");
    }
    let folder = scratch("appended");
    let (file, link) = (folder.join("file"), folder.join("link"));
    fs::write(&file, "before\n").expect("a file");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    let conf = format!("report:{}", file.display());
    for _ in 0..2 {
        let finished = closes(&conf, &["twice"], true);
        assert_eq!(
            (finished.signal(), finished.stderr.as_str()),
            (Some(SIGABRT), "")
        );
    }
    let text = fs::read_to_string(&file).expect("the file");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() == 3 && lines[0] == "before", "{text}");
    assert!(
        lines[1..].iter().all(|line| message_of(line).is_some()),
        "{text}"
    );
    // What cannot be written to is said, and the report comes all the same.
    for path in [link, folder.join("nosuch/file"), folder.clone()] {
        let conf = format!("report:{}", path.display());
        let finished = closes(&conf, &["twice"], true);
        let said: Vec<_> = finished.stderr.lines().filter_map(message_of).collect();
        assert!(
            said.len() == 2 && said[0].starts_with("cannot write to \""),
            "{said:?}"
        );
        assert!(said[1].starts_with("double free of 0x"), "{said:?}");
    }
    assert_eq!(fs::read_to_string(&file).expect("the file"), text);
}

#[test]
fn a_stack_is_named_where_the_report_goes() {
    skip_unless!("addr2line");
    if libc_allowed() {
        return skipped("on libc: there are no reports");
    }
    let file = scratch("stack").join("report");
    let conf = format!("slab_debug:ZU,report:{}", file.display());
    let finished = closes(&conf, &["overrun"], false);
    assert_eq!(finished.stderr, "");
    let text = fs::read_to_string(&file).expect("the report");
    assert!(
        text.contains("Allocated: age=") && text.contains("  act at "),
        "{text}"
    );
    let finished = closes("slab_debug:ZU", &["close2", "overrun"], false);
    assert!(finished.stderr.contains("  act at "), "{finished:?}");
}

/// Runs the program that acts so; its standard error is a file or a pipe.
fn closes(conf: &str, acts: &[&str], to_pipe: bool) -> Finished {
    let mut command = Command::new(compile("c/closes.c", &[]));
    command.args(acts);
    run_with(conf, command, to_pipe)
}

/// As [`closes`], with as many descriptors as a program mostly may have.
fn run_limited(conf: &str, acts: &[&str], to_pipe: bool) -> Finished {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 1024; exec \"$@\"", "sh"]);
    command.arg(compile("c/closes.c", &[])).args(acts);
    run_with(conf, command, to_pipe)
}

fn run_with(conf: &str, mut command: Command, to_pipe: bool) -> Finished {
    if !conf.is_empty() {
        command.env("SLUBMALLOC_CONF", conf);
    }
    if !to_pipe {
        return run(Heap::Slubmalloc, &mut command, PATIENCE);
    }
    preload_into(Heap::Slubmalloc, &mut command);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let process = child.id();
    let output = child.wait_with_output().expect("the program ends");
    Finished {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        status: output.status,
        raw: output.stdout,
        process,
    }
}

#[test]
fn a_rust_program_hears_at_its_end_what_was_wrong() {
    for release in [false, true] {
        let program = rust_program(release);
        for (conf, deed, signal, message) in [
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
            let finished = ends(&program, conf, deed);
            assert_eq!(finished.signal(), signal, "{conf} {deed}: {finished:?}");
            assert!(
                finished.stdout.ends_with("ok\n"),
                "{conf} {deed}: {finished:?}"
            );
            // Once: the crate and the library under a preload are two heaps, and here is one.
            let heads = finished.stderr.lines().filter_map(message_of);
            assert!(heads.eq([finished.report()]), "{conf} {deed}: {finished:?}");
            assert!(
                finished.report().starts_with(message),
                "{conf} {deed}: {finished:?}"
            );
        }
    }
}

#[test]
fn a_wrong_layout_is_noticed() {
    let program = rust_program(false);
    for (conf, deed, message) in [
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
        let finished = ends(&program, conf, deed);
        assert_eq!(
            finished.signal(),
            Some(SIGABRT),
            "{conf} {deed}: {finished:?}"
        );
        assert!(
            finished.report().starts_with(message),
            "{conf} {deed}: {finished:?}"
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
            // Alone, sanity checks repair and go on.
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
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "-p", "slubmalloc", "--example", "ends"]);
    command
        .args(["--target-dir".as_ref(), target()])
        .current_dir(root());
    if release {
        command.arg("--release");
    }
    let built = command.output().expect("cargo starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(
        built.status.success(),
        "the Rust program does not build:\n{said}"
    );
    let profile = if release { "release" } else { "debug" };
    target().join(profile).join("examples/ends")
}

fn ends(program: &Path, conf: &str, deed: &str) -> Finished {
    // No file of memory for those that abort.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c 0; exec \"$@\"", "sh"]);
    command.arg(program).arg(deed);
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
