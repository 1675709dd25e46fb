//! A real program under the real library: what it leaks is found from outside, with the right function and line on top.

use std::process::Command;

use slubctl::memory::Process;
use slubctl::profile;

use crate::support::{Target, built, compile_source, scratch, skipped, slubctl, text};

fn start(name: &str, conf: &str) -> Target {
    let program = compile_source("leaking.c", name, &["-g"]);
    let mut command = Command::new(program);
    command
        .env("LD_PRELOAD", built().join("libslubmalloc.so"))
        .env("SLUBMALLOC_CONF", conf);
    Target::start(&mut command)
}

fn is_on(target: &Target) -> bool {
    let process = Process::open(target.pid());
    profile::state(&process, "it").expect("a state").rate != 0
}

fn line_of(words: &str) -> usize {
    let source = include_str!("../programs/leaking.c");
    let line = source.lines().position(|it| it.contains(words));
    line.expect("a line") + 1
}

/// Runs `slubctl`, which may say on standard error that it waits.
fn sampled(arguments: &[&str]) -> String {
    let output = slubctl(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

const LEAKS: [&str; 3] = ["leak_small at ", "inlined_copy at ", "leak_large at "];

#[test]
fn three_places_that_leak_are_found_in_a_program_that_was_not_prepared() {
    let target = start("leaking", "");
    let pid = target.pid().to_string();
    let report = sampled(&[
        "leaks",
        &pid,
        "--seconds",
        "2",
        "--rate",
        "4k",
        "--older",
        "1h",
    ]);
    let growing: Vec<&str> = report.lines().filter(|it| it.starts_with('+')).collect();
    // What passes through may have some more at one look than at the other, but less than any leak.
    for leak in LEAKS {
        let place = growing.iter().position(|it| it.contains(leak));
        assert!(place.is_some_and(|it| it < 3), "{leak}: {report}");
    }
    assert!(!is_on(&target));
    // What was sampled has file and line of each, also of the inlined one.
    let table = sampled(&["profile", &pid, "--seconds", "500ms", "--rate", "4k"]);
    for (function, words) in [
        ("leak_small", "keep(malloc(64))"),
        ("inlined_copy", "calloc(1, 1000)"),
        ("leak_large", "keep(malloc(100000))"),
    ] {
        let line = line_of(words);
        let row = table
            .lines()
            .find(|it| it.contains(&format!(" {function} ")));
        let row = row.unwrap_or_else(|| panic!("{function}: {table}"));
        assert!(row.ends_with(&format!("leaking.c:{line}")), "{row}");
    }
    assert!(!is_on(&target));
}

#[test]
fn one_that_is_sampled_from_the_beginning_has_all_its_memory_also_in_a_core() {
    let target = start("leaking-on", "profile:on,profile_rate:4k");
    let pid = target.pid().to_string();
    let path = scratch().join("leaking");
    let status = Command::new("gcore")
        .arg("-o")
        .arg(&path)
        .arg(&pid)
        .output();
    assert!(status.expect("gcore").status.success());
    let core = format!("{}.{pid}", path.display());
    let folded = format!("{core}.folded");
    for (table, stacks) in [
        (
            text(&["core", &core, "profile"]),
            text(&["core", "-o", &folded, &core, "profile"]),
        ),
        (
            text(&["profile", &pid]),
            text(&["profile", "-o", &folded, &pid]),
        ),
    ] {
        assert!(stacks.ends_with(&format!(" in {folded}\n")), "{stacks}");
        let row = table
            .lines()
            .find(|it| it.contains(" begin "))
            .expect("a row");
        let mut fields = row.split_whitespace();
        let bytes: f64 = fields.next().and_then(|it| it.parse().ok()).expect("bytes");
        // 2,000,000 bytes by some 400 samples: seven standard errors.
        assert!((1.3e6..2.7e6).contains(&bytes), "{row}");
        let lines = std::fs::read_to_string(&folded).expect("a file");
        assert!(lines.lines().any(|it| it.contains("main;begin")), "{lines}");
    }
    assert!(is_on(&target));
    let _ = std::fs::remove_file(&core);
}

/// Go's own pprof finds the same functions and the same sum.
#[test]
fn go_has_the_same_numbers() {
    let target = start("leaking-go", "profile:on,profile_rate:4k");
    let path = scratch().join("leaking.pb.gz").display().to_string();
    sampled(&[
        "profile",
        "-s",
        "500ms",
        "-o",
        &path,
        &target.pid().to_string(),
    ]);
    let mut command = Command::new("go");
    command.args([
        "tool",
        "pprof",
        "-symbolize=none",
        "-top",
        "-lines",
        "-unit=B",
        &path,
    ]);
    let Ok(output) = command.env("PPROF_TMPDIR", scratch()).output() else {
        return skipped("no go (Debian package golang-go)");
    };
    assert!(output.status.success(), "{output:?}");
    let top = String::from_utf8(output.stdout).expect("UTF-8");
    let stored = profile::stored(std::fs::File::open(&path).expect("a file")).expect("a profile");
    let sum: u64 = stored.traces.iter().map(|it| it.live.bytes).sum();
    assert!(top.contains(&format!("of {sum}B total")), "{sum}: {top}");
    let line = line_of("keep(malloc(64))");
    let place = format!("leaking.c:{line}");
    let row = top
        .lines()
        .find(|it| it.contains(" leak_small ") && it.contains(&place));
    assert!(row.is_some(), "{top}");
}
