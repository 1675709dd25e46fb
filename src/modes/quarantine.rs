//! The quarantine: freed blocks that are not used again for some time, so that a late write harms nobody else and a second
//! free is seen.
//!
//! # Invariant
//!
//! A block in the map is nobody's. The blocks form a queue: each knows the next one.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

use super::address_map::AddressMap;
use crate::heap::Heap;
use crate::report::{Violation, report_violation};
use crate::slab::Object;
use crate::sync::Lock;
use crate::sys::{sleep, yield_now};

/// Blocks that are taken out at once.
const BATCH: usize = 32;
/// How often a thread waits for blocks on their way: a moment at first, then a millisecond.
const YIELDS: u32 = 1000;
const SLEEPS: u32 = 100;

/// Blocks in quarantine.
#[derive(Debug)]
pub(super) struct Quarantine {
    most: usize,
    queue: Lock<Queue>,
    /// Held by a thread that looks at all blocks.
    sifting: Lock<()>,
    /// Blocks that have left and are not yet where they are used again.
    leaving: AtomicU32,
}

#[derive(Debug)]
struct Queue {
    /// By address: the length, and the address of the block that came next.
    blocks: AddressMap,
    first: usize,
    last: usize,
    count: usize,
    bytes: usize,
}

impl Quarantine {
    /// An empty one for at most `most` bytes.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            sifting: Lock::new(()),
            leaving: AtomicU32::new(0),
            queue: Lock::new(Queue {
                blocks: AddressMap::new(),
                first: 0,
                last: 0,
                count: 0,
                bytes: 0,
            }),
        }
    }

    /// Whether a block is here already, which is reported.
    pub(super) fn refuses(&self, heap: &Heap, address: usize) -> bool {
        let is_here = self.has(address);
        if is_here {
            report_violation(Violation::DoubleFree, address, heap.context(address));
        }
        is_here
    }

    /// Whether a block is here.
    pub(super) fn has(&self, address: usize) -> bool {
        self.most > 0 && self.queue.lock().blocks.get(address).is_some()
    }

    /// Quarantines a block of `bytes`; `reuse` gets those that leave for it.
    pub(super) fn add(&self, block: Object, bytes: usize, mut reuse: impl FnMut(Object)) {
        let is_in = self.queue.lock().append(block, bytes);
        if !is_in {
            return reuse(block);
        }
        self.release(self.most, reuse);
    }

    /// Lets the oldest blocks be used again until no more than `most` bytes are here.
    pub(super) fn release(&self, most: usize, mut reuse: impl FnMut(Object)) {
        loop {
            let mut queue = self.queue.lock();
            if queue.bytes <= most {
                return;
            }
            let Some((oldest, _)) = queue.pop() else {
                return;
            };
            self.set_out();
            // What is done with it needs locks that come before this one.
            drop(queue);
            reuse(oldest);
            self.arrive();
        }
    }

    /// Lets the blocks be used again for which `is_one` returns true; all others stay. Afterwards none of the former is on its way in any
    /// thread, but where one has stopped there.
    pub(super) fn release_those(
        &self,
        is_one: impl Fn(usize) -> bool,
        mut reuse: impl FnMut(Object),
    ) {
        loop {
            let mut batch = [None; BATCH];
            let is_last = self.take_those(&is_one, &mut batch);
            batch.into_iter().flatten().for_each(|block| {
                reuse(block);
                self.arrive();
            });
            if is_last {
                break;
            }
        }
        for round in 0..YIELDS + SLEEPS {
            // ORDERING: acquire, pairs with `arrive`: what others did with their blocks is seen.
            match self.leaving.load(Acquire) {
                0 => break,
                _ if round < YIELDS => yield_now(),
                // What is done with a block may run code of the program's, which may wait for this thread.
                _ => sleep(1),
            }
        }
    }

    /// Takes blocks out, as many as there is room for; whether no other is one.
    fn take_those(&self, is_one: impl Fn(usize) -> bool, batch: &mut [Option<Object>]) -> bool {
        // Two that change the order at once would pass over what the other has put at the end.
        let _sifting = self.sifting.lock();
        let mut places = batch.iter_mut();
        let count = self.queue.lock().count;
        for _ in 0..count {
            let mut queue = self.queue.lock();
            let Some((block, bytes)) = queue.pop() else {
                break;
            };
            // Those that stay go to the end, where they were in the same order.
            if !is_one(block.addr().get()) && queue.append(block, bytes) {
                continue;
            }
            self.set_out();
            if let Some(place) = places.next() {
                *place = Some(block);
            }
            if places.len() == 0 {
                return false;
            }
        }
        true
    }

    /// A block leaves the queue, whose lock is held.
    fn set_out(&self) {
        // ORDERING: relaxed, under the queue's lock, which who waits has had since.
        self.leaving.fetch_add(1, Relaxed);
    }

    /// It is where it is used again.
    fn arrive(&self) {
        // ORDERING: release, see `release_those`. There is none where this went on in the child of a fork.
        let less = |leaving: u32| leaving.checked_sub(1);
        let _ = self.leaving.fetch_update(Release, Relaxed, less);
    }

    /// In a forked child: the threads that let blocks go do not exist.
    pub(super) fn begin_child(&self) {
        // ORDERING: relaxed, there is one thread.
        self.leaving.store(0, Relaxed);
    }

    /// Takes the lock, to hold it across a fork.
    pub(super) fn hold_for_fork(&self) {
        self.sifting.hold_for_fork();
        self.queue.hold_for_fork();
    }

    /// Whether nobody holds the lock at this moment.
    pub(super) fn is_quiet(&self) -> bool {
        self.sifting.is_free() && self.queue.is_free()
    }
}

