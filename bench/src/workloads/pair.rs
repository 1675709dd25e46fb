//! *pair*: one object of one size is allocated, written, read and freed. An operation is one such pair.

use crate::crew::{crew, share};
use crate::meter::{Meter, Outcome};
use crate::table::Table;

use super::Params;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |_, gate| {
        gate.time(|| {
            let mut checksum = 0u64;
            for round in 0..rounds {
                let object = table.place(params.scale, round);
                checksum = checksum.wrapping_add(table.remove(object));
            }
            checksum
        })
    });
    let expected = (0..rounds)
        .fold(0u64, u64::wrapping_add)
        .wrapping_mul(params.threads as u64);
    assert_eq!(
        checksum, expected,
        "an object did not keep what was written"
    );
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}
