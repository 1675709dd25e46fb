//! *batch*: n small objects are allocated; the first half is freed in order, the second in reverse.
//! An operation is one object's allocation and free.

use crate::crew::{crew, share};
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::random::{Random, Sizes};
use crate::table::Table;

use super::Params;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let count = params.scale;
    let rounds = share(params.operations, params.threads).div_ceil(count as u64);
    let sizes = Sizes::uniform(16, 256);
    let slots = || Mapped::filled(count, |_| None::<Owned<u64>>);
    let all: Vec<_> = (0..params.threads)
        .map(|_| std::sync::Mutex::new(slots()))
        .collect();
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let slots = &mut *all[index].lock().expect("one thread each");
        let mut random = Random::new(params.seed + index as u64);
        gate.time(|| (0..rounds).fold(0, |sum, _| one(table, slots, &sizes, &mut random) ^ sum))
    });
    meter.finish(rounds * (count * params.threads) as u64, elapsed, checksum)
}

fn one(table: &Table, slots: &mut [Option<Owned<u64>>], sizes: &Sizes, random: &mut Random) -> u64 {
    let mut draw = random.draw();
    for (index, slot) in slots.iter_mut().enumerate() {
        draw = draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
        *slot = Some(table.place(sizes.pick(draw >> 40), index as u64));
    }
    let (first, second) = slots.split_at_mut(slots.len() / 2);
    let mut sum = 0;
    for slot in first.iter_mut().chain(second.iter_mut().rev()) {
        sum += slot.take().map_or(0, |object| table.remove(object));
    }
    let count = slots.len() as u64;
    assert_eq!(
        sum,
        count * (count - 1) / 2,
        "an object did not keep what was written"
    );
    sum ^ draw
}
