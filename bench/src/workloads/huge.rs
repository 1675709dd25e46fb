//! *grow/huge*, *grow/copied*: one block grows from 1 MiB to 1 GiB by a quarter at a time, written only
//! at its ends. By `realloc`, or, as a reference, by `malloc`, copying and `free`: what an
//! allocator costs that always copies. An operation is one step.

use crate::buffer::Buffer;
use crate::crew::{crew, share};
use crate::meter::{Meter, Outcome};
use crate::table::Table;

use super::Params;

const START: usize = 1 << 20;
const WORD: usize = size_of::<u64>();

pub(super) fn huge(table: &Table, params: &Params) -> Outcome {
    run(table, params, Table::resize)
}

pub(super) fn copied(table: &Table, params: &Params) -> Outcome {
    run(table, params, |table, old, len| {
        let mut new = table.bytes(len);
        new.copy_from(&old);
        table.release(old);
        new
    })
}

/// `start` and what it grows to, up to `end`.
fn steps(start: usize, end: usize) -> impl Iterator<Item = usize> {
    core::iter::successors(Some(start), move |&len| {
        (len < end).then(|| (len + len / 4).min(end))
    })
}

fn run(table: &Table, params: &Params, grow: fn(&Table, Buffer, usize) -> Buffer) -> Outcome {
    let steps_of_round = steps(START, params.scale).skip(1).count() as u64;
    let rounds = share(params.operations, params.threads).div_ceil(steps_of_round);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |_, gate| {
        gate.time(|| {
            for round in 0..rounds {
                let mut buffer = table.bytes(START);
                buffer.set_word(0, round);
                buffer.set_word(START - WORD, round);
                for len in steps(START, params.scale).skip(1) {
                    let before = buffer.len();
                    buffer = grow(table, buffer, len);
                    assert!(
                        buffer.word(0) == round && buffer.word(before - WORD) == round,
                        "growing lost content"
                    );
                    buffer.set_word(len - WORD, round);
                }
                table.release(buffer);
            }
            rounds
        })
    });
    let operations = rounds * steps_of_round * params.threads as u64;
    meter.finish(operations, elapsed, checksum)
}

#[cfg(test)]
mod tests {
    use super::{copied, huge, steps};
    use crate::table::system;
    use crate::workloads::find;

    #[test]
    fn a_gibibyte_is_reached_in_small_steps() {
        let all: Vec<_> = steps(1 << 20, 1 << 30).collect();
        assert_eq!((all.len(), all[1], all[32]), (33, 1_310_720, 1 << 30));
    }

    #[test]
    fn both_ways_keep_the_content() {
        let mut params = find("grow/huge").expect("listed").params(1, 20);
        params.scale = 16 << 20;
        for run in [huge, copied] {
            assert_eq!(run(&system(), &params).operations % 13, 0);
        }
    }
}
