//! Starts children, shows how far they are, and says what became of them. Nothing here runs on the allocator under
//! test.
#![forbid(unsafe_code)]

use core::time::Duration;
use std::env;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

use super::arguments::Arguments;
use super::child::FAULT;
use super::minimise::{self, Case};
use super::progress::Progress;
use super::random::Origin;

const POLL: Duration = Duration::from_millis(20);
const NEWS: Duration = Duration::from_secs(10);
const NEWS_ON_A_TERMINAL: Duration = Duration::from_secs(1);

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Fine,
    /// The model found something.
    Fault,
    Signal(i32),
    Hung,
    /// It could not begin.
    Other(String),
}

/// Runs random lists until enough was done or something failed.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let since = Instant::now();
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(error) => return cannot(&format!("no scratch directory: {error}")),
    };
    let progress = match Progress::create(&scratch.progress()) {
        Ok(progress) => progress,
        Err(error) => return cannot(&format!("no page of progress: {error}")),
    };
    println!("seed {}", arguments.seed);
    let mut before = 0;
    let mut life = 0;
    let most = Duration::from_secs(arguments.seconds);
    while before < arguments.operations && since.elapsed() + Duration::from_secs(1) <= most {
        progress.places().iter().for_each(|place| place.clear());
        let left = most.saturating_sub(since.elapsed()).as_secs().max(1);
        let words = [
            "--child-random".to_owned(),
            "--life".to_owned(),
            "0".to_owned(),
            "--seconds".to_owned(),
            left.to_string(),
            "--number".to_owned(),
            life.to_string(),
        ];
        let mut child = command(arguments, &scratch);
        child.args(words).args(arguments.of_child());
        child.args([
            "--operations".to_owned(),
            arguments
                .life
                .min(arguments.operations - before)
                .to_string(),
        ]);
        let end = watch(&mut child, arguments, &progress, |now| {
            let all = before + now;
            let seconds = since.elapsed().as_secs_f64();
            format!(
                "{all} operations in {seconds:.0} s, {:.0} a second, process {}",
                all as f64 / seconds,
                life + 1
            )
        });
        let now: u64 = progress.places().iter().map(|place| place.get().2).sum();
        if end != End::Fine {
            println!(
                "process {life} of seed {}: {end:?} after {} operations, {:.1} s",
                arguments.seed,
                before + now,
                since.elapsed().as_secs_f64()
            );
            return explain(arguments, &scratch, &progress, life, &end);
        }
        before += now;
        life += 1;
    }
    let seconds = since.elapsed().as_secs_f64();
    println!(
        "{before} operations, {life} processes, {seconds:.1} s, {:.0} operations a second, no fault",
        before as f64 / seconds
    );
    println!("ok");
    ExitCode::SUCCESS
}

/// Replays stored lists.
pub(super) fn replay(arguments: &Arguments) -> ExitCode {
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(error) => return cannot(&format!("no scratch directory: {error}")),
    };
    if let Some(missing) = arguments.files.iter().find(|file| !file.is_file()) {
        return cannot(&format!("no such file: {}", missing.display()));
    }
    let groups: Vec<&[PathBuf]> = if arguments.is_together {
        vec![&arguments.files]
    } else {
        arguments.files.chunks(1).collect()
    };
    // All in one process first, which is fast; one by one tells which it was.
    let mut all = arguments.clone();
    all.is_quiet = true;
    let end = replay_once(&all, &scratch, &arguments.files, true);
    if end == End::Fine {
        println!("{} lists replayed\nok", arguments.files.len());
        return ExitCode::SUCCESS;
    }
    for group in groups {
        let end = replay_once(&all, &scratch, group, true);
        if end != End::Fine {
            println!("{group:?}: {end:?}");
        }
    }
    println!("{end:?}");
    ExitCode::FAILURE
}

/// Replays files in one child.
pub(super) fn replay_once(
    arguments: &Arguments,
    scratch: &Scratch,
    files: &[PathBuf],
    is_loud: bool,
) -> End {
    let progress = match Progress::create(&scratch.progress()) {
        Ok(progress) => progress,
        Err(error) => return End::Other(error.to_string()),
    };
    let mut child = command(arguments, scratch);
    child
        .arg("--child-lists")
        .args(arguments.of_child())
        .args(files);
    if arguments.is_together {
        child.arg("--together");
    }
    if !is_loud {
        child.stderr(Stdio::null());
    }
    watch(&mut child, arguments, &progress, |_| String::new())
}

