//! *rest/burst*, *rest/burst-threads*, *rest/survivors*: a gibibyte of objects comes and goes, and what
//! counts is the memory that is still resident two seconds later. An operation is an object's life.
//!
//! Sizes are 16 bytes to 256 KiB from a Pareto distribution whose shape puts half of the bytes into
//! objects below 1 KiB. Objects are freed in random order; each holds its own address on every page.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Barrier, Mutex};
use std::thread::sleep;

use crate::buffer::Buffer;
use crate::crew::crew;
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::random::{Random, Sizes};
use crate::table::Table;

use super::Params;

/// From the last free to the reading.
const WAIT: Duration = Duration::from_secs(2);

/// Objects that are allocated between the wait and the reading, where any are.
const FURTHER: usize = 100;

const SMALLEST: f64 = 16.0;
const LARGEST: f64 = 262_144.0;
/// With 1 every doubling would have the same share of the bytes; this puts half of them below 1 KiB.
const SHAPE: f64 = 1.06;

/// What is left, and what happens before the reading.
#[derive(Clone, Copy)]
struct Plan {
    /// One object in this many survives; none, if zero.
    survivor_of: usize,
    /// Small objects that are allocated after the wait.
    further: usize,
    wait: Duration,
}

/// What one thread allocates.
struct Lot {
    sizes: Mapped<u32>,
    slots: Mapped<Option<Buffer>>,
    random: Random,
}

pub(super) fn burst_at_rest(table: &Table, params: &Params) -> Outcome {
    let plan = Plan {
        survivor_of: 0,
        further: FURTHER,
        wait: WAIT,
    };
    run(table, params, plan)
}

pub(super) fn threads(table: &Table, params: &Params) -> Outcome {
    let plan = Plan {
        survivor_of: 0,
        further: 0,
        wait: WAIT,
    };
    run(table, params, plan)
}

pub(super) fn survivors(table: &Table, params: &Params) -> Outcome {
    let plan = Plan {
        survivor_of: 100,
        further: FURTHER,
        wait: WAIT,
    };
    run(table, params, plan)
}

/// Threads share `params.scale` bytes, and stay until the reading, which the first of them does.
fn run(table: &Table, params: &Params, plan: Plan) -> Outcome {
    let share = params.scale / params.threads;
    let lots: Vec<_> = (0..params.threads)
        .map(|index| Mutex::new(Lot::new(share, params.seed + index as u64)))
        .collect();
    let further = Sizes::uniform(16, 512);
    let (freed, read) = (Barrier::new(params.threads), Barrier::new(params.threads));
    let (objects, rest_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let lot = &mut *lots[index].lock().expect("one thread each");
        let (lap, sum) = gate.time(|| lot.burst(table, plan.survivor_of));
        // ORDERING: the crew's join comes before the loads.
        objects.fetch_add(lot.slots.len() as u64, Ordering::Relaxed);
        freed.wait();
        if index == 0 {
            sleep(plan.wait);
            let kept: [Option<Owned<u64>>; FURTHER] = core::array::from_fn(|number| {
                let size = further.pick(lot.random.draw());
                (number < plan.further).then(|| table.place(size, number as u64))
            });
            // ORDERING: as above.
            rest_bytes.store(meter.above_start(), Ordering::Relaxed);
            kept.into_iter()
                .flatten()
                .for_each(|object| table.discard(object));
        }
        read.wait();
        (lap, sum.wrapping_add(lot.empty(table)))
    });
    Outcome {
        rest_bytes: Some(rest_bytes.into_inner()),
        ..meter.finish(objects.into_inner(), elapsed, checksum)
    }
}

impl Lot {
    /// Sizes of `bytes` bytes together, and room for the objects.
    fn new(bytes: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut counting = random.clone();
        let (mut count, mut total) = (0, 0);
        while total < bytes {
            total += size(&mut counting) as usize;
            count += 1;
        }
        Self {
            sizes: Mapped::filled(count, |_| size(&mut random)),
            slots: Mapped::filled(count, |_| None),
            random,
        }
    }

    /// Allocates everything, then frees all but the survivors, both in random order; gives the bytes.
    fn burst(&mut self, table: &Table, survivor_of: usize) -> u64 {
        let mut bytes = 0;
        for (&size, slot) in self.sizes.iter().zip(self.slots.iter_mut()) {
            let mut object = table.bytes(size as usize);
            let mark = object.address() as u64;
            object.touch(0, mark);
            *slot = Some(object);
            bytes += u64::from(size);
        }
        let count = self.slots.len();
        let survivors = count.checked_div(survivor_of).unwrap_or(0);
        for left in (1..=count).rev() {
            self.slots.swap(self.random.below(left), left - 1);
            // The first ones drawn stay, at the end of the array.
            if count - left >= survivors {
                release(table, self.slots[left - 1].take());
            }
        }
        bytes
    }

    /// Frees what survived; gives the objects.
    fn empty(&mut self, table: &Table) -> u64 {
        let survivors = self
            .slots
            .iter_mut()
            .rev()
            .map_while(|slot| slot.take().map(|object| release(table, Some(object))));
        survivors.count() as u64
    }
}

fn release(table: &Table, object: Option<Buffer>) {
    let Some(object) = object else { return };
    assert!(
        object.holds(0, object.address() as u64),
        "an object did not keep what was written"
    );
    table.release(object);
}

fn size(random: &mut Random) -> u32 {
    random.pareto(SMALLEST, LARGEST, SHAPE) as u32
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Lot, Plan, run};
    use crate::table::system;
    use crate::workloads::find;

    #[test]
    fn half_of_the_bytes_are_in_small_objects() {
        let lot = Lot::new(256 << 20, 1);
        let sum = |most: u32| {
            let counted = lot.sizes.iter().filter(|&&size| size < most);
            counted.map(|&size| f64::from(size)).sum::<f64>()
        };
        let share = sum(1024) / sum(u32::MAX);
        assert!((0.45..0.55).contains(&share), "{share}");
    }

    #[test]
    fn one_in_a_hundred_survives_to_be_verified() {
        let table = system();
        let mut lot = Lot::new(1 << 20, 1);
        lot.burst(&table, 100);
        assert_eq!(lot.empty(&table), lot.slots.len() as u64 / 100);
    }

    #[test]
    fn memory_at_rest_is_read_once_all_threads_are_done() {
        let plan = Plan {
            survivor_of: 10,
            further: 10,
            wait: Duration::from_millis(1),
        };
        let mut params = find("rest/burst-threads").expect("listed").params(0, 0);
        assert_eq!(params.threads, 4);
        params.scale = 4 << 20;
        let outcome = run(&system(), &params, plan);
        assert!(outcome.rest_bytes.is_some() && outcome.operations > 10_000);
        assert!(outcome.nanoseconds > 0, "{outcome:?}");
    }
}
