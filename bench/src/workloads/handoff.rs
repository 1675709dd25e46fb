//! *handoff*: producers allocate objects of 16 to 256 bytes and send them, consumers read and free
//! them. An operation is one object's way. One to one, one to many, many to one.

use std::sync::Mutex;

use crate::crew::{Gate, Lap, crew, share};
use crate::meter::{Meter, Outcome};
use crate::random::{Random, Sizes};
use crate::ring::{Receiver, Ring, Sender};
use crate::table::Table;

use super::Params;

/// Objects that may be on the way in one ring.
const DEPTH: usize = 4096;

pub(super) fn one_to_one(table: &Table, params: &Params) -> Outcome {
    run(table, params, 1, 1)
}

pub(super) fn one_to_many(table: &Table, params: &Params) -> Outcome {
    run(table, params, 1, params.threads.saturating_sub(1).max(2))
}

pub(super) fn many_to_one(table: &Table, params: &Params) -> Outcome {
    run(table, params, params.threads.saturating_sub(1).max(2), 1)
}

/// One ring for each producer and consumer; the side with one thread serves all of them in turn.
fn run(table: &Table, params: &Params, producers: usize, consumers: usize) -> Outcome {
    let rings = producers.max(consumers);
    let objects = share(params.operations, rings);
    let sizes = Sizes::uniform(16, 256);
    let mut all: Vec<_> = (0..rings).map(|_| Ring::new(DEPTH)).collect();
    let (senders, receivers): (Vec<_>, Vec<_>) = all.iter_mut().map(Ring::ends).unzip();
    let meter = Meter::start();
    let senders = deal(senders, producers);
    let receivers = deal(receivers, consumers);
    let (elapsed, checksum) = crew(producers + consumers, |index, gate| {
        match index.checked_sub(producers) {
            None => produce(
                table,
                gate,
                &mut senders[index].lock().expect("one thread each"),
                objects,
                &sizes,
            ),
            Some(index) => consume(
                table,
                gate,
                &mut receivers[index].lock().expect("one thread each"),
                objects,
            ),
        }
    });
    let sum = (0..objects)
        .fold(0u64, u64::wrapping_add)
        .wrapping_mul(rings as u64);
    assert_eq!(checksum, sum, "an object did not arrive as it was sent");
    meter.finish(objects * rings as u64, elapsed, checksum)
}

fn produce(
    table: &Table,
    gate: &Gate,
    senders: &mut [Sender<'_, u64>],
    objects: u64,
    sizes: &Sizes,
) -> (Lap, u64) {
    let mut random = Random::new(objects);
    gate.time(|| {
        for number in 0..objects {
            for sender in senders.iter_mut() {
                let mut object = table.place(sizes.pick(random.draw()), number);
                while let Err(back) = sender.send(object) {
                    object = back;
                    std::thread::yield_now();
                }
            }
        }
        senders.iter_mut().for_each(Sender::flush);
        0
    })
}

fn consume(
    table: &Table,
    gate: &Gate,
    receivers: &mut [Receiver<'_, u64>],
    objects: u64,
) -> (Lap, u64) {
    let mut left = objects * receivers.len() as u64;
    gate.time(|| {
        let mut sum = 0u64;
        while left > 0 {
            let before = left;
            for receiver in receivers.iter_mut() {
                while let Some(object) = receiver.receive() {
                    sum = sum.wrapping_add(table.remove(object));
                    left -= 1;
                }
            }
            if left == before {
                std::thread::yield_now();
            }
        }
        sum
    })
}

/// Deals the ends out to `threads` hands.
fn deal<T>(ends: Vec<T>, threads: usize) -> Vec<Mutex<Vec<T>>> {
    let mut hands: Vec<Vec<T>> = (0..threads).map(|_| Vec::new()).collect();
    for (index, end) in ends.into_iter().enumerate() {
        hands[index % threads].push(end);
    }
    hands.into_iter().map(Mutex::new).collect()
}
