//! *phases*: threads come and go in phases. In each, a thread allocates n objects, sizes in powers
//! of two (16 bytes to 16 KiB, each half as likely as the one below), frees three quarters in random
//! order and leaves the others to later phases. An operation is one object.

use std::time::Instant;

use crate::crew::share;
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::random::{Random, Sizes};
use crate::ring::Exchange;
use crate::table::Table;

use super::Params;

/// Objects that may outlive their phase; one that finds its cell taken evicts the older.
const LEGACY: usize = 16_384;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let count = params.scale;
    let phases = share(params.operations, params.threads).div_ceil(count as u64);
    let sizes = Sizes::powers_of_two(16, 16 << 10);
    let legacy = Mapped::filled(LEGACY, |_| Exchange::empty());
    let mut arrays: Vec<Mapped<Option<Owned<u64>>>> = (0..params.threads)
        .map(|_| Mapped::filled(count, |_| None))
        .collect();
    let meter = Meter::start();
    let start = Instant::now();
    let mut checksum = 0u64;
    for phase in 0..phases {
        std::thread::scope(|scope| {
            for (index, slots) in arrays.iter_mut().enumerate() {
                let (sizes, legacy) = (&sizes, &legacy);
                let random =
                    Random::new(params.seed + phase * params.threads as u64 + index as u64);
                scope.spawn(move || one(table, slots, sizes, legacy, random));
            }
        });
    }
    let elapsed = start.elapsed();
    for cell in legacy.iter() {
        checksum += cell.swap(None).map_or(0, |left| table.remove(left));
    }
    meter.finish(phases * (count * params.threads) as u64, elapsed, checksum)
}

fn one(
    table: &Table,
    slots: &mut [Option<Owned<u64>>],
    sizes: &Sizes,
    legacy: &[Exchange<u64>],
    mut random: Random,
) {
    for (index, slot) in slots.iter_mut().enumerate() {
        *slot = Some(table.place(sizes.pick(random.draw()), index as u64));
    }
    for left in (1..=slots.len()).rev() {
        let chosen = random.below(left);
        slots.swap(chosen, left - 1);
        let object = slots[left - 1].take();
        let gone = if random.draw().is_multiple_of(4) {
            legacy[random.below(LEGACY)].swap(object)
        } else {
            object
        };
        let index = gone.map_or(0, |object| table.remove(object));
        assert!(
            index < slots.len() as u64,
            "an object did not keep what was written"
        );
    }
}
