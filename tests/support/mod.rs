//! What the tests of the built library share: building it, compiling programs, running them under it.
//!
//! # Invariant
//!
//! Whatever runs under the library runs under the one built by this very test process, never
//! yesterday's file; and whatever is started here is ended here, by its own id.
//!
//! # Environment
//!
//! `SLUBTEST_LIB=none` runs without a preload, `SLUBTEST_LIB=PATH` under another allocator; together with
//! `SLUBTEST_ALLOW_LIBC=1` the programs themselves can be tried against libc. `SLUBTEST_FULL=1` runs the
//! long sizes. `CI=true` turns a skipped test into a failed one.
#![allow(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "each test binary uses its own part"
)]

mod build;
mod compile;

pub(crate) use build::{
    api_library, cargo_build, checks_library, compile_with_header, fully_static, library,
    linked_to, linked_to_api, output_of,
};
pub(crate) use compile::{compile, compile_to};

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

/// How long a program may take unless its test says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Above the longest wait of a program that takes long.
const LONG_PATIENCE: Duration = Duration::from_secs(200);

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(5);

/// A program's own way to say that this machine cannot ask the question.
const CANNOT_ASK: i32 = 77;

/// Returns from the test, loudly, when a tool is missing; fails it in CI.
macro_rules! skip_unless {
    ($($tool:expr),+) => {
        $(if crate::support::find_tool($tool).is_none() {
            return crate::support::skipped(&format!("no {} here", $tool));
        })+
    };
}
pub(crate) use skip_unless;

/// Says that a test proves nothing here, and fails it in CI, where it has to.
pub(crate) fn skipped(reason: &str) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    // Straight to the descriptor: the harness would capture a macro's output of a passing test.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {name}: {reason}");
    assert!(
        env::var("CI").as_deref() != Ok("true"),
        "CI must not skip {name}: {reason}"
    );
}

/// The first executable of this name on the search path.
pub(crate) fn find_tool(tool: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(tool))
        .find(|candidate| candidate.is_file())
}

/// Whether the programs may run on libc: nothing that only slubmalloc promises is then asserted.
pub(crate) fn libc_allowed() -> bool {
    env::var_os("SLUBTEST_ALLOW_LIBC").is_some()
}

/// Whether the long sizes are asked for.
pub(crate) fn full() -> bool {
    env::var_os("SLUBTEST_FULL").is_some()
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The directory that cargo builds into, whatever it was told by variables or configuration.
pub(crate) fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo's tmp directory lies in its target directory")
}

/// A fresh, empty directory below the target directory; `name` is the test's.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let dir =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", env!("CARGO_CRATE_NAME")));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a scratch directory");
    dir
}

/// What LD_PRELOAD gets: the library, or what `SLUBTEST_LIB` says instead.
fn preload() -> Option<PathBuf> {
    match env::var("SLUBTEST_LIB").as_deref() {
        Ok("none") => None,
        Ok(other) => Some(PathBuf::from(other)),
        Err(_) => Some(library().to_owned()),
    }
}

/// Which heap a program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heap {
    /// The library, preloaded.
    Slubmalloc,
    /// The same, while a thread of its own gives memory back all the time.
    Purging,
    /// The one it would have had.
    Libc,
}

/// What a finished program left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: ExitStatus,
    pub(crate) raw: Vec<u8>,
    /// The number of its process.
    pub(crate) process: u32,
}

/// What a line says that begins as the first of every report does: with the program's name and the number of the
/// process.
pub(crate) fn message_of(line: &str) -> Option<&str> {
    let (head, message) = line.split_once("]: slubmalloc: ")?;
    let (program, process) = head.split_once('[')?;
    let is_head = !program.is_empty() && !program.contains(' ') && process.parse::<u32>().is_ok();
    is_head.then_some(message)
}

impl Finished {
    /// What the first line on standard error says, behind program and process; empty if it is no report's.
    pub(crate) fn report(&self) -> &str {
        let first = self.stderr.lines().next().unwrap_or_default();
        message_of(first).unwrap_or_default()
    }

