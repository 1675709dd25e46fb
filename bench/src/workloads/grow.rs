//! *grow*: buffers grow from 16 bytes to 64 MiB by `realloc`, every new page written. By doubling,
//! one buffer at a time; by small steps, two buffers in turn, so that neither owns the end of the
//! heap. An operation is one `realloc`.

use crate::buffer::{Buffer, PAGE};
use crate::crew::{crew, share};
use crate::meter::{Meter, Outcome};
use crate::table::Table;

use super::Params;

const START: usize = 16;

pub(super) fn double(table: &Table, params: &Params) -> Outcome {
    run(table, params, 1, |len| len * 2)
}

pub(super) fn step(table: &Table, params: &Params) -> Outcome {
    run(table, params, 2, |len| match len {
        0..0x1000 => len + 16,
        0x1000..0x10_0000 => len + 0x400,
        _ => len + 0x1_0000,
    })
}

fn run(table: &Table, params: &Params, buffers: usize, next: fn(usize) -> usize) -> Outcome {
    let steps = core::iter::successors(Some(START), |&len| Some(next(len)));
    let steps = steps.take_while(|&len| len < params.scale).count() as u64 * buffers as u64;
    let rounds = share(params.operations, params.threads).div_ceil(steps);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |_, gate| {
        gate.time(|| {
            for round in 0..rounds {
                let mut all: [Option<Buffer>; 2] = [None, None];
                all[..buffers].fill_with(|| Some(start(table, round)));
                while let Some(len) = all[0]
                    .as_ref()
                    .map(Buffer::len)
                    .filter(|&len| len < params.scale)
                {
                    for slot in all.iter_mut() {
                        *slot = slot
                            .take()
                            .map(|buffer| grow(table, buffer, next(len), round));
                    }
                }
                all.into_iter()
                    .flatten()
                    .for_each(|buffer| table.release(buffer));
            }
            rounds
        })
    });
    meter.finish(rounds * steps * params.threads as u64, elapsed, checksum)
}

fn start(table: &Table, round: u64) -> Buffer {
    let mut buffer = table.bytes(START);
    buffer.set_word(0, round);
    buffer
}

fn grow(table: &Table, buffer: Buffer, len: usize, round: u64) -> Buffer {
    let before = buffer.len();
    let last_page = (before - 1) / PAGE * PAGE;
    let mut buffer = table.resize(buffer, len);
    assert!(
        buffer.word(0) == round && buffer.word(last_page) == round,
        "realloc lost content"
    );
    buffer.touch(before.next_multiple_of(PAGE), round);
    buffer
}
