//! The command line.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use slubctl::mail::{Limit, Request};
use slubctl::view::top::{Grouping, Sort};

use crate::profile_arguments::{LeaksArguments, ProfileArguments};
use crate::units::size;

/// Looks into the heap of a running process that uses slubmalloc, without a call in it.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A process.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The process to look at
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: i32,
}

/// How long an answer is waited for.
#[derive(Debug, Args)]
pub(crate) struct Patience {
    /// Seconds to wait for the answer
    #[arg(short, long, default_value_t = 1.0, value_parser = seconds)]
    pub(crate) wait: f64,
    /// Take the place of a request that is pending, which is dropped
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the processes that use slubmalloc
    Ps,
    /// Show where a process's memory is
    Show {
        #[command(flatten)]
        target: Target,
        /// Print everything that was read as JSON
        #[arg(long)]
        json: bool,
        /// Do not look at which pages are resident
        #[arg(long)]
        no_resident: bool,
    },
    /// Show what changed between two snapshots of `show --json`
    Diff {
        /// The earlier one
        before: PathBuf,
        /// The later one
        after: PathBuf,
    },
    /// Print the format of /proc/slabinfo
    Slabinfo(Target),
    /// Print the format of /proc/buddyinfo
    Buddyinfo(Target),
    /// Print the format of /proc/pagetypeinfo
    Pagetypeinfo(Target),
    /// Print the format of the kernel's extfrag/unusable_index
    Extfrag(Target),
    /// Print the table of numastat(8)
    Numastat(Target),
    /// Print the format of /proc/vmstat
    Vmstat(Target),
    /// Show what each thread has cached
    Threads(Target),
    /// Show caches, or all processes, again and again, as slabtop(1) does
    Top {
        /// The process to look at; all that use slubmalloc if there is none
        #[arg(value_parser = clap::value_parser!(i32).range(1..))]
        pid: Option<i32>,
        /// Print text instead of taking the whole screen
        #[arg(short, long)]
        batch: bool,
        /// Print text once: --batch --iterations 1
        #[arg(short, long, conflicts_with = "iterations")]
        once: bool,
        /// Seconds between two looks
        #[arg(short, long, default_value_t = 3.0, value_parser = seconds)]
        delay: f64,
        /// End after this number of looks
        #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..))]
        iterations: Option<u64>,
        /// What a row of a process is: a cache if nothing is said
        #[arg(long, value_enum, requires = "pid")]
        by: Option<By>,
        /// What to sort by, by slabtop's letters: a or v, b or p, c, l, n, o, s, u, and r for the rate of allocation and free
        #[arg(short, long, default_value = "c", value_parser = sort)]
        sort: Sort,
    },
    /// Show which code has allocated the memory that is in use, by samples
    Profile(ProfileArguments),
    /// Show which code's memory grows or is old
    Leaks(LeaksArguments),
    /// Draw a map of the arenas
    Map {
        #[command(flatten)]
        target: Target,
        /// The SVG file to write; a terminal gets text without one
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Check the tables against each other; exit status 3 if they contradict themselves
    Check {
        #[command(flatten)]
        target: Target,
        /// Stop the process while its tables are read
        #[arg(long)]
        stop: bool,
    },
    /// Have a process give back all that is unused, as malloc_trim(3) does; exit status 3 if that is pending
    Trim {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        patience: Patience,
    },
    /// Have a process give back what is free; exit status 3 if that is pending
    Purge {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        patience: Patience,
    },
    /// Change an option of a process; exit status 3 if that is pending
    Set {
        #[command(flatten)]
        target: Target,
        /// purge_ms=N|never, limit=SIZE|off|auto, or stats=exit|off, as in SLUBMALLOC_CONF
        #[arg(value_name = "KEY=VALUE", value_parser = option)]
        option: Request,
        #[command(flatten)]
        patience: Patience,
    },
    /// Print metrics in the OpenMetrics format, of all processes or of some, or serve them
    Prometheus {
        /// Serve them by HTTP at this address, or name, and port, under /metrics
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen)]
        listen: Option<String>,
        /// The processes to look at; all that use slubmalloc if there is none
        #[arg(value_parser = clap::value_parser!(i32).range(1..))]
        pids: Vec<i32>,
    },
    /// Print a shell's completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Look at a core file
    Core {
        /// The core file
        file: PathBuf,
        /// The program it is the core of, if that is not where it was
        #[arg(long, value_name = "PROGRAM")]
        exe: Option<PathBuf>,
        /// The shared library it was run with, if that is not where it was
        #[arg(long, value_name = "FILE")]
        library: Option<PathBuf>,
        /// A directory below which all files are that it was run with
        #[arg(long, value_name = "DIRECTORY")]
        sysroot: Option<PathBuf>,
        /// What to show: the page of `show` if nothing is said, and with --output the map
        #[arg(value_enum)]
        view: Option<View>,
        /// The file to write the map (SVG) or the profile to; a terminal gets text without one
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
}

