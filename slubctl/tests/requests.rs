//! Requests to running processes: each is answered once, by the process that was asked.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Target, built, compile, compile_source, slubctl, snapshot, text};

/// What `asked.c` frees by "spare": at least as much goes when all goes.
const SPARE: u64 = 40 << 20;

/// The program that does what it is told.
struct Asked {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Asked {
    fn start(name: &str, conf: &str) -> Self {
        let mut command = Command::new(compile_source("asked.c", name, &[]));
        command
            .env("LD_PRELOAD", built().join("libslubmalloc.so"))
            .env("SLUBMALLOC_CONF", conf);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.stderr(Stdio::piped()).spawn().expect("the program");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let mut asked = Self {
            child,
            input,
            output: BufReader::new(output.expect("a pipe")),
        };
        assert_eq!(asked.line(), "ready");
        asked
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// Has it do something and returns its answer.
    fn tell(&mut self, what: &str) -> i32 {
        let input = self.input.as_mut().expect("a pipe");
        writeln!(input, "{what}").expect("a program that reads");
        self.line().parse().expect("a number")
    }

    fn purge_ms(&self) -> u64 {
        purge_ms(self.child.id() as i32)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A child of such a program, which is none of this one's.
struct Grandchild(i32);

impl Drop for Grandchild {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-KILL", &self.0.to_string()])
            .status();
    }
}

fn purge_ms(pid: i32) -> u64 {
    snapshot(pid).heaps[0].settings.purge_ms
}

/// Runs a request that is done, on a busy machine after a while.
fn done(arguments: &[&str]) -> String {
    let line = text(&[arguments, &["--wait", "60"]].concat());
    assert!(line.contains(": done"), "{line}");
    line
}

/// Runs a request that waits.
fn pending(arguments: &[&str]) {
    let output = slubctl(&[arguments, &["--wait", "0.1"]].concat());
    let line = String::from_utf8_lossy(&output.stdout);
    assert!(
        line.contains("pending, runs at the next slow path"),
        "{output:?}"
    );
    assert_eq!(output.status.code(), Some(3));
}

fn resident(pid: i32) -> u64 {
    let process = slubctl::memory::Process::open(pid);
    process.resident_bytes().expect("a process")
}

#[test]
fn a_sleeping_purge_thread_is_woken_and_gives_back_all_there_is() {
    for what in ["trim", "purge"] {
        let mut asked = Asked::start(&format!("thread-{what}"), "purge_ms:3600000");
        asked.tell("threads");
        asked.tell("spare");
        let before = resident(asked.child.id() as i32);
        let shown = text(&["show", &asked.pid()]);
        assert!(shown.contains("by a purge thread"), "{shown}");
        done(&[what, &asked.pid()]);
        let after = resident(asked.child.id() as i32);
        assert!(before - after > SPARE, "{what}: {before} {after}");
    }
}

#[test]
fn a_program_that_sleeps_answers_at_its_next_slow_path() {
    let mut asked = Asked::start("pending", "");
    pending(&["set", &asked.pid(), "purge_ms=3600000"]);
    assert_eq!(asked.purge_ms(), 1000);
    asked.tell("work");
    assert_eq!(asked.purge_ms(), 3_600_000);
    // And gives back, in some calls.
    asked.tell("spare");
    let before = resident(asked.child.id() as i32);
    pending(&["trim", &asked.pid()]);
    assert_eq!(resident(asked.child.id() as i32), before);
    let start = Instant::now();
    while before - resident(asked.child.id() as i32) < SPARE {
        asked.tell("work");
        assert!(start.elapsed() < Duration::from_secs(20), "nothing went");
    }
}

#[test]
fn a_request_that_waits_is_shown_and_dropped_only_by_force() {
    let mut asked = Asked::start("replaced", "");
    let pid = asked.pid();
    let shown = |line: &str| {
        let shown = text(&["show", &pid]);
        assert!(shown.contains(line), "{shown}");
    };
    shown("about 1000 ms while the program allocates (it has no purge thread)");
    pending(&["set", &pid, "purge_ms=80000"]);
    shown("pending: set purge_ms=80000, ");
    assert_eq!(
        snapshot(asked.child.id() as i32).heaps[0]
            .pending
            .as_deref(),
        Some("set purge_ms=80000")
    );
    // The same is no other one.
    pending(&["set", &pid, "purge_ms=80000"]);
    for other in [&["trim", &pid][..], &["set", &pid, "purge_ms=50"]] {
        let output = slubctl(&[other, &["--wait", "0.1"]].concat());
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        assert!(
            line.contains("set purge_ms=80000") && line.contains("--force"),
            "{line}"
        );
    }
    pending(&["set", &pid, "purge_ms=never", "--force"]);
    asked.tell("work");
    assert_eq!(asked.purge_ms(), 0);
    assert_eq!(snapshot(asked.child.id() as i32).heaps[0].pending, None);
    pending(&["set", &pid, "limit=640m"]);
    shown("pending: set limit=640m, ");
    asked.tell("work");
    shown("limit 640.0 MiB; ");
}

#[test]
fn a_process_that_ends_or_changes_while_it_is_waited_for_is_not_called_damaged() {
    for (word, line) in [("quit", "has ended"), ("exec", "has begun another program")] {
        let mut asked = Asked::start(&format!("gone-{word}"), "");
        let mut command = Command::new(env!("CARGO_BIN_EXE_slubctl"));
        command.args(["trim", "--wait", "60", &asked.pid()]);
        let waiting = command.stderr(Stdio::piped()).spawn().expect("slubctl");
        while snapshot(asked.child.id() as i32).heaps[0].pending.is_none() {
            std::thread::yield_now();
        }
        let input = asked.input.as_mut().expect("a pipe");
        writeln!(input, "{word}").expect("a program that reads");
        let output = waiting.wait_with_output().expect("slubctl");
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(errors, format!("slubctl: process {} {line}\n", asked.pid()));
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn a_child_does_not_answer_its_parents_mail() {
    let mut asked = Asked::start("mail", "");
    pending(&["set", &asked.pid(), "purge_ms=3600000"]);
    let child = Grandchild(asked.tell("fork"));
    assert_eq!(purge_ms(child.0), 1000);
    // The copy is thrown away.
    assert_eq!(asked.purge_ms(), 1000);
    asked.tell("work");
    assert_eq!(asked.purge_ms(), 3_600_000);
    assert_eq!(purge_ms(child.0), 1000);
}

#[test]
fn a_child_with_threads_is_woken_by_a_word_of_its_own() {
    let mut asked = Asked::start("family", "purge_ms:3600000");
    asked.tell("threads");
    asked.tell("spare");
    let child = Grandchild(asked.tell("family"));
    let [parent_before, before] = [asked.child.id() as i32, child.0].map(resident);
    done(&["trim", &child.0.to_string()]);
    let [parent_after, after] = [asked.child.id() as i32, child.0].map(resident);
    assert!(before - after > SPARE, "{before} {after}");
    assert!(parent_before.abs_diff(parent_after) < 1 << 20);
    done(&["trim", &asked.pid()]);
}

#[test]
fn a_limit_holds_from_the_next_request_on_and_can_go_again() {
    let mut asked = Asked::start("limit", "limit:off");
    asked.tell("threads");
    asked.tell("spare");
    done(&["set", &asked.pid(), "limit=256m"]);
    let limited = asked.tell("grow");
    assert!((150..256).contains(&limited), "{limited} MiB");
    done(&["set", &asked.pid(), "limit=off"]);
    assert!(asked.tell("grow") > 1000);
    done(&["set", &asked.pid(), "limit=300m"]);
    let limited = asked.tell("grow");
    assert!((190..300).contains(&limited), "{limited} MiB");
    done(&["set", &asked.pid(), "limit=auto"]);
    assert!(asked.tell("grow") > 1000);
}

#[test]
fn statistics_at_the_end_can_be_asked_for_later() {
    for (at_first, later, is_expected) in [("off", "exit", true), ("exit", "off", false)] {
        let mut asked = Asked::start(&format!("stats-{later}"), &format!("stats:{at_first}"));
        asked.tell("threads");
        asked.tell("spare");
        done(&["set", &asked.pid(), &format!("stats={later}")]);
        let input = asked.input.as_mut().expect("a pipe");
        writeln!(input, "quit").expect("a program that reads");
        let mut errors = String::new();
        let pipe = asked.child.stderr.as_mut().expect("a pipe");
        pipe.read_to_string(&mut errors).expect("text");
        assert_eq!(errors.contains("slubmalloc"), is_expected, "{errors}");
    }
}

#[test]
fn what_no_option_takes_is_refused() {
    let asked = Asked::start("values", "");
    for option in [
        "purge_ms=-1",
        "limit=1k",
        "stats=maybe",
        "thp=always",
        "purge_ms",
    ] {
        let output = slubctl(&["set", &asked.pid(), option]);
        assert_eq!(output.status.code(), Some(2), "{option}: {output:?}");
    }
    support::failure(&["trim", &std::process::id().to_string()]);
}

#[test]
fn a_stopped_check_leaves_the_process_as_it_was() {
    let target = Target::preloaded(&compile("checked", &[]), "churn");
    let pid = target.pid().to_string();
    let state = || {
        let process = procfs::process::Process::new(target.pid()).expect("a process");
        process.stat().expect("its state").state
    };
    for _ in 0..5 {
        assert!(text(&["check", "--stop", &pid]).contains("agree"));
        assert!(!"tT".contains(state()), "{}", state());
    }
    let kill = |signal: &str| {
        let kill = Command::new("kill").args([signal, &pid]).status();
        assert!(kill.expect("kill").success());
    };
    kill("-STOP");
    while state() != 'T' {
        std::thread::yield_now();
    }
    assert!(text(&["check", "--stop", &pid]).contains("agree"));
    assert_eq!(state(), 'T');
    kill("-CONT");
}

#[test]
fn a_check_that_is_killed_lets_the_process_go_on() {
    let target = Target::preloaded(&compile("killed", &[]), "churn");
    let state = || {
        let process = procfs::process::Process::new(target.pid()).expect("a process");
        process.stat().expect("its state").state
    };
    let is_killed_in_time = || {
        let mut check = Command::new(env!("CARGO_BIN_EXE_slubctl"));
        check.args(["check", "--stop", &target.pid().to_string()]);
        let mut check = check.stdout(Stdio::null()).spawn().expect("slubctl");
        let mut stopped = false;
        while !stopped && check.try_wait().expect("its state").is_none() {
            stopped = state() == 't';
        }
        let _ = check.kill();
        let ended = check.wait().expect("its end");
        stopped && !ended.success()
    };
    assert!(
        (0..1000).any(|_| is_killed_in_time()),
        "no check was killed while the process was stopped"
    );
    while state() == 't' {
        std::thread::yield_now();
    }
    let checked = text(&["check", &target.pid().to_string()]);
    assert!(checked.contains("agree"), "{checked}");
}

#[test]
fn a_process_that_is_stopped_for_a_check_loses_no_signal() {
    let mut command = Command::new(compile_source("signals.c", "signals", &[]));
    command.env("LD_PRELOAD", built().join("libslubmalloc.so"));
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.spawn().expect("the program");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    for _ in 0..40 {
        text(&["check", "--stop", &child.id().to_string()]);
    }
    drop(child.stdin.take());
    line.clear();
    output.read_line(&mut line).expect("a line");
    assert!(child.wait().is_ok_and(|it| it.success()));
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["sent", sent, "taken", taken] = words[..] else {
        panic!("{line}");
    };
    assert!(sent == taken && sent.len() > 2, "{line}");
}
