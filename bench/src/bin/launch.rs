//! Runs a program under a preload, a number of times, and prints its cost as one line of JSON.
//!
//! A process of its own because the kernel counts what the parent had resident as the child's
//! peak: this one is small. `launch PRELOAD TIMES PROGRAM [ARGUMENTS…]`, PRELOAD may be empty.

use std::env::args_os;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use slubmalloc_bench::meter::Outcome;

fn main() -> ExitCode {
    let mut arguments = args_os().skip(1);
    let (Some(preload), Some(times), Some(program)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("launch PRELOAD TIMES PROGRAM [ARGUMENTS…]");
        return ExitCode::from(2);
    };
    let times: u64 = times
        .to_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if !preload.is_empty() {
        command.env("LD_PRELOAD", preload);
    }
    let mut outcome = Outcome {
        operations: times,
        ..Outcome::default()
    };
    let start = Instant::now();
    for _ in 0..times {
        if !run(&mut command, &mut outcome) {
            return ExitCode::FAILURE;
        }
    }
    outcome.nanoseconds = start.elapsed().as_nanos() as u64;
    println!(
        "{}",
        serde_json::to_string(&outcome).expect("an outcome is plain data")
    );
    ExitCode::SUCCESS
}

/// Runs the program once and adds its cost; false when it failed.
fn run(command: &mut Command, outcome: &mut Outcome) -> bool {
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{}: {error}", command.get_program().display());
            return false;
        }
    };
    let mut status = 0;
    let mut usage = core::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both addresses are of the types that wait4(2) writes.
    let waited = unsafe { libc::wait4(child.id() as i32, &raw mut status, 0, usage.as_mut_ptr()) };
    // SAFETY: all-zero is a valid `rusage`, even if the call failed.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    outcome.peak_bytes = outcome.peak_bytes.max(usage.ru_maxrss as u64 * 1024);
    outcome.user_seconds += seconds(usage.ru_utime);
    outcome.system_seconds += seconds(usage.ru_stime);
    outcome.minor_faults += usage.ru_minflt as u64;
    let success = waited > 0 && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
    if !success {
        eprintln!(
            "{} ended with wait status {status:#x}",
            command.get_program().display()
        );
    }
    success
}
