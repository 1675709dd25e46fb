//! *realloc*: *append* makes a block eight bytes longer each time and writes them, from nothing to the scale; *bloat* gives
//! random sizes of 64 KiB and more to 64 blocks in turn, writes what is new, and leaves a small block behind each time. An
//! operation is one `realloc`.

use crate::buffer::Buffer;
use crate::crew::{crew, share};
use crate::meter::{Meter, Outcome};
use crate::random::Random;
use crate::table::Table;

use super::Params;

const WORD: usize = size_of::<u64>();
/// Blocks of *bloat*, the least that they have, and the bytes of the small ones.
const BLOCKS: usize = 64;
const LEAST: usize = 64 << 10;
const SMALL: usize = 200;

pub(super) fn append(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |_, gate| {
        gate.time(|| {
            let mut block: Option<Buffer> = None;
            for round in 0..rounds {
                let old = block.as_ref().map_or(0, Buffer::len);
                let mut next = match block.take() {
                    Some(full) if old >= params.scale => {
                        table.release(full);
                        table.bytes(WORD)
                    }
                    Some(buffer) => table.resize(buffer, old + WORD),
                    None => table.bytes(WORD),
                };
                next.set_word(next.len() - WORD, round);
                block = Some(next);
            }
            block.into_iter().for_each(|buffer| table.release(buffer));
            rounds
        })
    });
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}

pub(super) fn bloat(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let mut random = Random::new(params.seed + index as u64);
        gate.time(|| {
            let mut blocks: [Option<Buffer>; BLOCKS] = [const { None }; BLOCKS];
            let mut small = Vec::with_capacity(rounds as usize);
            for round in 0..rounds {
                let draw = random.draw();
                let len = LEAST + (draw >> 16) as usize % params.scale;
                let slot = &mut blocks[draw as usize % BLOCKS];
                let old = slot.as_ref().map_or(0, Buffer::len);
                let mut block = match slot.take() {
                    Some(buffer) => table.resize(buffer, len),
                    None => table.bytes(len),
                };
                block.touch(old.next_multiple_of(crate::buffer::PAGE), round);
                *slot = Some(block);
                let mut left = table.bytes(SMALL);
                left.set_word(0, round);
                small.push(left);
            }
            small.into_iter().for_each(|buffer| table.release(buffer));
            blocks
                .into_iter()
                .flatten()
                .for_each(|buffer| table.release(buffer));
            rounds
        })
    });
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}
