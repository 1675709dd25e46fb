//! *trace*: a recorded program's calls again, in their global order, on one thread. Each block's pages
//! are written as it comes. An operation is one call.

use crate::buffer::Buffer;
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::table::Table;
use crate::trace::{Call, Trace};

use super::Params;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let trace = match &params.trace {
        Some(path) => {
            Trace::load(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        }
        None => Trace::example(),
    };
    let mut blocks = Mapped::filled(trace.blocks, |_| None::<Buffer>);
    let calls = trace.calls.len() as u64;
    let rounds = params.operations.div_ceil(calls);
    Meter::start().time(|| {
        let sum = (0..rounds).fold(0, |_, _| once(table, &trace, &mut blocks));
        (rounds * calls, sum)
    })
}

fn once(table: &Table, trace: &Trace, blocks: &mut [Option<Buffer>]) -> u64 {
    let mut bytes = 0u64;
    for (number, &call) in trace.calls.iter().enumerate() {
        match call {
            Call::Malloc { block, size } => {
                let mut new = table.bytes(size as usize);
                new.touch(0, number as u64);
                blocks[block as usize] = Some(new);
            }
            Call::Calloc { block, size } => {
                let new = table.zeroed(size as usize);
                assert!(
                    size < 8 || new.word(size as usize - 8) == 0,
                    "calloc gave memory that is not zero"
                );
                blocks[block as usize] = Some(new);
            }
            Call::Memalign {
                block,
                size,
                alignment,
            } => {
                let mut new = table.aligned_bytes(1 << alignment, size as usize);
                new.touch(0, number as u64);
                blocks[block as usize] = Some(new);
            }
            Call::Realloc { block, size } => {
                let slot = &mut blocks[block as usize];
                *slot = slot
                    .take()
                    .map(|old| resize(table, old, size as usize, number as u64));
            }
            Call::Free { block } => {
                if let Some(old) = blocks[block as usize].take() {
                    bytes += old.len() as u64;
                    table.release(old);
                }
            }
        }
    }
    blocks
        .iter_mut()
        .filter_map(Option::take)
        .for_each(|left| table.release(left));
    bytes
}

fn resize(table: &Table, old: Buffer, size: usize, number: u64) -> Buffer {
    let before = old.len();
    let mut new = table.resize(old, size.max(1));
    new.touch(before, number);
    new
}