impl Arguments {
    /// The command of the command line; this program ends where that is wrong.
    pub(crate) fn read() -> Command {
        let arguments = <Self as Parser>::parse();
        if let Command::Core {
            view: Some(view),
            output: Some(_),
            ..
        } = arguments.command
            && !matches!(view, View::Map | View::Profile)
        {
            let line = "--output is for a map or a profile: only those go to a file of their own";
            let mut command = <Self as CommandFactory>::command();
            command.error(ErrorKind::ArgumentConflict, line).exit();
        }
        arguments.command
    }
}

/// What a row of `top` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Cache,
    CacheNode,
    Node,
    Pool,
}

impl From<By> for Grouping {
    fn from(by: By) -> Self {
        match by {
            By::Cache => Self::Caches,
            By::CacheNode => Self::CacheNodes,
            By::Node => Self::Nodes,
            By::Pool => Self::Pools,
        }
    }
}

/// A view of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum View {
    Show,
    Json,
    Slabinfo,
    Buddyinfo,
    Pagetypeinfo,
    Extfrag,
    Numastat,
    Vmstat,
    Threads,
    Map,
    Check,
    Prometheus,
    Profile,
}

/// A time between two looks.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0.05 to 86400".to_owned()),
    }
}

/// An address and a port.
fn listen(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err("an address or a name, a colon, and a port".to_owned()),
    }
}

/// An option that may change while the program runs.
fn option(text: &str) -> Result<Request, String> {
    let known = "purge_ms=N|never, limit=SIZE|off|auto, or stats=exit|off";
    let (key, value) = text.split_once('=').ok_or(known)?;
    match (key, value) {
        ("purge_ms", "never" | "off") => Ok(Request::PurgeMs(None)),
        ("purge_ms", value) => match value.parse() {
            Ok(time @ 0..=3_600_000) => Ok(Request::PurgeMs(Some(time))),
            _ => Err("purge_ms takes a number up to 3600000, or never".to_owned()),
        },
        ("limit", "off") => Ok(Request::Limit(Limit::Off)),
        ("limit", "auto") => Ok(Request::Limit(Limit::Initial)),
        ("limit", value) => match size(value) {
            Some(bytes @ 0x100_0000..) => Ok(Request::Limit(Limit::Bytes(bytes))),
            _ => Err("limit takes a size from 16m on, off or auto".to_owned()),
        },
        ("stats", "exit") => Ok(Request::StatsAtExit(true)),
        ("stats", "off") => Ok(Request::StatsAtExit(false)),
        _ => Err(known.to_owned()),
    }
}

/// A column by its letter.
fn sort(text: &str) -> Result<Sort, String> {
    let mut letters = text.chars();
    let sort = letters.next().and_then(Sort::from_letter);
    let sort = sort.filter(|_| letters.next().is_none());
    sort.ok_or_else(|| "one of the letters a, b, c, l, n, o, p, r, s, u and v".to_owned())
}