/// A child with the allocator under test.
fn command(arguments: &Arguments, scratch: &Scratch) -> Command {
    let own = env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let mut command = Command::new(own);
    command
        .env_remove("LD_PRELOAD")
        .env_remove("SLUBMALLOC_CONF");
    command.stdin(Stdio::null());
    if let Some(conf) = &arguments.conf {
        command.env("SLUBMALLOC_CONF", conf);
    }
    if let Some(library) = &arguments.library {
        command.arg("--library").arg(library);
        // The crate's own functions are linked in.
        if !arguments.is_rust {
            command.env("LD_PRELOAD", library);
        }
    }
    command.arg("--progress").arg(scratch.progress());
    command
}

fn watch(
    command: &mut Command,
    arguments: &Arguments,
    progress: &Progress,
    news: impl Fn(u64) -> String,
) -> End {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return End::Other(error.to_string()),
    };
    let is_terminal = io::stdout().is_terminal();
    let pause = if is_terminal {
        NEWS_ON_A_TERMINAL
    } else {
        NEWS
    };
    let (mut told, mut moved, mut last) = (Instant::now(), Instant::now(), 0);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return end_of(status),
            Ok(None) => {}
            Err(error) => return End::Other(error.to_string()),
        }
        let places = progress.places().iter().map(|place| place.get());
        let (steps, now) = places.fold((0_u64, 0), |(steps, sum), (episode, records, now)| {
            (
                steps.wrapping_add(episode << 32).wrapping_add(records),
                sum + now,
            )
        });
        if steps != last {
            (last, moved) = (steps, Instant::now());
        } else if moved.elapsed() > Duration::from_secs(arguments.patience) {
            return kill(&mut child);
        }
        if !arguments.is_quiet && told.elapsed() > pause {
            told = Instant::now();
            let (before, after) = if is_terminal {
                ("\r", "\x1b[K")
            } else {
                ("", "\n")
            };
            print!("{before}{}{after}", news(now));
            let _ = io::stdout().flush();
        }
        thread::sleep(POLL);
    }
}

fn kill(child: &mut Child) -> End {
    let _ = child.kill();
    let _ = child.wait();
    End::Hung
}

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(0), _) => End::Fine,
        (Some(FAULT), _) => End::Fault,
        (_, Some(signal)) => End::Signal(signal),
        _ => End::Other(status.to_string()),
    }
}

/// Makes what failed short, writes it down and prints it.
fn explain(
    arguments: &Arguments,
    scratch: &Scratch,
    progress: &Progress,
    life: u64,
    end: &End,
) -> ExitCode {
    if matches!(end, End::Other(_)) || arguments.minimise == 0 {
        return ExitCode::FAILURE;
    }
    let places = progress.places().iter().take(arguments.threads);
    let origins = (0..).zip(places).map(|(list, place)| {
        let origin = Origin {
            seed: arguments.seed,
            life,
            list,
        };
        let (episode, records, _) = place.get();
        (origin, episode, records)
    });
    let origins: Vec<_> = origins.collect();
    match minimise::shortest(arguments, scratch, &origins, end) {
        None => println!(
            "only the last episodes do not fail; the whole process: --seed {} with the same options",
            arguments.seed
        ),
        Some(case) => report(arguments, life, &case),
    }
    ExitCode::FAILURE
}

fn report(arguments: &Arguments, life: u64, case: &Case) {
    let _ = fs::create_dir_all(&arguments.save);
    for (number, list) in case.lists.iter().enumerate() {
        let name = format!("fault-{}-{life}-{number}", arguments.seed);
        let path = arguments.save.join(name);
        match fs::write(&path, list) {
            Ok(()) => println!("list {number}: {}", path.display()),
            Err(error) => println!("list {number} could not be written: {error}"),
        }
        minimise::print(list);
    }
}

fn cannot(why: &str) -> ExitCode {
    eprintln!("operations: {why}");
    ExitCode::FAILURE
}

/// A directory that goes when the run ends.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("slubmalloc-fuzz-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn progress(&self) -> PathBuf {
        self.0.join("progress")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
