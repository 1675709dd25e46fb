//! *replace*: among n live objects a random one is freed and another allocated, sizes from a Pareto
//! distribution (16 bytes to 16 KiB, mean about 70). An operation is one replacement.
//!
//! One replaced object in sixteen is read before it is freed, all at the end: reading every one would
//! bring into the cache for free what an allocator that writes to freed objects has to fetch.

use std::sync::Mutex;

use crate::crew::{crew, share};
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::random::{Random, Sizes, scale};
use crate::table::Table;

use super::Params;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let sizes = Sizes::pareto(16, 16 << 10, 1.2);
    let slots = || Mapped::filled(params.scale, |_| None::<Owned<u64>>);
    let all: Vec<_> = (0..params.threads).map(|_| Mutex::new(slots())).collect();
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let slots = &mut *all[index].lock().expect("one thread each");
        let mut random = Random::new(params.seed + index as u64);
        for (index, slot) in slots.iter_mut().enumerate() {
            *slot = Some(table.place(sizes.pick(random.draw()), index as u64));
        }
        let (lap, seen) = gate.time(|| replace(table, slots, &sizes, &mut random, rounds));
        (lap, seen + empty(table, slots))
    });
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}

fn replace(
    table: &Table,
    slots: &mut [Option<Owned<u64>>],
    sizes: &Sizes,
    random: &mut Random,
    rounds: u64,
) -> u64 {
    let mut sum = 0u64;
    for _ in 0..rounds {
        let draw = random.draw();
        let index = scale(draw, slots.len());
        let slot = &mut slots[index];
        if let Some(old) = slot.take() {
            if draw & 0xf_0000 == 0 {
                assert_eq!(
                    *old, index as u64,
                    "an object did not keep what was written"
                );
                sum += *old;
            }
            table.discard(old);
        }
        *slot = Some(table.place(sizes.pick(draw), index as u64));
    }
    sum
}

fn empty(table: &Table, slots: &mut [Option<Owned<u64>>]) -> u64 {
    let mut sum = 0;
    for (index, slot) in slots.iter_mut().enumerate() {
        let number = slot.take().map(|object| table.remove(object));
        assert_eq!(
            number,
            Some(index as u64),
            "an object did not keep what was written"
        );
        sum += index as u64;
    }
    sum
}
