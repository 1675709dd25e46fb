//! *large*: blocks from 64 KiB up, each doubling equally likely, every page written, in a rolling
//! window of sixteen. An operation is one block.

use crate::crew::{crew, share};
use crate::meter::{Meter, Outcome};
use crate::random::{Random, Sizes};
use crate::table::Table;

use super::Params;

const WINDOW: usize = 16;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let sizes = Sizes::logarithmic(64 << 10, params.scale as u32);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let mut random = Random::new(params.seed + index as u64);
        gate.time(|| {
            let mut window = [const { None }; WINDOW];
            let mut sum = 0u64;
            for round in 0..rounds as usize + WINDOW {
                let slot = &mut window[round % WINDOW];
                if let Some((buffer, draw)) = slot.take() {
                    let buffer: crate::buffer::Buffer = buffer;
                    assert!(
                        buffer.holds(0, draw),
                        "a block did not keep what was written"
                    );
                    sum = sum.wrapping_add(draw);
                    table.release(buffer);
                }
                if round < rounds as usize {
                    let draw = random.draw();
                    let mut buffer = table.bytes(sizes.pick(draw));
                    buffer.touch(0, draw);
                    *slot = Some((buffer, draw));
                }
            }
            sum
        })
    });
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}
