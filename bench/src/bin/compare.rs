//! Allocators side by side: time, memory, single calls, counted instructions.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use slubmalloc_bench::driver::case::{Case, Selection, cases};
use slubmalloc_bench::driver::peer::{BASELINE, Peer, SUBJECT, linked, packaged};
use slubmalloc_bench::driver::progress::Progress;
use slubmalloc_bench::driver::round::{Effort, measure};
use slubmalloc_bench::driver::row::{Row, rows};
use slubmalloc_bench::driver::{
    Failure, counting, latency, locks, machine, markdown, picture, placement, programs, rest,
};

/// Compares slubmalloc with glibc and the other allocators of this machine.
#[derive(Debug, Parser)]
#[command(name = "compare", version)]
struct Arguments {
    /// libslubmalloc.so
    #[arg(long, required_unless_present = "redraw")]
    library: Option<PathBuf>,
    /// Makes the page and the pictures of the last results anew, and measures nothing
    #[arg(long)]
    redraw: bool,
    /// Where the builds of `work` with linked allocators lie
    #[arg(long)]
    linked: Option<PathBuf>,
    /// Another build, or the same library with another configuration: NAME=PATH or NAME=PATH@CONFIGURATION
    #[arg(long = "build")]
    builds: Vec<String>,
    /// Where recorded traces lie
    #[arg(long, default_value = "bench/traces")]
    traces: PathBuf,
    /// Where results go
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
    /// Fewer workloads, shorter runs, no whole programs: within three minutes
    #[arg(long)]
    quick: bool,
    /// Only these cases, by name or by its part before the slash
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these allocators, beside glibc and slubmalloc
    #[arg(long, value_delimiter = ',')]
    peers: Option<Vec<String>>,
    /// Runs each case on this many processors; several numbers run it several times
    #[arg(long, value_delimiter = ',', default_value = "0")]
    cores: Vec<usize>,
    /// Runs each case with this many threads; several numbers run it several times
    #[arg(long, value_delimiter = ',', default_value = "0")]
    threads: Vec<usize>,
    /// Minutes after which no new round starts
    #[arg(long)]
    minutes: Option<f64>,
    /// Rounds at most
    #[arg(long)]
    rounds: Option<usize>,
    /// Operations of each run, in place of what takes half a second with glibc or is usual for a case
    #[arg(long)]
    ops: Option<u64>,
    /// Times single calls instead
    #[arg(long)]
    latency: bool,
    /// Counts instructions instead, which does not depend on what else the machine does
    #[arg(long)]
    count: bool,
    /// Runs each case under many placements of what it touches instead; LIBRARY is a build that can be moved
    #[arg(long)]
    placement: bool,
    /// Counts how often locks are taken instead; LIBRARY is a build that counts
    #[arg(long)]
    locks: bool,
    /// Placements
    #[arg(long, default_value_t = 32)]
    placements: usize,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    fs::create_dir_all(&arguments.out)?;
    if arguments.redraw {
        return redraw(&arguments);
    }
    let header = (command_line(), machine::description());
    if let (true, Some(library)) = (arguments.placement, &arguments.library) {
        let plan = placement::Plan {
            placements: arguments.placements.max(1),
            runs: arguments.rounds.unwrap_or(5).max(1),
        };
        let cases = selected(&arguments);
        return placement::run(&cases, library, plan, &arguments.out, &header);
    }
    if let (true, Some(library)) = (arguments.locks, &arguments.library) {
        return locks::run(&selected(&arguments), library, &arguments.out, &header);
    }
    let peers = peers(&arguments)?;
    let names: Vec<_> = peers.iter().map(|peer| peer.name.as_str()).collect();
    eprintln!("Comparing {}.", names.join(", "));
    if arguments.latency {
        return latency::run(&peers, &arguments.out, &header);
    }
    if arguments.count {
        return counting::run(&selected(&arguments), &peers, &arguments.out, &header);
    }
    let rows = compare(&arguments, &peers)?;
    write(&arguments, &rows, &header)
}

/// glibc, ours, Debian's packages, the linked ones, and the limit of the pair workloads.
fn peers(arguments: &Arguments) -> Result<Vec<Peer>, Failure> {
    let mut peers = vec![Peer::glibc()];
    if let Some(library) = &arguments.library {
        peers.push(Peer::subject(library)?);
    }
    for build in &arguments.builds {
        peers.push(Peer::build(build)?);
    }
    if arguments.builds.is_empty() {
        peers.extend(packaged());
    }
    peers.extend(arguments.linked.iter().flat_map(|folder| linked(folder)));
    if let Some(wanted) = &arguments.peers {
        if let Some(missing) = wanted
            .iter()
            .find(|name| peers.iter().all(|peer| peer.name != **name))
        {
            let known: Vec<_> = peers.into_iter().map(|peer| peer.name).collect();
            return Err(
                format!("there is no allocator {missing}, only {}", known.join(", ")).into(),
            );
        }
        peers.retain(|peer| {
            [BASELINE, SUBJECT].contains(&peer.name.as_str()) || wanted.contains(&peer.name)
        });
    }
    Ok(peers)
}

