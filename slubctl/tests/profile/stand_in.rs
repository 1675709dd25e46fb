//! Sampling from outside, in a process that stands in for one with the library: made-up tables, and a mailbox.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use slubctl::memory::Process;
use slubctl::profile;

use crate::made::{MAIL, Made, PROFILE, TABLES};
use crate::reader::known;
use crate::support::{Target, compile_source, failure, scratch, slubctl};

const PAGE: usize = 4096;

/// Starts it with tables that are there but off.
fn start(name: &str, made: &Made, answers: &str) -> Target {
    let program = compile_source("stand_in.c", name, &[]);
    let (mut file, mut parts) = (Vec::new(), Vec::new());
    for (address, bytes) in made.memory().pieces {
        parts.extend([
            format!("{address:#x}"),
            file.len().to_string(),
            bytes.len().to_string(),
        ]);
        file.extend(bytes);
        file.resize(file.len().next_multiple_of(PAGE), 0);
    }
    let path = scratch().join(format!("{name}.memory"));
    fs::write(&path, file).expect("a file");
    let addresses = [MAIL, PROFILE, TABLES].map(|it| format!("{it:#x}"));
    let mut command = Command::new(program);
    command.arg(path).args(addresses).arg(answers).args(parts);
    Target::start(&mut command)
}

fn rate(target: &Target) -> u64 {
    let process = Process::open(target.pid());
    profile::state(&process, "it").expect("a state").rate
}

fn off() -> Made {
    Made {
        rate: 0,
        was_on: false,
        ..known()
    }
}

fn lines(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).expect("UTF-8")
}

#[test]
fn a_process_is_sampled_for_a_time_and_is_off_again() {
    let target = start("for-a-time", &off(), "at once");
    let pid = target.pid().to_string();
    let output = slubctl(&["profile", &pid, "--seconds", "100ms", "--rate", "64k"]);
    assert!(output.status.success(), "{output:?}");
    let text = lines(&output.stdout);
    let first = text.lines().next().expect("a line");
    assert!(
        first.starts_with(&format!("# heap profile of process {pid} (")),
        "{text}"
    );
    assert!(
        text.contains("one block for 64.0 KiB in the mean"),
        "{text}"
    );
    let told = format!("slubctl: process {pid} is sampled for 0.1 s; Ctrl-C ends that earlier\n");
    assert_eq!(lines(&output.stderr), told);
    assert_eq!(rate(&target), 0);
    // Into a file, in the format that its name says.
    for (name, beginning) in [
        ("a.svg", &b"<?xml"[..]),
        ("a.folded", b"0x1001;"),
        ("a.pb.gz", b"\x1f\x8b"),
    ] {
        let path = scratch().join(name);
        let file = path.display().to_string();
        let output = slubctl(&["profile", &pid, "-s", "0", "-o", &file]);
        let line = lines(&output.stdout);
        assert!(
            line.ends_with(&format!(": 1.1 KiB in 18 blocks of 4 stacks in {file}\n")),
            "{line}"
        );
        assert!(
            fs::read(&path).expect("a file").starts_with(beginning),
            "{name}"
        );
    }
}

#[test]
fn one_that_is_sampled_already_is_read_at_once_and_stays_on() {
    let target = start("already", &known(), "at once");
    let pid = target.pid().to_string();
    let output = slubctl(&["profile", &pid, "--values", "peak", "--rate", "1m"]);
    assert!(output.status.success(), "{output:?}");
    assert!(lines(&output.stdout).contains("           1312         21 0x1001\n"));
    let line = lines(&output.stderr);
    assert!(
        line.contains("is sampled already, one block for 512.0 KiB: --rate is not used"),
        "{line}"
    );
    assert_eq!(rate(&target), 512 << 10);
}

#[test]
fn a_process_that_does_not_answer_has_nothing_and_the_request_is_withdrawn() {
    let target = start("deaf", &off(), "never");
    let pid = target.pid().to_string();
    let output = slubctl(&["profile", &pid, "--seconds", "0"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = lines(&output.stderr);
    assert!(
        line.contains("has not taken up the request to sample"),
        "{line}"
    );
    // What is pending now is to switch it off; another request is told so.
    let output = slubctl(&["leaks", &pid]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let line = lines(&output.stderr);
    assert!(
        line.contains("has not answered an earlier request, set profile=off"),
        "{line}"
    );
}

#[test]
fn a_rate_that_is_refused_and_a_file_that_cannot_be_written_are_errors() {
    let target = start("refused", &off(), "at once");
    let pid = target.pid().to_string();
    let line = failure(&["profile", &pid, "--rate", "7"]);
    assert_eq!(
        line,
        format!("slubctl: process {pid} does not take that rate\n")
    );
    let line = failure(&["profile", &pid, "-o", "/nowhere/a.svg"]);
    assert!(line.starts_with("slubctl: /nowhere/a.svg: "), "{line}");
    assert_eq!(rate(&target), 0);
}

fn wait_until_on(target: &Target, child: &mut Child) {
    while rate(target) == 0 {
        assert!(child.try_wait().expect("a child").is_none(), "it has ended");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Runs a command that would wait for an hour, and sends it a signal once the process is sampled.
fn interrupted(target: &Target, arguments: &[&str], signal: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slubctl"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("slubctl");
    wait_until_on(target, &mut child);
    let status = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(status.expect("kill").success());
    child.wait_with_output().expect("slubctl")
}

#[test]
fn a_signal_ends_the_wait_and_what_was_sampled_is_shown() {
    let target = start("signal", &off(), "at once");
    let pid = target.pid().to_string();
    for signal in ["-INT", "-TERM"] {
        let output = interrupted(
            &target,
            &["profile", &pid, "-s", "1h", "-f", "folded"],
            signal,
        );
        assert_eq!(
            (output.status.code(), output.status.signal()),
            (Some(0), None)
        );
        assert!(
            lines(&output.stdout).contains("0x2001;0x1001 640\n"),
            "{output:?}"
        );
        assert_eq!(rate(&target), 0);
    }
    let output = interrupted(
        &target,
        &["leaks", &pid, "-s", "1h", "--older", "1s"],
        "-HUP",
    );
    assert!(output.status.success(), "{output:?}");
    let text = lines(&output.stdout);
    assert!(
        text.contains("was not sampled before; one block for 128.0 KiB in the mean"),
        "{text}"
    );
    assert!(text.contains("0x1001"), "{text}");
    assert_eq!(rate(&target), 0);
}
