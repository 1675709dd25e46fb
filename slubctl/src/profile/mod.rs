//! The heap profile of a target: which stacks have allocated the memory that is in use, as the library has sampled it.
//!
//! # Invariant
//!
//! Numbers are estimates: a sampled block stands for others of its size. What a target says of itself is not trusted; what is
//! read of it is bounded.

mod decode;
mod demangle;
mod diff;
mod encode;
mod files;
mod flame;
mod leaks;
mod location;
mod modules;
mod object_file;
mod perf_map;
mod pprof;
mod symbols;
mod tables;
mod text;
mod traces;

use crate::memory::{Memory, Process};
use anyhow::{Result, bail};

pub use crate::read::Label;
pub use decode::{Stored, stored};
pub use diff::diff;
pub use encode::pprof;
pub use files::Files;
pub use flame::{flame_graph, folded};
pub use leaks::{Leak, leaks, report};
pub use location::Location;
pub use modules::{Module, Modules};
pub use symbols::Names;
pub use tables::{State, state};
pub use text::{notes, text};
pub use traces::{Trace, traces};

/// Blocks and bytes, as estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amount {
    /// Blocks.
    pub count: f64,
    /// Bytes that the program asked for.
    pub bytes: u64,
}

impl Amount {
    /// Adds another amount.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Which of a stack's amounts is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// What is in use.
    #[default]
    Live,
    /// All that was ever allocated.
    All,
    /// What was in use when that was most.
    Peak,
}

/// A stack that has allocated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    /// Return addresses, the innermost first; none for allocations of which no stack is known.
    pub frames: Vec<u64>,
    /// The cache or pool that the memory is of; none for malloc's.
    pub label: Option<Label>,
    /// What is in use.
    pub live: Amount,
    /// All that was ever allocated.
    pub all: Amount,
    /// What was in use when that was most in the whole process.
    pub peak: Amount,
}

impl Stack {
    /// One of its amounts.
    pub fn amount(&self, values: Values) -> Amount {
        match values {
            Values::Live => self.live,
            Values::All => self.all,
            Values::Peak => self.peak,
        }
    }
}

/// A sampled block that is in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Its address.
    pub address: u64,
    /// Bytes that the program asked for.
    pub bytes: u64,
    /// How many blocks it stands for, at least 1.
    pub count: f64,
    /// When it was allocated, in milliseconds after the first sampling, modulo 2^32.
    pub at: u32,
    /// Milliseconds since it was allocated.
    pub age_ms: u64,
    /// Its stack, an index.
    pub stack: usize,
}

impl Sample {
    /// Bytes that it stands for.
    pub fn weight(&self) -> f64 {
        self.bytes as f64 * self.count
    }
}

/// A profile.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Bytes between two samples in the mean, now or when it was on last.
    pub rate: u64,
    /// Whether allocations are sampled now.
    pub is_on: bool,
    /// Milliseconds since sampling was switched on last; none where no clock is known, as of a core file.
    pub on_for_ms: Option<u64>,
    /// Stacks that have allocated.
    pub stacks: Vec<Stack>,
    /// Sampled blocks in use.
    pub samples: Vec<Sample>,
    /// Estimated counts of freed blocks by age: entry n has those of less than 2^n milliseconds that no entry before has.
    pub lifetimes: Vec<f64>,
    /// Samples that had no room, which are in no number.
    pub dropped_samples: u64,
    /// Samples whose stacks had no room, which count for an unknown stack.
    pub dropped_stacks: u64,
    /// Whether the tables changed in each reading.
    pub is_approximate: bool,
    /// The program and its libraries.
    pub modules: Modules,
}

impl Profile {
    /// The sum over all stacks.
    pub fn sum(&self, values: Values) -> Amount {
        let mut sum = Amount::default();
        for stack in &self.stacks {
            sum.add(stack.amount(values));
        }
        sum
    }

    /// Adds what another copy of the library in the same process has.
    fn merge(&mut self, other: Self) {
        let first = self.stacks.len();
        self.stacks.extend(other.stacks);
        let moved = other.samples.into_iter().map(|it| Sample {
            stack: it.stack + first,
            ..it
        });
        self.samples.extend(moved);
        let longest = self.lifetimes.len().max(other.lifetimes.len());
        self.lifetimes.resize(longest, 0.0);
        for (sum, count) in self.lifetimes.iter_mut().zip(other.lifetimes) {
            *sum += count;
        }
        self.rate = self.rate.max(other.rate);
        self.is_on |= other.is_on;
        self.on_for_ms = self.on_for_ms.max(other.on_for_ms);
        self.dropped_samples = self.dropped_samples.saturating_add(other.dropped_samples);
        self.dropped_stacks = self.dropped_stacks.saturating_add(other.dropped_stacks);
        self.is_approximate |= other.is_approximate;
    }
}

/// The profile of a process.
pub fn of_process(process: &Process) -> Result<Profile> {
    let now = process.monotonic_ms();
    let subject = format!("process {}", process.pid);
    process.unless_gone(of_target(process, now, &subject))
}

/// The profile of whatever has this memory and errors call `subject`; `now` are milliseconds of its monotonic clock, if that is
/// known.
pub fn of_target(memory: &dyn Memory, now: Option<u64>, subject: &str) -> Result<Profile> {
    let mut found: Option<Profile> = None;
    for target in tables::profilers(memory, subject)? {
        let Some(read) = target.read_profile(now)? else {
            continue;
        };
        match &mut found {
            Some(profile) => profile.merge(read),
            None => found = Some(read),
        }
    }
    let Some(mut profile) = found else {
        bail!("{subject} was never sampled");
    };
    profile.modules = Modules::of(memory)?;
    Ok(profile)
}