    /// Panics with all that is known unless the program ended with 0.
    pub(crate) fn succeeded(self) -> Self {
        assert!(
            self.status.success(),
            "{}\nstdout:\n{}\nstderr:\n{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// For contract programs: whether the question could be asked, in which case the answer was "ok".
    pub(crate) fn is_ok(&self) -> bool {
        if self.status.code() == Some(CANNOT_ASK) {
            skipped("the program cannot ask its question on this machine");
            return false;
        }
        let ok = self.status.success() && self.stdout.lines().next_back() == Some("ok");
        assert!(
            ok,
            "{}\nstdout:\n{}\nstderr:\n{}",
            self.status, self.stdout, self.stderr
        );
        true
    }

    /// The signal that ended it, if one did.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

/// Runs a command to its end; past `patience` it is killed with all it started, and the test fails.
pub(crate) fn run(heap: Heap, command: &mut Command, patience: Duration) -> Finished {
    // Files, not pipes: a grandchild that outlives the program would hold a pipe open.
    static RUNS: AtomicU32 = AtomicU32::new(0);
    // ORDERING: Relaxed, only the number's uniqueness matters.
    let number = RUNS.fetch_add(1, Ordering::Relaxed);
    let captured = |stream| {
        let name = format!(
            "{}-{}-{number}.{stream}",
            env!("CARGO_CRATE_NAME"),
            std::process::id()
        );
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
    };
    let (out, err) = (captured("out"), captured("err"));
    command.stdin(Stdio::null());
    command.stdout(File::create(&out).expect("a file for stdout"));
    command.stderr(File::create(&err).expect("a file for stderr"));
    preload_into(heap, command);
    let mut child = command
        .process_group(0)
        .spawn()
        .expect("the program starts");
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            break Some(status);
        }
        if Instant::now() > deadline {
            break None;
        }
        thread::sleep(POLL);
    };
    if status.is_none() {
        // The child leads a process group, whose id is its own.
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = child.kill();
        let _ = child.wait();
    }
    let raw = fs::read(&out).expect("captured stdout");
    let stdout = String::from_utf8_lossy(&raw).into_owned();
    let stderr = String::from_utf8_lossy(&fs::read(&err).expect("captured stderr")).into_owned();
    let _ = fs::remove_file(out);
    let _ = fs::remove_file(err);
    let Some(status) = status else {
        panic!("{command:?} was killed after {patience:?}\nstdout:\n{stdout}\nstderr:\n{stderr}");
    };
    Finished {
        stdout,
        stderr,
        status,
        raw,
        process: child.id(),
    }
}

/// Gives a command its heap, and takes away what the caller's own shell may have set.
pub(crate) fn preload_into(heap: Heap, command: &mut Command) {
    command.env_remove("LD_PRELOAD");
    if let (true, Some(library)) = (heap != Heap::Libc, preload()) {
        command.env("LD_PRELOAD", library);
    }
    if heap == Heap::Purging {
        command.env("SLUBMALLOC_CONF", "purge_thread:on,purge_ms:100");
    }
    if !command.get_envs().any(|(key, _)| key == "SLUBMALLOC_CONF") {
        command.env_remove("SLUBMALLOC_CONF");
    }
}

/// Compiles and runs a contract program under the library, and expects its "ok".
pub(crate) fn keeps_promise(source: &str, arguments: &[&str]) {
    keeps_promise_within(PATIENCE, source, arguments);
}

/// As [`keeps_promise`], for programs that take longer.
pub(crate) fn keeps_promise_within(patience: Duration, source: &str, arguments: &[&str]) {
    let mut command = Command::new(compile(source, &[]));
    run(Heap::Slubmalloc, command.args(arguments), patience).is_ok();
}

/// As [`keeps_promise`], with a configuration, for programs that take long.
pub(crate) fn keeps_promise_with(conf: &str, source: &str, arguments: &[&str]) {
    run_with(conf, source, arguments).is_ok();
}

/// Compiles and runs a program that takes long under the library, with a configuration.
pub(crate) fn run_with(conf: &str, source: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(compile(source, &[]));
    command.args(arguments).env("SLUBMALLOC_CONF", conf);
    run(Heap::Slubmalloc, &mut command, LONG_PATIENCE)
}
