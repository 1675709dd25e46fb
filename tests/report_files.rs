//! Where reports go: to files, and to a standard error that the program has closed.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use support::{
    Finished, Heap, compile, libc_allowed, message_of, preload_into, run, scratch, skip_unless,
    skipped,
};

const PATIENCE: Duration = Duration::from_secs(60);
const SIGABRT: i32 = 6;

#[test]
fn what_is_said_at_the_end_survives_a_closed_standard_error() {
    if libc_allowed() {
        return skipped("on libc: nothing is said at the end");
    }
    let statistics = "statistics of version ";
    let overrun = "kmalloc-64: Right Redzone overwritten at 0x";
    for (conf, misuse, message) in [
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
                let acts: Vec<_> = acts.iter().chain(&[misuse]).copied().collect();
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
    for (conf, misuse) in [
        ("stats:exit", "count"),
        ("slab_debug:Z", "overrun"),
        ("guard:1/1,stats:exit", "count"),
        ("crime:warn", "late"),
        ("crime:warn", "twice"),
    ] {
        for to_pipe in [false, true] {
            let finished = closes(conf, &[&reuse, misuse], to_pipe);
            assert!(!finished.report().is_empty(), "{conf}: {finished:?}");
            let bytes = fs::read(&reused).expect("the program's file");
            assert_eq!(bytes, b"DATABASE", "{conf} {misuse}");
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
