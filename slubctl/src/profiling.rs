//! The commands `profile` and `leaks`.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use slubctl::mail::Others;
use slubctl::memory::{CoreFile, Process};
use slubctl::profile::{self, Files, Names, Profile, Stored, Values};
use slubctl::view::{counted, human};

use crate::profile_arguments::{Format, LeaksArguments, ProfileArguments};
use crate::sampling::Sampling;
use crate::told;

/// Bytes between two samples if nothing else is said: for a profile, which costs next to nothing, and for leaks, which are found
/// sooner with more samples.
const RATE: u64 = 512 << 10;
const LEAKS_RATE: u64 = 128 << 10;
/// How long a process is sampled that was not.
const SECONDS: Duration = Duration::from_secs(10);

/// Where a profile goes, and how.
struct Wanted<'a> {
    /// The file, which is open, so that nothing is sampled for one that cannot be written.
    file: Option<(&'a Path, File)>,
    format: Format,
    values: Values,
}

impl<'a> Wanted<'a> {
    fn new(path: Option<&'a Path>, format: Option<Format>, values: Values) -> Result<Self> {
        let format = format.unwrap_or_else(|| path.map_or(Format::Text, Format::of));
        if path.is_none() && format == Format::Pprof && std::io::stdout().is_terminal() {
            bail!("pprof's format is not for a terminal: --output names a file");
        }
        // What it has is replaced by a profile only.
        let open = |path: &Path| {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
        };
        let file = path.map(|it| open(it).with_context(|| it.display().to_string()));
        Ok(Self {
            file: path.zip(file.transpose()?),
            format,
            values,
        })
    }
}

/// Profiles a process, or compares two profiles.
pub(crate) fn profile(arguments: &ProfileArguments, output: &mut dyn Write) -> Result<ExitCode> {
    if let Some([before, after]) = arguments.diff.as_deref() {
        let (before, after) = (stored(before)?, stored(after)?);
        output.write_all(profile::diff(&before, &after).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let values = arguments.values.into();
    let process = Process::open(arguments.pid.context("no process")?);
    let sampling = &arguments.sampling;
    let sampling = Sampling::begin(&process, sampling.rate, RATE, others(sampling.force))?;
    let wanted = Wanted::new(arguments.output.as_deref(), arguments.format, values)?;
    let time = match sampling.is_own() {
        true => arguments.seconds.unwrap_or(SECONDS),
        false => arguments.seconds.unwrap_or_default(),
    };
    sampling.wait(time);
    let read = sampling.read();
    sampling.end()?;
    let title = format!("process {} ({})", process.pid, process.command());
    write(&read?, &process, &title, &wanted, output)
}

/// Shows the profile of a core file.
pub(crate) fn core(
    core: &CoreFile,
    path: Option<&Path>,
    output: &mut dyn Write,
) -> Result<ExitCode> {
    let profile = profile::of_target(core, None, "the core")?;
    let wanted = Wanted::new(path, None, Values::Live)?;
    let title = format!("core of {}", core.command());
    write(&profile, core, &title, &wanted, output)
}

/// Looks for leaks.
pub(crate) fn leaks(arguments: &LeaksArguments, output: &mut dyn Write) -> Result<ExitCode> {
    let process = Process::open(arguments.pid);
    let sampling = &arguments.sampling;
    let sampling = Sampling::begin(&process, sampling.rate, LEAKS_RATE, others(sampling.force))?;
    // Blocks that take the place of older ones, which nobody sampled, would look like growth.
    if sampling.is_own() {
        sampling.wait(arguments.seconds / 2);
    }
    // A process that is not sampled until later has nothing yet.
    let before = sampling.read();
    let begin = Instant::now();
    sampling.wait(arguments.seconds);
    let after = sampling.read();
    let apart = begin.elapsed();
    let was_off = sampling.is_own();
    sampling.end()?;
    let (before, after) = match (before, after) {
        (before, Ok(after)) => (before.unwrap_or_default(), after),
        (_, Err(error)) => return Err(error),
    };
    let names = Names::of(&after, &process);
    let traces = profile::traces(&after, &names);
    let found = profile::leaks(&before, &after, arguments.older);
    let since = match (was_off, after.on_for_ms) {
        (false, Some(ms)) => format!("has been sampled for {:.0} s", ms as f64 / 1e3),
        _ => "was not sampled before".to_owned(),
    };
    writeln!(
        output,
        "process {} ({}) {since}; one block for {} in the mean",
        process.pid,
        process.command(),
        human(after.rate)
    )?;
    let report = profile::report(&found, &traces, (apart, arguments.older), arguments.top);
    output.write_all(report.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn others(is_forced: bool) -> Others {
    match is_forced {
        true => Others::Replace,
        false => Others::Wait,
    }
}

/// Writes a profile of what `title` names.
fn write(
    profile: &Profile,
    files: &dyn Files,
    title: &str,
    wanted: &Wanted<'_>,
    output: &mut dyn Write,
) -> Result<ExitCode> {
    let names = Names::of(profile, files);
    let traces = profile::traces(profile, &names);
    let heading = format!("heap profile of {title}");
    let notes = profile::notes(profile, wanted.values);
    let bytes = match wanted.format {
        Format::Pprof => {
            let comment = format!("{heading}: {}", notes.join("; "));
            profile::pprof(profile, &names, wanted.values, &comment)?
        }
        Format::Folded => profile::folded(&traces, wanted.values).into_bytes(),
        Format::Svg => {
            let notes = notes.join("; ");
            profile::flame_graph(&traces, wanted.values, &heading, &notes)?.into_bytes()
        }
        Format::Text => profile::text(profile, &traces, wanted.values, &heading).into_bytes(),
    };
    let Some((path, mut file)) = wanted.file.as_ref().map(|(path, file)| (path, file)) else {
        output.write_all(&bytes)?;
        return Ok(ExitCode::SUCCESS);
    };
    // A pipe or a device has no length.
    let _ = file.set_len(0);
    file.write_all(&bytes)
        .with_context(|| path.display().to_string())?;
    // The other formats say so themselves.
    for line in notes
        .iter()
        .skip(1)
        .filter(|_| wanted.format != Format::Text)
    {
        told::tell(line);
    }
    let sum = profile.sum(wanted.values);
    writeln!(
        output,
        "{title}: {} in {} of {} in {}",
        human(sum.bytes),
        counted(sum.count.round() as u64, "block"),
        counted(profile.stacks.len() as u64, "stack"),
        path.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

fn stored(path: &Path) -> Result<Stored> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    profile::stored(BufReader::new(file)).with_context(|| path.display().to_string())
}
