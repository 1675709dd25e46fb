//! `slubctl`: looks into the heap of a running process that uses slubmalloc.
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod looks;
mod metrics;
mod profile_arguments;
mod profiling;
mod sampling;
mod screen;
mod serve;
mod signals;
mod told;
mod top;
mod units;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use slubctl::mail::Busy;
use slubctl::memory::OtherBuild;

/// The exit status for a core file whose library is not the one that is there.
const OTHER_BUILD: u8 = 4;
/// The exit status where an earlier request is pending.
const BUSY: u8 = 5;

fn main() -> ExitCode {
    let command = arguments::Arguments::read();
    let mut output = std::io::stdout().lock();
    let done = commands::run(command, &mut output).and_then(|code| {
        output.flush()?;
        Ok(code)
    });
    match done {
        Ok(code) => code,
        // A reader that has seen enough is no mistake.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            told::tell(&format!("{error:#}"));
            match () {
                () if error.is::<OtherBuild>() => ExitCode::from(OTHER_BUILD),
                () if error.is::<Busy>() => ExitCode::from(BUSY),
                () => ExitCode::FAILURE,
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|it| it.kind() == ErrorKind::BrokenPipe)
}
