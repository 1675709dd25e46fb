//! *zero*: `calloc` in a rolling window: small from 16 to 1,024 bytes, or large from 64 KiB to 4 MiB.
//! Each block is checked to be zero, then written. An operation is one block.

use crate::buffer::Buffer;
use crate::crew::{crew, share};
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::random::{Random, Sizes};
use crate::table::Table;

use super::Params;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let small = params.scale <= 1024;
    let rounds = share(params.operations, params.threads);
    let sizes = match small {
        true => Sizes::uniform(16, params.scale as u32),
        false => Sizes::logarithmic(64 << 10, params.scale as u32),
    };
    let len = if small { 1000 } else { 8 };
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let mut random = Random::new(params.seed + index as u64);
        let mut window = Mapped::filled(len, |_| None::<Buffer>);
        let (lap, sum) = gate.time(|| {
            let mut sum = 0u64;
            for _ in 0..rounds {
                let draw = random.draw();
                let slot = &mut window[(draw >> 40) as usize % len];
                if let Some(old) = slot.take() {
                    sum = sum.wrapping_add(old.word(0));
                    table.release(old);
                }
                *slot = Some(clean(table, sizes.pick(draw), draw));
            }
            sum
        });
        window
            .iter_mut()
            .filter_map(Option::take)
            .for_each(|left| table.release(left));
        (lap, sum)
    });
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}

fn clean(table: &Table, size: usize, draw: u64) -> Buffer {
    let mut buffer = table.zeroed(size);
    let last = size - size_of::<u64>();
    assert!(
        buffer.holds(0, 0) && buffer.word(last) == 0,
        "calloc gave memory that is not zero"
    );
    buffer.touch(0, draw);
    buffer.set_word(last, u64::MAX);
    buffer.set_word(0, draw);
    buffer
}
