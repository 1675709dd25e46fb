//! *false sharing*: threads write many times to small objects of their own. An allocator that puts
//! two threads' objects on one cache line makes them slow. Active: each thread allocates its own.
//! Passive: one thread allocated neighbours and handed them out; each thread frees its, then
//! allocates anew. An operation is one object with its writes.

use core::hint::black_box;
use std::sync::Mutex;

use crate::crew::{crew, share};
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::table::Table;

use super::Params;

/// The objects' size: eight fit one cache line.
const SIZE: usize = 8;

pub(super) fn active(table: &Table, params: &Params) -> Outcome {
    run(table, params, |_| None)
}

pub(super) fn passive(table: &Table, params: &Params) -> Outcome {
    run(table, params, |index| Some(table.place(SIZE, index as u64)))
}

fn run(table: &Table, params: &Params, seed: impl Fn(usize) -> Option<Owned<u64>>) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let meter = Meter::start();
    let seeds: Vec<_> = (0..params.threads)
        .map(|index| Mutex::new(seed(index)))
        .collect();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let handed = seeds[index].lock().expect("one thread each").take();
        gate.time(|| {
            handed.map(|object| table.remove(object));
            (0..rounds).fold(0u64, |sum, _| {
                let mut object = table.place(SIZE, 0u64);
                for _ in 0..params.scale {
                    let counter = black_box(&mut *object);
                    *counter += 1;
                }
                let count = table.remove(object);
                assert_eq!(
                    count, params.scale as u64,
                    "an object did not keep what was written"
                );
                sum + count
            })
        })
    });
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}
