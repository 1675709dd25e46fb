//! *idle*: a thousand threads that each allocate a few objects once and then wait. What counts is the
//! memory that an allocator keeps for each. An operation is one thread.

use std::sync::Barrier;
use std::thread::Builder;
use std::time::Instant;

use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::table::Table;

use super::Params;

/// Threads that wait at once.
const THREADS: u64 = 1_000;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let rounds = params.operations.div_ceil(THREADS);
    let meter = Meter::start();
    let start = Instant::now();
    let checksum = (0..rounds).map(|_| many_threads(table, params.scale)).sum();
    meter.finish(rounds * THREADS, start.elapsed(), checksum)
}

/// Each thread allocates `count` objects of 16, 32, 48 … bytes.
fn many_threads(table: &Table, count: usize) -> u64 {
    let all_here = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..THREADS)
            .map(|_| {
                let thread = Builder::new().stack_size(64 << 10);
                let life = || {
                    let objects: [Option<Owned<u64>>; 32] = core::array::from_fn(|n| {
                        (n < count).then(|| table.place(16 * (n + 1), n as u64))
                    });
                    all_here.wait();
                    objects
                        .into_iter()
                        .flatten()
                        .map(|object| table.remove(object))
                        .sum::<u64>()
                };
                thread
                    .spawn_scoped(scope, life)
                    .expect("a thousand threads")
            })
            .collect();
        waiting
            .into_iter()
            .map(|thread| thread.join().expect("a waiting thread failed"))
            .sum()
    })
}
