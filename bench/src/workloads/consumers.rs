//! *consumers*: ten threads allocate blocks of 2 to 60 KiB, every page written, and many others free them. What counts is
//! the memory that waits with those that only free. An operation is one block's way.

use std::sync::{Condvar, Mutex};
use std::thread::Builder;

use crate::buffer::Buffer;
use crate::crew::{Gate, share, total};
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::random::{Random, Sizes};
use crate::table::Table;

use super::Params;

const PRODUCERS: usize = 10;

/// Blocks that may be on the way.
const DEPTH: usize = 64;

const STACK_BYTES: usize = 64 << 10;

/// What is on the way.
struct Way {
    queue: Mutex<Queue>,
    has_blocks: Condvar,
    has_room: Condvar,
}

struct Queue {
    slots: Mapped<Option<(Buffer, u64)>>,
    first: usize,
    count: usize,
    /// Blocks that are still to come.
    left: u64,
}

impl Way {
    fn send(&self, block: (Buffer, u64)) {
        let queue = self.queue.lock().expect("no thread failed");
        let is_full = |queue: &mut Queue| queue.count == DEPTH;
        let mut queue = self
            .has_room
            .wait_while(queue, is_full)
            .expect("no thread failed");
        let place = (queue.first + queue.count) % DEPTH;
        queue.slots[place] = Some(block);
        queue.count += 1;
        self.has_blocks.notify_one();
    }

    /// The next block; `None` when there will be no more.
    fn receive(&self) -> Option<(Buffer, u64)> {
        let queue = self.queue.lock().expect("no thread failed");
        let is_empty = |queue: &mut Queue| queue.count == 0 && queue.left > 0;
        let mut queue = self
            .has_blocks
            .wait_while(queue, is_empty)
            .expect("no thread failed");
        let place = queue.first;
        let block = queue.slots[place].take()?;
        queue.first = (place + 1) % DEPTH;
        queue.count -= 1;
        queue.left -= 1;
        if queue.left == 0 {
            self.has_blocks.notify_all();
        }
        self.has_room.notify_one();
        Some(block)
    }
}

/// With as many threads that free as the scale says.
pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let each = share(params.operations, PRODUCERS);
    let blocks = each * PRODUCERS as u64;
    let sizes = Sizes::uniform(2 << 10, 60 << 10);
    let way = Way {
        queue: Mutex::new(Queue {
            slots: Mapped::filled(DEPTH, |_| None),
            first: 0,
            count: 0,
            left: blocks,
        }),
        has_blocks: Condvar::new(),
        has_room: Condvar::new(),
    };
    let meter = Meter::start();
    let gate = Gate::of(PRODUCERS + params.scale);
    let produce = |index: usize| {
        let mut random = Random::new(params.seed + index as u64);
        gate.time(|| {
            for _ in 0..each {
                let draw = random.draw();
                let mut block = table.bytes(sizes.pick(draw));
                block.touch(0, draw);
                way.send((block, draw));
            }
            0
        })
    };
    let consume = || {
        gate.time(|| {
            let mut count = 0;
            while let Some((block, draw)) = way.receive() {
                assert!(
                    block.holds(0, draw),
                    "a block did not keep what was written"
                );
                table.release(block);
                count += 1;
            }
            count
        })
    };
    let (elapsed, count) = std::thread::scope(|scope| {
        let (produce, consume) = (&produce, &consume);
        let threads: Vec<_> = (0..PRODUCERS + params.scale)
            .map(|index| {
                let work = move || match index < PRODUCERS {
                    true => produce(index),
                    false => consume(),
                };
                let thread = Builder::new().stack_size(STACK_BYTES);
                thread
                    .spawn_scoped(scope, work)
                    .expect("some hundred threads")
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().expect("a thread of the workload failed")
        };
        total(threads.into_iter().map(join))
    });
    assert_eq!(count, blocks, "each block arrives once");
    meter.finish(blocks, elapsed, count)
}