impl Queue {
    fn append(&mut self, block: Object, bytes: usize) -> bool {
        let address = block.as_ptr().expose_provenance();
        if !self.blocks.insert(address, [bytes, 0]) {
            return false;
        }
        match core::mem::replace(&mut self.last, address) {
            0 => self.first = address,
            last => {
                if let Some([length, _]) = self.blocks.get(last) {
                    self.blocks.set(last, [length, address]);
                }
            }
        }
        self.bytes += bytes;
        self.count += 1;
        true
    }

    /// The oldest block, and its bytes.
    fn pop(&mut self) -> Option<(Object, usize)> {
        let address = self.first;
        let [bytes, next] = self.blocks.remove(address)?;
        self.first = next;
        if next == 0 {
            self.last = 0;
        }
        self.bytes -= bytes;
        self.count -= 1;
        let block = Object::new(core::ptr::with_exposed_provenance_mut(address));
        block.map(|block| (block, bytes))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::thread;
    use std::vec::Vec;

    fn block(number: usize) -> Object {
        Object::new(core::ptr::with_exposed_provenance_mut(number * 16)).unwrap()
    }

    #[test]
    fn blocks_leave_in_the_order_in_which_they_came() {
        let quarantine = Quarantine::new(100);
        let mut left = Vec::new();
        for number in 1..=6 {
            quarantine.add(block(number), 30, |it| left.push(it));
        }
        assert_eq!(left, [block(1), block(2), block(3)]);
        assert!(quarantine.has(64) && !quarantine.has(48));
        quarantine.add(block(7), 500, |it| left.push(it));
        assert_eq!(left.len(), 7);
        assert!(!quarantine.has(112));
    }
    #[test]
    fn some_blocks_leave_and_the_others_stay_in_their_order() {
        let quarantine = Quarantine::new(100);
        (1..=6).for_each(|number| quarantine.add(block(number), 10, |_| unreachable!()));
        let mut left = Vec::new();
        quarantine.release_those(|address| address % 32 == 0, |it| left.push(it));
        assert_eq!(left, [2, 4, 6].map(block));
        assert!(quarantine.has(16) && !quarantine.has(32));
        left.clear();
        quarantine.release(0, |it| left.push(it));
        assert_eq!(left, [1, 3, 5].map(block));
    }

    #[cfg(not(simulated))]
    #[test]
    fn who_lets_blocks_go_waits_for_those_that_others_let_go() {
        use core::sync::atomic::AtomicBool;
        use core::time::Duration;
        use std::sync::mpsc;

        let quarantine = Quarantine::new(100);
        quarantine.add(block(1), 10, |_| unreachable!());
        let has_arrived = AtomicBool::new(false);
        let (left, has_left) = mpsc::channel();
        let (go, gone) = mpsc::channel();
        thread::scope(|scope| {
            let (quarantine, arrived) = (&quarantine, &has_arrived);
            let arrive = move |_| {
                left.send(()).unwrap();
                gone.recv().unwrap();
                arrived.store(true, Relaxed);
            };
            scope.spawn(move || quarantine.release(0, arrive));
            has_left.recv().unwrap();
            let other = scope.spawn(move || {
                quarantine.release_those(|_| true, |_| unreachable!());
                arrived.load(Relaxed)
            });
            thread::sleep(Duration::from_millis(50));
            go.send(()).unwrap();
            assert!(other.join().unwrap(), "a block was on its way");
        });
        quarantine.leaving.store(1, Relaxed);
        quarantine.begin_child();
        quarantine.release_those(|_| true, |_| unreachable!());
    }

    #[test]
    fn threads_that_look_at_all_blocks_pass_over_none() {
        const EACH: usize = 300;
        let quarantine = Quarantine::new(1 << 20);
        let of = |number: usize| number / EACH;
        thread::scope(|scope| {
            for thread in 0..4 {
                let quarantine = &quarantine;
                scope.spawn(move || {
                    for _ in 0..20 {
                        let own = (0..EACH).map(|it| block(1 + thread * EACH + it));
                        own.for_each(|it| quarantine.add(it, 1, |_| unreachable!()));
                        let mut left = 0;
                        let is_one = |address: usize| of(address / 16 - 1) == thread;
                        quarantine.release_those(is_one, |_| left += 1);
                        assert_eq!(left, EACH);
                    }
                });
            }
        });
        assert_eq!(quarantine.queue.lock().count, 0);
    }
}
