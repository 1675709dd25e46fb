//! The command line of `profile` and `leaks`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use slubctl::profile::Values;

use crate::units::{size, time};

/// How memory is sampled.
#[derive(Debug, Args)]
pub(crate) struct Sampling {
    /// Bytes between two samples in the mean where sampling is off, as 512k
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    pub(crate) rate: Option<u64>,
    /// Take the place of a request that is pending, which is dropped
    #[arg(long)]
    pub(crate) force: bool,
}

/// What `profile` takes.
#[derive(Debug, Args)]
pub(crate) struct ProfileArguments {
    /// The process to look at
    #[arg(value_parser = clap::value_parser!(i32).range(1..), required_unless_present = "diff")]
    pub(crate) pid: Option<i32>,
    #[command(flatten)]
    pub(crate) sampling: Sampling,
    /// How long it is sampled before it is read: 10 s if sampling was off, 0 if it was on
    #[arg(short, long, value_name = "TIME", value_parser = time)]
    pub(crate) seconds: Option<Duration>,
    /// The file to write; text is printed without one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format, if the file's name does not end in .pb.gz, .folded, .svg or .txt
    #[arg(short, long, value_enum)]
    pub(crate) format: Option<Format>,
    /// What to show of each stack: what is in use, all that was allocated, or what was in use at the peak
    #[arg(long, value_enum, default_value = "live")]
    pub(crate) values: Which,
    /// Show what grew between two profiles in pprof's format
    #[arg(
        long,
        num_args = 2,
        value_names = ["BEFORE", "AFTER"],
        conflicts_with_all = ["pid", "rate", "force", "seconds", "output", "format", "values"]
    )]
    pub(crate) diff: Option<Vec<PathBuf>>,
}

/// What `leaks` takes.
#[derive(Debug, Args)]
pub(crate) struct LeaksArguments {
    /// The process to look at
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: i32,
    #[command(flatten)]
    pub(crate) sampling: Sampling,
    /// The age from which a block is old
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(crate) older: Duration,
    /// The time between the two looks
    #[arg(short, long, value_name = "TIME", default_value = "30", value_parser = wait)]
    pub(crate) seconds: Duration,
    /// Stacks to show at most
    #[arg(short = 'n', long, default_value_t = 20)]
    pub(crate) top: usize,
}

/// A format of profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Google's, compressed, for pprof, speedscope and others
    Pprof,
    /// A line for each stack, for flame graphs
    Folded,
    /// A flame graph
    Svg,
    /// A table, and the largest stacks
    Text,
}

impl Format {
    /// The one that a file's name tells; pprof's if it tells none.
    pub(crate) fn of(path: &Path) -> Self {
        let ending = path
            .extension()
            .map(|it| it.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("folded" | "collapsed") => Self::Folded,
            Some("svg") => Self::Svg,
            Some("txt" | "text") => Self::Text,
            _ => Self::Pprof,
        }
    }
}

/// What to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    Live,
    All,
    Peak,
}

impl From<Which> for Values {
    fn from(which: Which) -> Self {
        match which {
            Which::Live => Self::Live,
            Which::All => Self::All,
            Which::Peak => Self::Peak,
        }
    }
}

/// Bytes between two samples.
fn rate(text: &str) -> Result<u64, String> {
    let bytes = size(text).filter(|it| (1..=1 << 40).contains(it));
    bytes.ok_or_else(|| "a size from 1 to 1t".to_owned())
}

/// A time that is not 0.
fn wait(text: &str) -> Result<Duration, String> {
    match time(text)? {
        it if it >= Duration::from_millis(50) => Ok(it),
        _ => Err("at least 50ms".to_owned()),
    }
}
