//! The list of all workloads, in the order in which reports show them.

use super::{
    Purpose, Threads, Workload, aligned, batch, burst, consumers, drift, false_sharing, grow,
    handoff, huge, idle, large, many_threads, one, pair, phases, replace, replay, resize, server,
    shuffle, tree, zero,
};

/// Name, function, scale, threads, least operations; purpose and operations unless it is a workload
/// for time whose operations are found by trying.
macro_rules! list {
    ($($name:literal $run:path, $scale:expr, $threads:ident, $least:expr
        $(, $purpose:ident $usual:expr)?;)*) => {
        &[$(Workload {
            name: $name,
            run: $run,
            scale: $scale,
            threads: Threads::$threads,
            least: $least,
            purpose: list!(@purpose $($purpose)?),
            usual: list!(@usual $($usual)?),
        }),*]
    };
    (@purpose) => { Purpose::Time };
    (@purpose $purpose:ident) => { Purpose::$purpose };
    (@usual) => { None };
    (@usual $usual:expr) => { Some($usual) };
}

/// Once from 1 MiB to 1 GiB. Not found by trying: where `realloc` moves pages the operations of half
/// a second are hours of work for an allocator that copies.
const HUGE_STEPS: u64 = 32;

/// Every workload.
pub static ALL: &[Workload] = list! {
    "pair/16" pair::run, 16, One, 100_000;
    "pair/64" pair::run, 64, One, 100_000;
    "pair/256" pair::run, 256, One, 100_000;
    "pair/1024" pair::run, 1024, One, 100_000;
    "pair/8192" pair::run, 8192, One, 100_000;
    "batch/25" batch::run, 25, One, 100_000;
    "batch/100" batch::run, 100, One, 100_000;
    "batch/1000" batch::run, 1000, One, 100_000;
    "batch/10000" batch::run, 10_000, One, 100_000;
    "batch/100000" batch::run, 100_000, One, 100_000;
    "replace/1e3" replace::run, 1_000, One, 100_000;
    "replace/1e4" replace::run, 10_000, One, 100_000;
    "replace/1e5" replace::run, 100_000, One, 100_000;
    "replace/1e6" replace::run, 1_000_000, One, 100_000;
    "replace/1e7" replace::run, 10_000_000, One, 1_000_000;
    "server" server::run, 1_000, Cores, 100_000;
    "handoff/1-1" handoff::one_to_one, 1, Cores, 100_000;
    "handoff/1-n" handoff::one_to_many, 1, Cores, 100_000;
    "handoff/n-1" handoff::many_to_one, 1, Cores, 100_000;
    "shuffle" shuffle::run, 4096, Cores, 100_000;
    "phases" phases::run, 20_000, Cores, 100_000;
    "tree/binary" tree::binary, 1_000_000, One, 1_000_000;
    "tree/list" tree::list, 1_000_000, One, 1_000_000;
    "tree/search" tree::search, 100_000, One, 100_000;
    "grow/double" grow::double, 64 << 20, One, 23;
    "grow/step" grow::step, 64 << 20, One, 1;
    "grow/huge" huge::huge, 1 << 30, One, 32, Time HUGE_STEPS;
    "grow/copied" huge::copied, 1 << 30, One, 32, Reference HUGE_STEPS;
    "realloc/append" resize::append, 24 << 20, One, 100_000;
    "realloc/bloat" resize::bloat, 2 << 20, One, 1_000, Time 10_000;
    "one-block/33000" one::block, 33_000, One, 10_000;
    "one-block/64K" one::block, 64 << 10, One, 10_000;
    "one-block/128K" one::block, 128 << 10, One, 10_000;
    "one-block/1M" one::block, 1 << 20, One, 10_000;
    "one-block/4M" one::block, 4 << 20, One, 10_000;
    "one-block/8M" one::block, 8 << 20, One, 10_000;
    "rising" one::rising, 12 << 20, One, 100_000;
    "large/1M" large::run, 1 << 20, One, 100;
    "large/32M" large::run, 32 << 20, One, 32;
    "zero/small" zero::run, 1024, One, 100_000;
    "zero/large" zero::run, 4 << 20, One, 64;
    "aligned" aligned::run, 8192, One, 100_000;
    "false-sharing/active" false_sharing::active, 200, Cores, 10_000;
    "false-sharing/passive" false_sharing::passive, 200, Cores, 10_000;
    "consumers/4" consumers::run, 4, One, 10_000, Time 50_000;
    "consumers/400" consumers::run, 400, One, 10_000, Time 50_000;
    "idle" idle::run, 16, One, 1_000;
    "rest/burst" burst::burst_at_rest, 1 << 30, One, 1, Rest 1;
    "rest/burst-threads" burst::threads, 1 << 30, Four, 1, Rest 1;
    "rest/survivors" burst::survivors, 1 << 30, One, 1, Rest 1;
    "rest/server" drift::run, 200 << 20, One, 100_000, RestAndTime 120_000_000;
    "rest/threads" many_threads::run, 1 << 20, One, 1, Rest 1;
    "trace" replay::run, 0, One, 1;
};

/// The workloads for a comparison of a minute or two.
pub static QUICK: &[&str] = &[
    "pair/64",
    "batch/100",
    "batch/10000",
    "replace/1e4",
    "replace/1e6",
    "server",
    "handoff/1-1",
    "shuffle",
    "tree/binary",
    "grow/step",
    "large/32M",
    "zero/small",
    "aligned",
];

/// The workload of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Workload> {
    ALL.iter().find(|workload| workload.name == name)
}