fn selected(arguments: &Arguments) -> Vec<Case> {
    let selection = if arguments.quick {
        Selection::Quick
    } else {
        Selection::All
    };
    // A case that is named runs, quick or not.
    let selection = if arguments.only.is_empty() {
        selection
    } else {
        Selection::All
    };
    let mut chosen = Vec::new();
    for &cores in &arguments.cores {
        for &threads in &arguments.threads {
            let all = cases(selection, &arguments.traces).into_iter();
            let wanted = all.filter(|case| is_wanted(arguments, &case.name));
            chosen.extend(wanted.map(|case| case.with_threads(threads).on(cores)));
        }
    }
    chosen
}

fn is_wanted(arguments: &Arguments, name: &str) -> bool {
    let group = name.split('/').next();
    arguments.only.is_empty()
        || arguments
            .only
            .iter()
            .any(|only| only == name || Some(only.as_str()) == group)
}

fn compare(arguments: &Arguments, peers: &[Peer]) -> Result<Vec<Row>, Failure> {
    let (seconds, most_rounds, minutes) = if arguments.quick {
        (0.1, 5, 2.6)
    } else {
        (0.5, 15, 120.0)
    };
    let most_rounds = arguments.rounds.unwrap_or(most_rounds).max(1);
    let effort = Effort {
        seconds,
        least_rounds: most_rounds.min(5),
        most_rounds,
        settled_share: 0.01,
        operations: arguments.ops,
    };
    let limit = Duration::from_secs_f64(arguments.minutes.unwrap_or(minutes) * 60.0);
    let cases = selected(arguments);
    let programs = programs::all();
    let programs: Vec<_> = programs
        .into_iter()
        .filter(|program| !arguments.quick && is_wanted(arguments, program.name))
        .collect();
    if cases.len() + programs.len() == 0 {
        return Err("there is no such case; `work` without arguments lists the workloads".into());
    }
    let progress = Progress::new(cases.len() + programs.len());
    let start = Instant::now();
    // What is left of the time is shared out by weight among what is left to run.
    let weights: Vec<_> = cases.iter().map(Case::weight).collect();
    let weights = [weights, vec![1; programs.len()]].concat();
    let budget = |done: usize| {
        let left = weights[done..].iter().sum::<u32>();
        limit.saturating_sub(start.elapsed()) * weights[done] / left
    };
    let mut all = Vec::new();
    for (done, case) in cases.iter().enumerate() {
        let mut peers = peers.to_vec();
        if case.name.starts_with("pair/") {
            peers.push(Peer::limit());
        }
        all.extend(rows(
            case,
            &peers,
            &measure(case, &peers, &effort, budget(done), &progress)?,
        ));
        progress.done(&case.name);
    }
    for (done, program) in programs.iter().enumerate() {
        all.extend(programs::measure(
            program,
            peers,
            &effort,
            budget(cases.len() + done),
            &progress,
        )?);
        progress.done(program.name);
    }
    progress.finish();
    Ok(all)
}

/// As [`write`], of the rows that are there.
fn redraw(arguments: &Arguments) -> Result<(), Failure> {
    let page = fs::read_to_string(arguments.out.join("compare.md"))?;
    let mut parts = page.split("\n\n").skip(1);
    let header = (parts.next(), parts.next());
    let (Some(command), Some(machine)) = header else {
        return Err("the page of the last results has no head".into());
    };
    let header = (command.trim_matches('`').to_owned(), machine.to_owned());
    let mut table = csv::Reader::from_path(arguments.out.join("compare.csv"))?;
    let rows: Vec<Row> = table.deserialize().collect::<Result<_, _>>()?;
    write(arguments, &rows, &header)
}

fn write(
    arguments: &Arguments,
    rows: &[Row],
    (command, machine): &(String, String),
) -> Result<(), Failure> {
    let rest = rest::section(rows);
    let page = markdown::page(rows, &rest, command, machine);
    fs::write(arguments.out.join("compare.md"), &page)?;
    let mut table = csv::Writer::from_path(arguments.out.join("compare.csv"))?;
    rows.iter().try_for_each(|row| table.serialize(row))?;
    table.flush()?;
    let path = arguments.out.join("time.svg");
    picture::draw(
        &path,
        "Time relative to glibc (left is faster)",
        rows,
        |row| row.time_to_glibc,
    )?;
    let path = arguments.out.join("memory.svg");
    picture::draw(
        &path,
        "Peak memory relative to glibc (left is smaller)",
        rows,
        |row| row.memory_to_glibc,
    )?;
    if !rest.is_empty() {
        let path = arguments.out.join("rest.svg");
        picture::draw_rest(&path, "Memory at rest, MiB (left is smaller)", rows)?;
    }
    let means = page.split("\n## ").nth(1).unwrap_or_default();
    println!(
        "{means}\n{rest}\nEverything is in {}.",
        arguments.out.display()
    );
    Ok(())
}

/// The command as typed, without the folders of this machine.
fn command_line() -> String {
    let bare = |argument: String| match PathBuf::from(&argument) {
        path if path.is_absolute() => path
            .file_name()
            .map_or(argument, |name| name.to_string_lossy().into()),
        _ => argument,
    };
    let arguments: Vec<_> = std::env::args().map(bare).collect();
    arguments.join(" ")
}
