//! *one-block* and *rising*: one block at a time, of one size, or four bytes longer than the one before; a word is written, and it
//! is freed. An operation is one block.

use crate::crew::{crew, share};
use crate::meter::{Meter, Outcome};
use crate::table::Table;

use super::Params;

/// Each block of *rising* is this many bytes longer.
const STEP: usize = 4;

pub(super) fn block(table: &Table, params: &Params) -> Outcome {
    run(table, params, |_, scale| scale)
}

pub(super) fn rising(table: &Table, params: &Params) -> Outcome {
    run(table, params, |round, scale| {
        (round as usize * STEP) % scale + 1
    })
}

fn run(table: &Table, params: &Params, size: fn(u64, usize) -> usize) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |_, gate| {
        gate.time(|| {
            for round in 0..rounds {
                let mut buffer = table.bytes(size(round, params.scale));
                buffer.set_word(0, round);
                table.release(buffer);
            }
            rounds
        })
    });
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}
