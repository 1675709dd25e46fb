//! What locks would cost on machines with more processors than this one: a model, fed with counts and times.
//!
//! Each thread repeats one operation: it works by itself for a time, and visits locks, of which each serves one thread at a time
//! in the order of arrival. How long the others' visits make it wait is found by approximate mean value analysis (Schweitzer
//! 1979): who comes finds as many at the lock as there are on average with one thread less.
//!
//! Assumptions: a thread has a processor to itself; nobody sleeps; times are exponential. All cache nodes of a cluster count as one
//! lock, and all arenas, tables and so on as one each, as if there were one class and one node, which is more contention than
//! there is. Once several threads visit a lock, each visit holds it for [`LINES_NS`] longer, in which the lock and what it guards
//! come from another processor's cache.

use core::fmt::Write;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::Failure;
use super::case::Case;
use super::child;
use super::locks::{CLUSTER, OF_CLUSTER, Row};
use super::markdown::unique;
use super::peer::Peer;
use super::picture;
use crate::workloads::find;

/// Processors for which it is said.
const PROCESSORS: [usize; 3] = [16, 64, 256];
/// How long two cache lines take from another processor.
const LINES_NS: f64 = 100.0;
/// Steps after which the means no longer change.
const STEPS: usize = 2_000;

/// A lock as the model sees it.
#[derive(Debug)]
struct Lock {
    name: String,
    /// Visits for an operation, and how long each holds it.
    visits: f64,
    hold_ns: f64,
    /// Threads that share it, at most.
    most: f64,
}

/// What the model says of `threads`.
#[derive(Debug)]
struct Answer {
    /// An operation's time.
    time_ns: f64,
    /// The lock that is waited for longest, and for how long in an operation.
    worst: (String, f64),
}

/// The model for threads that work by themselves for `alone_ns` in an operation.
fn solve(locks: &[Lock], alone_ns: f64, threads: f64) -> Answer {
    let sharing = |lock: &Lock| lock.most.min(threads);
    let hold = |lock: &Lock| match sharing(lock) > 1.0 {
        true => lock.hold_ns + LINES_NS,
        false => lock.hold_ns,
    };
    let mut waits: Vec<f64> = locks.iter().map(|lock| lock.visits * hold(lock)).collect();
    for _ in 0..STEPS {
        let time = alone_ns + waits.iter().sum::<f64>();
        for (wait, lock) in waits.iter_mut().zip(locks) {
            // Those that are there of all, less the one that comes.
            let there = (sharing(lock) - 1.0) * *wait / time;
            *wait = lock.visits * hold(lock) * (1.0 + there);
        }
    }
    let waited = locks.iter().zip(&waits);
    let worst = waited
        .map(|(lock, wait)| (lock.name.clone(), wait - lock.visits * lock.hold_ns))
        .max_by(|one, other| one.1.total_cmp(&other.1));
    Answer {
        time_ns: alone_ns + waits.iter().sum::<f64>(),
        worst: worst.unwrap_or_default(),
    }
}

/// The locks of a workload's rows, places that take the same one together.
fn locks_of<'row>(rows: impl Iterator<Item = &'row Row>) -> Vec<Lock> {
    let mut locks: BTreeMap<String, Lock> = BTreeMap::new();
    for row in rows.filter(|row| !row.is_own) {
        let (name, most) = match row.code.contains(OF_CLUSTER) {
            true => (String::from("a cluster's cache node"), CLUSTER),
            false => (name_of(row), f64::INFINITY),
        };
        let lock = locks.entry(name.clone()).or_insert(Lock {
            name,
            visits: 0.0,
            hold_ns: 0.0,
            most,
        });
        let visits = row.taken_per_1000 / 1000.0;
        let held = lock.visits * lock.hold_ns + visits * row.mean_hold_ns;
        lock.visits += visits;
        lock.hold_ns = held / lock.visits.max(f64::MIN_POSITIVE);
    }
    locks.into_values().collect()
}

/// The room and the field that are locked: `self.state.lock()` in `src/arena/mod.rs` is `arena state`.
fn name_of(row: &Row) -> String {
    let room = row.place.split('/').nth(1).unwrap_or_default();
    let before = row.code.split(".lock").next().unwrap_or_default();
    let field =
        before.rsplit(|it: char| !it.is_alphanumeric() && it != '_' && it != '(' && it != ')');
    let field = field.into_iter().next().unwrap_or_default();
    format!("{room} {}", field.trim_end_matches("()"))
}

