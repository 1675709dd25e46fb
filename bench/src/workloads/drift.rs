//! *rest/server*: a server that runs for long. Live data stay at 200 MiB while the sizes of new objects
//! drift; resident memory is read after the first tenth and at the end. An operation is a new object.
//!
//! Sizes spread over four doublings around a median that moves from 16 bytes to 16 KiB and back, three
//! times and a third, so that it is the same at both readings. For each new object as many random
//! ones go as its size demands; one in sixteen of them is verified, all at the end.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};

use crate::buffer::Buffer;
use crate::crew::{crew, share};
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::random::Random;
use crate::table::Table;

use super::Params;

const SMALLEST: usize = 16;
const LARGEST: usize = 64 << 10;

/// The median moves between this size …
const LEAST_MEDIAN: f64 = 16.0;
/// … and this many times that.
const MEDIAN_RANGE: f64 = 1024.0;

/// Ups and downs in a run. At a tenth and at the end the median is in the same place.
const CYCLES: f64 = 10.0 / 3.0;

/// The median moves after this many operations.
const STEP: u64 = 1024;

/// Sizes around a median, their distances from it drawn beforehand.
struct Drift {
    factors: Mapped<f32>,
}

/// The live objects of one thread, in the first `count` slots.
struct Pool {
    slots: Mapped<Option<Buffer>>,
    count: usize,
    bytes: usize,
    most_bytes: usize,
    random: Random,
}

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let drift = Drift::new();
    let most_bytes = params.scale / params.threads;
    let pools: Vec<_> = (0..params.threads)
        .map(|index| Mutex::new(Pool::new(most_bytes, params.seed + index as u64)))
        .collect();
    let (done, read) = (Barrier::new(params.threads), Barrier::new(params.threads));
    let (first_tenth_bytes, rest_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let pool = &mut *pools[index].lock().expect("one thread each");
        pool.fill(table, &drift);
        // ORDERING: the crew's join comes before the loads, here and below.
        let note = |place: &AtomicU64| {
            if index == 0 {
                place.store(meter.above_start(), Ordering::Relaxed);
            }
        };
        let (lap, ()) = gate.time(|| {
            pool.replace(table, &drift, 0..rounds / 10, rounds);
            note(&first_tenth_bytes);
            pool.replace(table, &drift, rounds / 10..rounds, rounds);
        });
        done.wait();
        note(&rest_bytes);
        read.wait();
        (lap, pool.empty(table))
    });
    Outcome {
        rest_bytes: Some(rest_bytes.into_inner()),
        first_tenth_bytes: Some(first_tenth_bytes.into_inner()),
        ..meter.finish(rounds * params.threads as u64, elapsed, checksum)
    }
}

impl Drift {
    const DRAWN: usize = 2048;

    fn new() -> Self {
        let mut random = Random::new(0xd21f7);
        Self {
            factors: Mapped::filled(Self::DRAWN, |_| (random.unit() * 4.0 - 2.0).exp2() as f32),
        }
    }

    /// The size for a draw, by its low bits.
    #[inline(always)]
    fn pick(&self, draw: u64, median: f32) -> usize {
        let factor = self.factors[draw as usize % Self::DRAWN];
        ((factor * median) as usize).clamp(SMALLEST, LARGEST)
    }
}

/// Where the median is after `done` of `all` operations.
fn median(done: u64, all: u64) -> f32 {
    let phase = (done as f64 / all as f64 * CYCLES).fract();
    let height = 1.0 - (2.0 * phase - 1.0).abs();
    (LEAST_MEDIAN * MEDIAN_RANGE.powf(height)) as f32
}

impl Pool {
    /// Room for as many objects as can be live at once.
    fn new(most_bytes: usize, seed: u64) -> Self {
        Self {
            slots: Mapped::filled(most_bytes / SMALLEST, |_| None),
            count: 0,
            bytes: 0,
            most_bytes: most_bytes.max(LARGEST),
            random: Random::new(seed),
        }
    }

    fn fill(&mut self, table: &Table, drift: &Drift) {
        loop {
            let size = drift.pick(self.random.draw(), median(0, 1));
            if self.bytes + size > self.most_bytes {
                return;
            }
            self.add(table, size);
        }
    }

    fn replace(&mut self, table: &Table, drift: &Drift, part: Range<u64>, all: u64) {
        for start in part.clone().step_by(STEP as usize) {
            let median = median(start, all);
            for _ in start..part.end.min(start + STEP) {
                let size = drift.pick(self.random.draw(), median);
                while self.bytes + size > self.most_bytes {
                    self.remove(table);
                }
                self.add(table, size);
            }
        }
    }

    #[inline(always)]
    fn add(&mut self, table: &Table, size: usize) {
        let mut object = table.bytes(size);
        let mark = object.address() as u64;
        object.touch(0, mark);
        self.slots[self.count] = Some(object);
        self.count += 1;
        self.bytes += size;
    }

    /// Frees a random object.
    #[inline(always)]
    fn remove(&mut self, table: &Table) {
        let draw = self.random.draw();
        let chosen = crate::random::scale(draw, self.count);
        self.count -= 1;
        self.slots.swap(chosen, self.count);
        if let Some(object) = self.slots[self.count].take() {
            self.bytes -= object.len();
            if draw.is_multiple_of(16) {
                verify(&object);
            }
            table.release(object);
        }
    }

    /// Frees everything; gives the objects.
    fn empty(&mut self, table: &Table) -> u64 {
        let left = core::mem::take(&mut self.count);
        for object in self.slots[..left].iter_mut().filter_map(Option::take) {
            verify(&object);
            table.release(object);
        }
        left as u64
    }
}

fn verify(object: &Buffer) {
    assert!(
        object.holds(0, object.address() as u64),
        "an object did not keep what was written"
    );
}

#[cfg(test)]
mod tests {
    use super::{Drift, median, run};
    use crate::table::system;
    use crate::workloads::find;

    #[test]
    fn the_median_moves_through_its_range_and_is_the_same_at_both_readings() {
        let all: Vec<_> = (0..1000).map(|done| median(done, 1000)).collect();
        assert!(all.iter().all(|size| (16.0..=16384.0).contains(size)));
        assert!(all.iter().any(|&size| size < 17.0) && all.iter().any(|&size| size > 16000.0));
        assert!((median(100, 1000) - median(1000, 1000)).abs() < 1.0);
    }

    #[test]
    fn sizes_surround_their_median() {
        let drift = Drift::new();
        let below = (0..2048)
            .filter(|&draw| drift.pick(draw, 1000.0) < 1000)
            .count();
        assert!((924..1124).contains(&below), "{below}");
    }

    #[test]
    fn both_readings_are_of_the_same_live_data() {
        let mut params = find("rest/server").expect("listed").params(2, 200_000);
        params.scale = 16 << 20;
        let outcome = run(&system(), &params);
        let least = Some(8 << 20);
        assert!(outcome.rest_bytes > least && outcome.first_tenth_bytes > least);
        assert_eq!(outcome.operations, 200_000);
    }
}
