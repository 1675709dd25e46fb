//! One run of `work` in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::Failure;
use super::case::Case;
use super::peer::{Peer, Way};
use crate::cli::Report;

/// Seconds, and one more for each million operations, after which a run counts as hung.
const PATIENCE_SECONDS: u64 = 300;
/// The same of one whose operations take half a second with the C library's allocator: who is a hundred times slower
/// fails there.
const TIMED_SECONDS: u64 = 60;

/// The programs that lie next to this one.
///
/// # Errors
///
/// When this program's own place cannot be found.
pub fn sibling(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("{} has not been built", path.display()).into())
    }
}

/// How many operations of `case` take about `seconds` with the C library's own allocator.
///
/// # Errors
///
/// When the run fails.
pub fn calibrate(case: &Case, seconds: f64) -> Result<u64, Failure> {
    let mut command = prepare(case, &Peer::glibc(), &[], 0)?;
    command.args(["--seconds", &seconds.to_string()]);
    Ok(report(command)?.outcome.operations)
}

/// Runs `case` once with `peer`.
///
/// # Errors
///
/// When it crashes, hangs or cannot be started.
pub fn run(case: &Case, peer: &Peer, operations: u64, options: &[&str]) -> Result<Report, Failure> {
    report(command(case, peer, operations, &[], options)?)
}

/// The command for `run`, with `wrapper` (a profiler, say) in front of the workload's program.
///
/// # Errors
///
/// When `work` has not been built.
pub fn command(
    case: &Case,
    peer: &Peer,
    operations: u64,
    wrapper: &[&str],
    options: &[&str],
) -> Result<Command, Failure> {
    let mut command = prepare(case, peer, wrapper, operations)?;
    command
        .args(["--ops", &operations.to_string()])
        .args(options);
    Ok(command)
}

fn prepare(
    case: &Case,
    peer: &Peer,
    wrapper: &[&str],
    operations: u64,
) -> Result<Command, Failure> {
    let work: PathBuf = match &peer.way {
        Way::Linked(path) => path.clone(),
        _ => sibling("work")?,
    };
    let least = match case.workload.usual {
        Some(_) => PATIENCE_SECONDS,
        None => TIMED_SECONDS,
    };
    let patience = least + operations / 1_000_000;
    let mut command = under(peer, case.cores, wrapper, &work, patience);
    command
        .arg(case.workload.name)
        .args(["--threads", &case.threads.to_string()]);
    if let Some(trace) = &case.trace {
        command.arg("--trace").arg(trace);
    }
    if matches!(peer.way, Way::Stack) {
        command.arg("--stack");
    }
    Ok(command)
}

/// `program` with the peer's preload, on the first `cores` processors (all, if zero), for this many
/// seconds at most.
///
/// The preload is set by `env`, last, so that none of the programs in front of it has it.
fn under(peer: &Peer, cores: usize, wrapper: &[&str], program: &Path, seconds: u64) -> Command {
    let mut command = Command::new("timeout");
    command.arg(seconds.to_string());
    if cores > 0 {
        command.args(["taskset", "-c", &format!("0-{}", cores - 1)]);
    }
    command.args(wrapper).arg("env");
    if !peer.preload().is_empty() {
        command.arg(format!("LD_PRELOAD={}", peer.preload()));
    }
    command
        .arg(program)
        .stdin(Stdio::null())
        .envs(peer.variables())
        .env("RUST_BACKTRACE", "0");
    command
}

/// What a command of [`command`] reports.
///
/// # Errors
///
/// As for [`run`].
pub fn report(mut command: Command) -> Result<Report, Failure> {
    let output = command.output()?;
    succeeded(&output)?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// An error with the last telling line of what a failed command said.
///
/// # Errors
///
/// When the command did not end with success.
pub fn succeeded(output: &Output) -> Result<(), Failure> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no message");
    Err(format!("{}: {last}", output.status).into())
}