/// Writes `contention.md` and `contention.svg` beside the counts that the model is fed with.
///
/// # Errors
///
/// When a run for the check fails, or a file cannot be written.
pub(super) fn report(
    rows: &[Row],
    out: &Path,
    (command, machine): &(String, String),
) -> Result<(), Failure> {
    let mut text = format!(
        "# Contention\n\n`{command}`\n\n{machine}\n\n\
         A model, not a measurement: which part of perfect scaling is left on a machine with this many processors, a thread on\n\
         each, and the lock that they wait for longest. It is fed with the counts and times of `locks.md`; assumptions stand at\n\
         the top of `bench/src/driver/contention.rs`. The dearest of them: all size classes count as one.\n\n\
         | workload | 16 | 64 | 256 | waited for longest, with 256 |\n|---|--:|--:|--:|---|\n"
    );
    let workloads: Vec<&str> = unique(rows.iter().map(|row| row.workload.as_str())).collect();
    let mut lines = Vec::new();
    let names = PROCESSORS.map(|count| format!("{count} processors"));
    for workload in &workloads {
        let of = || rows.iter().filter(|row| row.workload == *workload);
        let locks = locks_of(of());
        let time = of().map(|row| row.thread_ns).next().unwrap_or(0.0);
        let held: f64 = locks.iter().map(|lock| lock.visits * lock.hold_ns).sum();
        let alone = (time - held).max(0.0);
        let one = solve(&locks, alone, 1.0).time_ns;
        let answers = PROCESSORS.map(|count| solve(&locks, alone, count as f64));
        let shares = answers.each_ref().map(|answer| one / answer.time_ns);
        let [.., last] = &answers;
        let [few, more, most] = shares.map(|share| share * 100.0);
        let (name, wait) = &last.worst;
        _ = writeln!(
            text,
            "| {workload} | {few:.0} % | {more:.0} % | {most:.0} % | {name}, {wait:.1} of {:.1} ns |",
            last.time_ns
        );
        lines.push((
            *workload,
            names.iter().map(String::as_str).zip(shares).collect(),
        ));
    }
    text.push_str(&check()?);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    picture::draw_shares(
        &out.join("contention.svg"),
        "Part of perfect scaling (a model)",
        &names,
        &lines,
    )?;
    std::fs::write(out.join("contention.md"), text)?;
    Ok(())
}

/// The model beside what is known to contend: glibc without the caches of its threads, whose `malloc` and `free` lock an arena,
/// all threads the same one.
fn check() -> Result<String, Failure> {
    const WORKLOAD: &str = "shuffle";
    const OPERATIONS: u64 = 2_000_000;
    const VISITS: f64 = 2.0;
    let run = |threads: usize, peer: &Peer| -> Result<f64, Failure> {
        let case = Case {
            threads,
            ..Case::of(find(WORKLOAD).ok_or("no such workload")?)
        };
        let mut command: Command = child::command(&case, peer, OPERATIONS, &[], &[])?;
        command.env("MALLOC_ARENA_MAX", "1");
        command.env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");
        Ok(child::report(command)?.nanoseconds_per_operation * threads as f64)
    };
    let glibc = Peer::glibc();
    let (one, two) = (run(1, &glibc)?, run(2, &glibc)?);
    let lock = Lock {
        name: String::from("the arena"),
        visits: VISITS,
        // What an operation does beside `malloc` and `free` is little.
        hold_ns: one / VISITS,
        most: f64::INFINITY,
    };
    let said = solve(&[lock], 0.0, 2.0).time_ns;
    Ok(format!(
        "\n## A check\n\nThe same for glibc with one arena and without the caches of its threads, `{WORKLOAD}`: an operation of a thread\n\
         takes {one:.0} ns with one thread, and with two {two:.0} ns; the model says {said:.0} ns. (Threads that sleep and wake cost\n\
         more than the model knows.)\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(visits: f64, hold_ns: f64, most: f64) -> Lock {
        Lock {
            name: String::from("it"),
            visits,
            hold_ns,
            most,
        }
    }

    #[test]
    fn one_thread_never_waits() {
        let answer = solve(&[lock(2.0, 30.0, f64::INFINITY)], 40.0, 1.0);
        assert!((answer.time_ns - 100.0).abs() < 1e-6);
    }

    #[test]
    fn a_lock_that_is_always_wanted_lets_one_at_a_time_through() {
        let (threads, hold) = (256.0, 10.0);
        let answer = solve(&[lock(1.0, hold, f64::INFINITY)], 0.0, threads);
        let least = threads * (hold + LINES_NS);
        assert!(
            (answer.time_ns / least - 1.0).abs() < 0.01,
            "{}",
            answer.time_ns
        );
    }

    #[test]
    fn a_lock_of_a_few_does_not_care_for_the_others() {
        let locks = [lock(0.01, 100.0, 8.0)];
        let times = [8.0, 64.0, 256.0].map(|threads| solve(&locks, 20.0, threads).time_ns);
        assert!((times[0] - times[2]).abs() < 1e-6);
        assert!(times[0] > 22.0);
    }

    #[test]
    fn places_that_take_the_same_lock_are_one() {
        let row = |place: &str, code: &str| Row {
            place: place.to_owned(),
            code: code.to_owned(),
            taken_per_1000: 5.0,
            mean_hold_ns: 10.0,
            ..Row::default()
        };
        let rows = [
            row("src/arena/mod.rs:171", "let mut state = self.state.lock();"),
            row("src/arena/slab.rs:24", "let mut state = self.state.lock();"),
            row(
                "src/cache/slow.rs:9",
                "let mut cache_node = self.cache_node(binding, id).lock();",
            ),
            row(
                "src/cache/first.rs:1",
                "let mut stacks = binding.home.small_sheaves().lock();",
            ),
        ];
        let locks = locks_of(rows.iter());
        let names: Vec<_> = locks.iter().map(|lock| lock.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "a cluster's cache node",
                "arena state",
                "cache small_sheaves"
            ]
        );
        assert!((locks[1].visits - 0.01).abs() < 1e-9);
    }
}
