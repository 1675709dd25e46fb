//! *rest/threads*: a thousand threads that each allocate and free a mebibyte of small objects, eight
//! of them at a time, and then wait. What counts is the memory that is still resident five seconds
//! later, their stacks included. An operation is an object's life.

use core::time::Duration;
use std::sync::{Barrier, Mutex};
use std::thread::{Builder, sleep};
use std::time::Instant;

use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::random::{Random, Sizes};
use crate::table::Table;

use super::Params;

/// Threads that wait at once.
const THREADS: usize = 1_000;

/// Threads that have live objects at once, which bounds the peak.
const WORKING: usize = 8;

const STACK_BYTES: usize = 64 << 10;

/// From the last free to the reading.
const WAIT: Duration = Duration::from_secs(5);

const SMALLEST: usize = 16;
const LARGEST: usize = 1024;

/// Room for the objects of one thread at a time.
type Lot = Mapped<Option<Owned<u64>>>;

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    gather(table, params, THREADS, WAIT)
}

fn gather(table: &Table, params: &Params, threads: usize, wait: Duration) -> Outcome {
    let sizes = Sizes::uniform(SMALLEST as u32, LARGEST as u32);
    // Each lot serves one thread in eight, so that holding it is the permission to work.
    let lots: [Mutex<Lot>; WORKING] =
        core::array::from_fn(|_| Mutex::new(Mapped::filled(params.scale / SMALLEST, |_| None)));
    let (freed, read) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    let meter = Meter::start();
    let start = Instant::now();
    let (objects, elapsed, rest_bytes) = std::thread::scope(|scope| {
        let (sizes, lots, freed, read) = (&sizes, &lots, &freed, &read);
        let members: Vec<_> = (0..threads)
            .map(|index| {
                let life = move || {
                    let random = Random::new(params.seed + index as u64);
                    let mut lot = lots[index % WORKING].lock().expect("nobody failed");
                    let count = work(table, &mut lot, params.scale, sizes, random);
                    drop(lot);
                    freed.wait();
                    read.wait();
                    count
                };
                let thread = Builder::new().stack_size(STACK_BYTES);
                thread
                    .spawn_scoped(scope, life)
                    .expect("a thousand threads")
            })
            .collect();
        freed.wait();
        let elapsed = start.elapsed();
        sleep(wait);
        let rest_bytes = meter.above_start();
        read.wait();
        let counts = members
            .into_iter()
            .map(|thread| thread.join().expect("a waiting thread failed"));
        (counts.sum::<u64>(), elapsed, rest_bytes)
    });
    Outcome {
        rest_bytes: Some(rest_bytes),
        ..meter.finish(objects, elapsed, objects)
    }
}

/// Allocates objects of `bytes` together and frees them in random order; gives how many there were.
fn work(table: &Table, lot: &mut Lot, bytes: usize, sizes: &Sizes, mut random: Random) -> u64 {
    let (mut count, mut total) = (0, 0);
    while total < bytes && count < lot.len() {
        let size = sizes.pick(random.draw());
        let mut object = table.place(size, 0);
        *object = object.address() as u64;
        lot[count] = Some(object);
        count += 1;
        total += size;
    }
    for left in (1..=count).rev() {
        lot.swap(random.below(left), left - 1);
        if let Some(object) = lot[left - 1].take() {
            let address = object.address() as u64;
            assert_eq!(
                table.remove(object),
                address,
                "an object did not keep what was written"
            );
        }
    }
    count as u64
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::gather;
    use crate::table::system;
    use crate::workloads::find;

    #[test]
    fn all_threads_wait_while_memory_is_read() {
        let mut params = find("rest/threads").expect("listed").params(0, 0);
        params.scale = 10_000;
        let outcome = gather(&system(), &params, 20, Duration::from_millis(1));
        assert!(
            outcome.rest_bytes.is_some() && outcome.operations >= 200,
            "{outcome:?}"
        );
    }
}
