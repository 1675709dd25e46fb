//! How long single calls take: random replacement, every `malloc` and `free` timed by itself.
//!
//! Sizes are 16 to 1,024 bytes. Each fourth thousand of replacements is a burst instead: a thousand
//! objects more, then as many fewer, so that refills and flushes are among the calls.

use std::sync::Mutex;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::crew::{crew, share};
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::random::{Random, Sizes, scale};
use crate::table::Table;
use crate::workloads::Params;

const BURST: usize = 1_000;

/// Nanoseconds of single calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Latencies {
    /// Of `malloc`.
    pub malloc: Quantiles,
    /// Of `free`.
    pub free: Quantiles,
    /// Of two readings of the clock with nothing between, which is in all of the above.
    pub clock: Quantiles,
}

/// The usual points of a distribution, in nanoseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// One call in a hundred is slower.
    pub p99: f64,
    /// One call in a thousand is slower.
    pub p999: f64,
    /// The slowest call.
    pub max: f64,
}

struct Recorder {
    malloc: Histogram<u64>,
    free: Histogram<u64>,
    clock: Histogram<u64>,
}

/// Replaces random ones of `params.scale` objects (at least a thousand) and times each call.
#[must_use]
pub fn run(table: &Table, params: &Params) -> (Outcome, Latencies) {
    let rounds = share(params.operations, params.threads);
    let sizes = Sizes::uniform(16, 1024);
    let live = params.scale.clamp(1_000, 1_000_000);
    let all: Vec<_> = (0..params.threads)
        .map(|_| {
            Mutex::new((
                Recorder::new(),
                Mapped::filled(live + BURST, |_| None::<Owned<u64>>),
            ))
        })
        .collect();
    let ticks = Instant::now();
    let first_tick = tick();
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let (recorder, slots) = &mut *all[index].lock().expect("one thread each");
        let (slots, burst) = slots.split_at_mut(live);
        let mut random = Random::new(params.seed + index as u64);
        slots
            .iter_mut()
            .for_each(|slot| *slot = Some(table.place(sizes.pick(random.draw()), 1)));
        let (lap, sum) = gate.time(|| {
            let mut sum = 0;
            for round in 0..rounds {
                let draw = random.draw();
                let slot = &mut slots[scale(draw, live)];
                sum += recorder.free(table, slot);
                recorder.malloc(table, slot, sizes.pick(draw));
                if round % (4 * BURST as u64) == 0 {
                    burst
                        .iter_mut()
                        .for_each(|slot| recorder.malloc(table, slot, sizes.pick(random.draw())));
                    sum += burst
                        .iter_mut()
                        .map(|slot| recorder.free(table, slot))
                        .sum::<u64>();
                }
                recorder.clock();
            }
            sum
        });
        slots
            .iter_mut()
            .filter_map(Option::take)
            .for_each(|object| table.discard(object));
        (lap, sum)
    });
    let outcome = meter.finish(rounds * params.threads as u64, elapsed, checksum);
    let nanoseconds_per_tick =
        ticks.elapsed().as_nanos() as f64 / (tick() - first_tick).max(1) as f64;
    (outcome, summary(all, nanoseconds_per_tick))
}

fn summary<T>(all: Vec<Mutex<(Recorder, T)>>, nanoseconds_per_tick: f64) -> Latencies {
    let mut whole = Recorder::new();
    for one in all {
        let (recorder, _) = one.into_inner().expect("one thread each");
        whole.malloc += &recorder.malloc;
        whole.free += &recorder.free;
        whole.clock += &recorder.clock;
    }
    let quantiles = |histogram: &Histogram<u64>| Quantiles {
        p50: histogram.value_at_quantile(0.5) as f64 * nanoseconds_per_tick,
        p99: histogram.value_at_quantile(0.99) as f64 * nanoseconds_per_tick,
        p999: histogram.value_at_quantile(0.999) as f64 * nanoseconds_per_tick,
        max: histogram.max() as f64 * nanoseconds_per_tick,
    };
    Latencies {
        malloc: quantiles(&whole.malloc),
        free: quantiles(&whole.free),
        clock: quantiles(&whole.clock),
    }
}

impl Recorder {
    fn new() -> Self {
        // Fixed bounds, so that recording never allocates. 2^40 ticks are minutes.
        let histogram = || Histogram::new_with_bounds(1, 1 << 40, 2).expect("valid bounds");
        Self {
            malloc: histogram(),
            free: histogram(),
            clock: histogram(),
        }
    }

    #[inline(always)]
    fn malloc(&mut self, table: &Table, slot: &mut Option<Owned<u64>>, size: usize) {
        let start = tick();
        let object = table.place(size, 1u64);
        let stop = tick();
        self.malloc.saturating_record(stop - start);
        *slot = Some(object);
    }

    #[inline(always)]
    fn free(&mut self, table: &Table, slot: &mut Option<Owned<u64>>) -> u64 {
        let Some(object) = slot.take() else { return 0 };
        let start = tick();
        table.discard(object);
        let stop = tick();
        self.free.saturating_record(stop - start);
        1
    }

    #[inline(always)]
    fn clock(&mut self) {
        let start = tick();
        let stop = tick();
        self.clock.saturating_record(stop - start);
    }
}

/// A reading of the processor's constant-rate counter, after everything before it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn tick() -> u64 {
    let mut processor = 0;
    // SAFETY: every x86-64 processor of this century has the instruction.
    unsafe { core::arch::x86_64::__rdtscp(&raw mut processor) }
}

/// Nanoseconds since some moment.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn tick() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a `timespec` to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use crate::table::system;
    use crate::workloads::find;

    #[test]
    fn quantiles_rise() {
        let params = find("replace/1e3").expect("listed").params(2, 10_000);
        let (_, latencies) = super::run(&system(), &params);
        let malloc = latencies.malloc;
        assert!(malloc.p50 > 0.0 && malloc.p50 <= malloc.p99, "{malloc:?}");
        assert!(
            malloc.p99 <= malloc.p999 && malloc.p999 <= malloc.max,
            "{malloc:?}"
        );
    }
}
