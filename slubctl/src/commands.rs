//! What each command does.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use slubctl::mail::{self, Answer, Request};
use slubctl::memory::{CoreFile, Process};
use slubctl::read::{self, Depth};
use slubctl::snapshot::Snapshot;
use slubctl::stop::Stopped;
use slubctl::view;

use crate::arguments::{Arguments, Command, Patience, View};
use crate::{metrics, top};

/// The time between two readings of a check.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs a command and returns the exit code.
pub(crate) fn run(command: Command, mut output: &mut dyn Write) -> Result<ExitCode> {
    let (pid, wanted) = match command {
        Command::Ps => {
            output.write_all(view::ps(&all()?).as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Diff { before, after } => {
            let text = view::diff(&stored(&before)?, &stored(&after)?);
            output.write_all(text.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Core { file, exe, view } => {
            let core = CoreFile::open(&file, exe.as_deref())?;
            let mut snapshot =
                read::target(&core, Depth::Resident).with_context(|| file.display().to_string())?;
            if snapshot.heaps.is_empty() {
                bail!("{}: nothing in it uses slubmalloc", file.display());
            }
            snapshot.command = core.command.clone();
            return print(&snapshot, view, output);
        }
        Command::Show {
            target,
            json,
            no_resident,
        } => {
            let depth = if no_resident {
                Depth::Counts
            } else {
                Depth::Resident
            };
            let snapshot = read::process(target.pid, depth)?;
            let view = if json { View::Json } else { View::Show };
            return print(&snapshot, view, output);
        }
        Command::Top {
            pid,
            batch,
            delay,
            iterations,
            sort,
            by,
        } => {
            let options = top::Options {
                pid,
                delay,
                iterations,
                sort,
                grouping: by.into(),
            };
            return match batch {
                true => top::batch(options, output),
                false => top::full_screen(options),
            };
        }
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "slubctl", &mut output);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Map {
            target,
            output: path,
        } => {
            let process = Process::open(target.pid);
            let arenas = read::squares(&process)?;
            if arenas.is_empty() {
                bail!("process {} does not use slubmalloc", target.pid);
            }
            let title = format!("process {} ({})", target.pid, process.command());
            match path {
                Some(path) => {
                    let map = view::map(&title, &arenas);
                    std::fs::write(&path, map).with_context(|| path.display().to_string())?;
                }
                None => {
                    let has_colours = std::io::stdout().is_terminal();
                    output.write_all(view::text_map(&title, &arenas, has_colours).as_bytes())?;
                }
            }
            return Ok(ExitCode::SUCCESS);
        }
        Command::Check { target, stop } => return check(target.pid, stop, output),
        Command::Trim { target, patience } => {
            return ask(target.pid, Request::Trim, &patience, output);
        }
        Command::Purge { target, patience } => {
            return ask(target.pid, Request::Purge, &patience, output);
        }
        Command::Set {
            target,
            option,
            patience,
        } => return ask(target.pid, option, &patience, output),
        Command::Prometheus { listen, pids } => {
            let Some(address) = listen else {
                output.write_all(metrics::text(&pids)?.as_bytes())?;
                return Ok(ExitCode::SUCCESS);
            };
            return metrics::serve(address, &pids);
        }
        Command::Slabinfo(target) => (target.pid, View::Slabinfo),
        Command::Buddyinfo(target) => (target.pid, View::Buddyinfo),
        Command::Pagetypeinfo(target) => (target.pid, View::Pagetypeinfo),
        Command::Extfrag(target) => (target.pid, View::Extfrag),
        Command::Numastat(target) => (target.pid, View::Numastat),
        Command::Vmstat(target) => (target.pid, View::Vmstat),
        Command::Threads(target) => (target.pid, View::Threads),
    };
    print(&read::process(pid, Depth::Counts)?, wanted, output)
}

fn print(snapshot: &Snapshot, wanted: View, output: &mut dyn Write) -> Result<ExitCode> {
    let text = match wanted {
        View::Show => view::show(snapshot),
        View::Json => serde_json::to_string_pretty(snapshot)? + "\n",
        View::Slabinfo => view::slabinfo(snapshot),
        View::Buddyinfo => view::buddyinfo(snapshot),
        View::Pagetypeinfo => view::pagetypeinfo(snapshot),
        View::Extfrag => view::extfrag(snapshot),
        View::Numastat => view::numastat(snapshot),
        View::Vmstat => view::vmstat(snapshot),
        View::Threads => view::threads(snapshot),
    };
    output.write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Asks a process for something and prints its answer.
fn ask(
    pid: i32,
    request: Request,
    patience: &Patience,
    output: &mut dyn Write,
) -> Result<ExitCode> {
    let process = Process::open(pid);
    let before = process.resident_bytes();
    let answer = mail::ask(&process, request, Duration::from_secs_f64(patience.wait))?;
    let after = process.resident_bytes();
    match (answer, before.zip(after)) {
        (Answer::Refused, _) => bail!("process {pid} does not take that value"),
        (Answer::Pending, _) => {
            writeln!(output, "process {pid}: pending, runs at the next slow path")?;
            return Ok(ExitCode::from(3));
        }
        (Answer::Done, Some((before, after))) if is_about_memory(request) => writeln!(
            output,
            "process {pid}: done; {} resident, {} before",
            view::human(after),
            view::human(before)
        )?,
        (Answer::Done, _) => writeln!(output, "process {pid}: done")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_about_memory(request: Request) -> bool {
    matches!(request, Request::Trim | Request::Purge)
}

/// Checks a process's tables.
fn check(pid: i32, stops: bool, output: &mut dyn Write) -> Result<ExitCode> {
    // A process without the library has nothing to check.
    read::process(pid, Depth::Counts)?;
    let is_first = Cell::new(true);
    let hold = || {
        // A thread that was changing something comes to its end meanwhile.
        if !is_first.replace(false) {
            std::thread::sleep(PAUSE);
        }
        stops.then(|| Stopped::stop(pid)).transpose()
    };
    let faults = read::check(&Process::open(pid), hold)?;
    if faults.is_empty() {
        writeln!(output, "process {pid}: the tables agree")?;
        return Ok(ExitCode::SUCCESS);
    }
    for fault in faults {
        writeln!(output, "process {pid}: {fault}")?;
    }
    Ok(ExitCode::from(3))
}

/// All processes that may be read and use the library.
pub(crate) fn all() -> Result<Vec<Snapshot>> {
    let mut found = Vec::new();
    for process in procfs::process::all_processes().context("/proc")? {
        let Ok(process) = process else {
            continue;
        };
        let pid = process.pid();
        // One that ends meanwhile, or that may not be read, is left out.
        if let Ok(mut snapshot) = read::target(&Process::open(pid), Depth::Resident) {
            snapshot.pid = pid;
            snapshot.command = Process::open(pid).command();
            snapshot.heaps.retain(|heap| heap.is_made);
            found.push(snapshot);
        }
    }
    found.retain(|it| !it.heaps.is_empty());
    Ok(found)
}

fn stored(path: &Path) -> Result<Snapshot> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let snapshot = serde_json::from_reader(BufReader::new(file));
    snapshot.with_context(|| format!("{} is no snapshot of `slubctl show --json`", path.display()))
}
