//! What each command does.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use slubctl::mail::{self, Answer, Others, Request};
use slubctl::memory::{CoreFile, Places, Process};
use slubctl::read::{self, Depth, Square};
use slubctl::snapshot::Snapshot;
use slubctl::stop::Stopped;
use slubctl::view;

use crate::arguments::{Arguments, Command, Patience, View};
use crate::looks::{self, Looks};
use crate::told::{self, Told};
use crate::{metrics, profiling, top};

/// The time between two readings of a check.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs a command and returns the exit code.
pub(crate) fn run(command: Command, output: &mut dyn Write) -> Result<ExitCode> {
    let (pid, wanted) = match command {
        Command::Ps => {
            let looks = Looks::at_all()?;
            output.write_all(view::ps(&looks.found).as_bytes())?;
            Told::default().tell(looks.complaints());
            return Ok(ExitCode::SUCCESS);
        }
        Command::Diff { before, after } => {
            let (before, after) = (stored(&before)?, stored(&after)?);
            if let Some(line) = view::not_of_one_program(&before, &after) {
                told::tell(&line);
            }
            output.write_all(view::diff(&before, &after).as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Core {
            file,
            exe,
            library,
            sysroot,
            view,
            output: path,
        } => {
            let places = Places {
                program: exe,
                library,
                root: sysroot,
            };
            let view = match (view, &path) {
                (Some(view), _) => view,
                (None, Some(_)) => View::Map,
                (None, None) => View::Show,
            };
            let core = CoreFile::open(&file, places)?;
            let shown = core_file(&core, view, path.as_deref(), output);
            return shown.with_context(|| file.display().to_string());
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
            once,
            delay,
            iterations,
            sort,
            by,
        } => {
            let options = top::Options {
                pid,
                delay,
                iterations: if once { Some(1) } else { iterations },
                sort,
                grouping: by.map(Into::into).unwrap_or_default(),
            };
            return match batch || once {
                true => top::batch(options, output),
                false => top::full_screen(options),
            };
        }
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            // It panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "slubctl", &mut script);
            output.write_all(&script)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Map {
            target,
            output: path,
        } => {
            let process = Process::open(target.pid);
            let title = format!("process {} ({})", target.pid, process.command());
            let arenas = process.unless_gone(read::squares(&process))?;
            return map(&arenas, &title, path.as_deref(), output);
        }
        Command::Profile(arguments) => return profiling::profile(&arguments, output),
        Command::Leaks(arguments) => return profiling::leaks(&arguments, output),
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
            let mut seen = HashSet::new();
            let pids: Vec<i32> = pids.into_iter().filter(|it| seen.insert(*it)).collect();
            let Some(address) = listen else {
                output.write_all(metrics::text(&pids, &mut Told::default())?.as_bytes())?;
                return Ok(ExitCode::SUCCESS);
            };
            return metrics::serve(&address, &pids);
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
    Told::default().tell(looks::unread(snapshot).collect());
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
        View::Prometheus => {
            let process = view::Process {
                pid: snapshot.pid,
                command: snapshot.command.clone(),
                cgroup: String::new(),
            };
            view::prometheus(&[(process, snapshot.clone())])
        }
        View::Map | View::Check | View::Profile => bail!("this view is none of a snapshot's"),
    };
    output.write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Shows a core file.
fn core_file(
    core: &CoreFile,
    wanted: View,
    path: Option<&Path>,
    output: &mut dyn Write,
) -> Result<ExitCode> {
    let read = read::target(core, Depth::Resident);
    if let Some(cut) = core.cut() {
        let is_read = read.as_ref().is_ok_and(|it| !it.heaps.is_empty());
        let is_shown = is_read && core.had_all();
        match (is_shown, wanted) {
            (true, View::Map | View::Check) => bail!("{cut}, and this view needs all of it"),
            (true, _) => told::tell(&format!(
                "the core file is {cut}: nothing is said of what is resident"
            )),
            (false, _) => bail!("{cut}, and what is missing is needed"),
        }
    }
    // Another build of the library says where other things lie.
    let is_empty = read.as_ref().map_or(true, |it| it.heaps.is_empty());
    if let Some(obstacle) = core.obstacle().filter(|_| is_empty) {
        return Err(obstacle);
    }
    let mut snapshot = read?;
    if snapshot.heaps.is_empty() {
        bail!("nothing in it uses slubmalloc");
    }
    core.command().clone_into(&mut snapshot.command);
    match wanted {
        View::Map => {
            let title = format!("core of {}", core.command());
            map(&read::squares(core)?, &title, path, output)
        }
        View::Profile => profiling::core(core, path, output),
        View::Check => verdict("the core", read::check(core, || Ok(()))?, output),
        _ => print(&snapshot, wanted, output),
    }
}

/// Draws the arenas, into a file if there is a path.
fn map(
    arenas: &[(u64, Vec<Square>)],
    title: &str,
    path: Option<&Path>,
    output: &mut dyn Write,
) -> Result<ExitCode> {
    if arenas.is_empty() {
        bail!("{title} does not use slubmalloc");
    }
    match path {
        Some(path) => {
            let map = view::map(title, arenas);
            std::fs::write(path, map).with_context(|| path.display().to_string())?;
        }
        None => {
            let has_colours = std::io::stdout().is_terminal();
            output.write_all(view::text_map(title, arenas, has_colours).as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what a check has found.
fn verdict(what: &str, faults: Vec<String>, output: &mut dyn Write) -> Result<ExitCode> {
    if faults.is_empty() {
        writeln!(output, "{what}: the tables agree")?;
        return Ok(ExitCode::SUCCESS);
    }
    for fault in faults {
        writeln!(output, "{what}: {fault}")?;
    }
    Ok(ExitCode::from(3))
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
    let others = match patience.force {
        true => Others::Replace,
        false => Others::Wait,
    };
    let time = Duration::from_secs_f64(patience.wait);
    let answer = mail::ask(&process, request, time, others)?;
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
    let process = Process::open(pid);
    let faults = process.unless_gone(read::check(&process, hold))?;
    // Tables that went away contradict themselves.
    if let Some(gone) = process.gone().filter(|_| !faults.is_empty()) {
        return Err(gone);
    }
    verdict(&format!("process {pid}"), faults, output)
}

fn stored(path: &Path) -> Result<Snapshot> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let snapshot = serde_json::from_reader(BufReader::new(file));
    snapshot.with_context(|| format!("{} is no snapshot of `slubctl show --json`", path.display()))
}
