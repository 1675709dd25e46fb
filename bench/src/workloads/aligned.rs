//! *aligned*: `memalign` with alignments of 16 to 4,096 and sizes of 16 to 8,192 bytes, each doubling
//! equally likely, in a random window of 256. An operation is one object.

use crate::crew::{crew, share};
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::random::{Random, Sizes};
use crate::table::Table;

use super::Params;

const WINDOW: usize = 256;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let sizes = Sizes::logarithmic(16, params.scale as u32);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let mut random = Random::new(params.seed + index as u64);
        let mut window = Mapped::filled(WINDOW, |_| None::<Owned<u64>>);
        let (lap, sum) = gate.time(|| {
            let mut sum = 0u64;
            for _ in 0..rounds {
                let draw = random.draw();
                let slot = &mut window[(draw >> 32) as usize % WINDOW];
                if let Some(old) = slot.take() {
                    sum = sum.wrapping_add(table.remove(old));
                }
                let alignment = 16usize << ((draw >> 24) % 9);
                let object = table.place_aligned(alignment, sizes.pick(draw), draw);
                assert!(
                    object.address().is_multiple_of(alignment),
                    "memalign gave an odd address"
                );
                *slot = Some(object);
            }
            sum
        });
        let left = window
            .iter_mut()
            .filter_map(Option::take)
            .map(|object| table.remove(object));
        (lap, left.fold(sum, u64::wrapping_add))
    });
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}
