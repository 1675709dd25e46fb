//! Targets and `slubctl` itself in sandboxes: what the target may do does not matter, and what `slubctl` may not is one clear line.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::libc;
use support::{Target, assert_known, assert_known_but, built, compile, compile_source, snapshot};

/// The one line of a `slubctl` that fails.
fn one_line(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        errors.starts_with("slubctl: ") && errors.lines().count() == 1,
        "{errors}"
    );
    errors
}

/// The line that says what to do about missing rights.
fn assert_refused(output: &Output) {
    let line = one_line(output);
    for word in ["may not be looked at", "SYS_PTRACE"] {
        assert!(line.contains(word), "{line}");
    }
    // Of what the kernel does not have nothing is said.
    let scope = std::path::Path::new("/proc/sys/kernel/yama/ptrace_scope");
    assert_eq!(line.contains("ptrace_scope"), scope.exists(), "{line}");
}

/// Runs `slubctl` under a filter that forbids some system calls.
fn filtered(numbers: &[libc::c_long], arguments: &[&str]) -> Output {
    let mut command = Command::new(compile_source("filtered.c", "filtered", &[]));
    command
        .args(numbers.iter().map(ToString::to_string))
        .arg("--");
    command.arg(env!("CARGO_BIN_EXE_slubctl")).args(arguments);
    command.output().expect("the filter")
}

/// A folder for what another user runs: everybody may go there.
struct Public(PathBuf);

impl Public {
    fn new(name: &str) -> Self {
        let folder = format!("slubctl-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn copy(&self, file: &Path) -> PathBuf {
        let copy = self.0.join(file.file_name().expect("a name"));
        fs::copy(file, &copy).expect("a copy");
        copy
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(program);
    command
}

#[test]
fn a_target_that_may_only_read_write_and_exit_is_known() {
    let target = Target::preloaded(&compile("strict", &[]), "strict");
    assert_known(&snapshot(target.pid()));
    // It makes no call more, so the request stays.
    let asked = support::slubctl(&["trim", &target.pid().to_string(), "--wait", "0.1"]);
    assert_eq!(asked.status.code(), Some(3), "{asked:?}");
    assert_known(&snapshot(target.pid()));
}

#[test]
fn a_program_whose_first_thread_has_ended_is_known() {
    let target = Target::preloaded(&compile("leave", &[]), "leave");
    let process = procfs::process::Process::new(target.pid()).expect("a process");
    while process.stat().expect("a state").state != 'Z' {
        std::thread::yield_now();
    }
    assert_known_but(&snapshot(target.pid()), 8);
    let pid = &target.pid().to_string();
    for arguments in [
        &["check", pid][..],
        &["check", "--stop", pid],
        &["threads", pid],
    ] {
        support::text(arguments);
    }
    let listed = support::slubctl(&["ps"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains(&format!("{pid} ")), "{listed}");
}

#[test]
fn a_program_that_forbids_core_dumps_is_known_to_root_alone() {
    let folder = Public::new("undumpable");
    let library = folder.copy(&built().join("libslubmalloc.so"));
    let program = folder.copy(&compile("undumpable", &[]));
    let slubctl = folder.copy(Path::new(env!("CARGO_BIN_EXE_slubctl")));
    let start = |end: &str| {
        let mut command = as_nobody(&program);
        Target::start(command.arg(end).env("LD_PRELOAD", &library))
    };
    if !as_nobody(Path::new("true"))
        .status()
        .is_ok_and(|it| it.success())
    {
        return support::skipped("no other user here");
    }
    // Its own user may look at a program, unless it forbids that.
    for (end, may) in [("sleep", true), ("undumpable", false)] {
        let target = start(end);
        let pid = target.pid().to_string();
        for arguments in [
            &["show", "--json", &pid][..],
            &["map", &pid],
            &["check", &pid],
        ] {
            let output = as_nobody(&slubctl).args(arguments).output();
            let output = output.expect("setpriv");
            match may {
                true => assert!(output.status.success(), "{output:?}"),
                false => assert_refused(&output),
            }
        }
        if !may {
            let asked = as_nobody(&slubctl).args(["trim", &pid]).output();
            assert_refused(&asked.expect("setpriv"));
        }
        assert_known(&snapshot(target.pid()));
    }
}

#[test]
fn where_proc_hides_processes_the_line_names_the_option() {
    let target = Target::preloaded(&compile("hidden", &[]), "sleep");
    let folder = Public::new("hidden");
    let slubctl = folder.copy(Path::new(env!("CARGO_BIN_EXE_slubctl")));
    let command = format!(
        "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups {} show {}",
        slubctl.display(),
        target.pid()
    );
    let inside = |command: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", command]).output()
    };
    if !inside("mount -t proc -o hidepid=2 proc /proc").is_ok_and(|it| it.status.success()) {
        return support::skipped("no mounts here");
    }
    let line = one_line(&inside(&command).expect("unshare"));
    assert!(line.contains("hidepid") && line.contains("sudo"), "{line}");
}

#[test]
fn without_process_vm_readv_memory_is_read_as_a_file() {
    let target = Target::preloaded(&compile("file", &[]), "threads");
    let pid = target.pid().to_string();
    let output = filtered(&[libc::SYS_process_vm_readv], &["show", "--json", &pid]);
    assert!(output.status.success(), "{output:?}");
    let json = String::from_utf8(output.stdout).expect("UTF-8");
    let seen: slubctl::snapshot::Snapshot = serde_json::from_str(&json).expect("JSON");
    assert_eq!(seen, snapshot(target.pid()));
    // Requests have no other way.
    let numbers = [libc::SYS_process_vm_readv, libc::SYS_process_vm_writev];
    assert_refused(&filtered(&numbers, &["trim", &pid]));
    assert_refused(&filtered(&[libc::SYS_ptrace], &["check", "--stop", &pid]));
    // Without the ioctl each page has a word in a file.
    let output = filtered(&[libc::SYS_ioctl], &["show", "--json", &pid]);
    let json = String::from_utf8(output.stdout).expect("UTF-8");
    let by_word: slubctl::snapshot::Snapshot = serde_json::from_str(&json).expect("JSON");
    assert_eq!(by_word.heaps[0].resident, seen.heaps[0].resident);
}

#[test]
fn without_proc_or_from_another_user_namespace_one_line_says_so() {
    let target = Target::preloaded(&compile("nothing", &[]), "sleep");
    let pid = target.pid().to_string();
    let slubctl = env!("CARGO_BIN_EXE_slubctl");
    let mut hidden = Command::new("unshare");
    let script = "mount -t tmpfs none /proc && exec \"$0\" show \"$1\"";
    hidden.args(["-m", "sh", "-c", script, slubctl, &pid]);
    let output = hidden.output().expect("unshare");
    if !output.stderr.starts_with(b"slubctl") {
        return support::skipped(&format!("no mount namespace here: {output:?}"));
    }
    assert!(one_line(&output).contains("/proc is not mounted"));
    let mut other = Command::new("unshare");
    let output = other.args(["-U", slubctl, "show", &pid]).output();
    let output = output.expect("unshare");
    if !output.stderr.starts_with(b"slubctl") {
        return support::skipped(&format!("no user namespace here: {output:?}"));
    }
    assert_refused(&output);
}
