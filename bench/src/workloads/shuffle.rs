//! *shuffle*: threads put new objects of 16 to 512 bytes into random cells of one shared array and
//! free what they find there, mostly another thread's. An operation is one object put.

use crate::crew::{crew, share};
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::random::{Random, Sizes, scale};
use crate::ring::Exchange;
use crate::table::Table;

use super::Params;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let sizes = Sizes::uniform(16, 512);
    let cells = Mapped::filled(params.scale, |_| Exchange::<u64>::empty());
    let meter = Meter::start();
    let (elapsed, mut checksum) = crew(params.threads, |index, gate| {
        let mut random = Random::new(params.seed + index as u64);
        gate.time(|| {
            let mut sum = 0u64;
            for _ in 0..rounds {
                let draw = random.draw();
                let index = scale(draw, cells.len());
                let object = table.place(sizes.pick(draw), index as u64);
                if let Some(found) = cells[index].swap(Some(object)) {
                    let number = table.remove(found);
                    assert_eq!(
                        number, index as u64,
                        "an object did not keep what was written"
                    );
                    sum += number;
                }
            }
            sum
        })
    });
    for cell in cells.iter() {
        checksum += cell.swap(None).map_or(0, |left| table.remove(left));
    }
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}
