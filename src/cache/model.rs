//! A heap beside a model: lists of operations of several threads on several nodes, and what must be there.
//!
//! The lists are those of `tests/fuzz`, which also has the program that runs them on the library as a whole.

#![expect(
    clippy::disallowed_macros,
    reason = "proptest reports a failure by a panic"
)]

extern crate std;
use core::cell::Cell;
use std::sync::OnceLock;
use std::vec::Vec;

use proptest::prelude::*;

use super::world::{World, free, take};
use super::*;
use crate::decay::{Budget, Elapsed};
use crate::heap::{Resized, Settings};
use crate::slab::Request;
use crate::sys;
use crate::units::{NodeId, Zeroed};
use interpreter::{
    Block, Exchange, Fault, GivenUp, Options, Owners, Pause, Player, Record, Refusal, Release,
    Resize, Take, Target,
};

#[expect(
    dead_code,
    unused_imports,
    reason = "only the program of tests/fuzz needs this"
)]
#[path = "../../tests/fuzz/src/interpreter/mod.rs"]
mod interpreter;
#[path = "model_lists.rs"]
mod lists;

/// Threads that a list can name.
const THREADS: usize = 8;
/// Clusters that have cache nodes of their own.
const CLUSTERS: u8 = 3;
const TOO_MUCH: usize = isize::MAX as usize + 1;

std::thread_local! {
    /// The node that the thread whose turn it is believes to run on.
    static RUNNING: Cell<Option<u8>> = const { Cell::new(None) };
}

/// A machine with threads that take turns.
struct Machine {
    world: World,
    threads: [Option<&'static ThreadCache>; THREADS],
    /// Where each of them runs.
    places: [u8; THREADS],
    current: usize,
}

impl Machine {
    fn new(nodes: u64, is_tiny: bool, places: [u8; THREADS]) -> Self {
        let settings = Settings {
            arena_bytes: 16 << 20,
            is_tiny,
            shares_bins: true,
            current_node: || RUNNING.with(Cell::get),
            clusters: if is_tiny { 1 } else { CLUSTERS },
            few_threads: 0,
            current_cluster: || RUNNING.with(Cell::get).unwrap_or(0),
            ..Settings::TEST
        };
        Self {
            world: World::with(nodes, settings),
            threads: [None; THREADS],
            places,
            current: 0,
        }
    }

    /// Runs a list to its end, and looks at what it leaves; the threads have ended then.
    fn perform(&mut self, records: impl Iterator<Item = Record>) -> Result<(), TestCaseError> {
        static OWNERS: OnceLock<Option<Owners>> = OnceLock::new();
        let owners = OWNERS.get_or_init(Owners::new).as_ref();
        let exchange = Exchange::new();
        let options = Options {
            all_up_to: 64 << 10,
            fresh: None,
            given_up: GivenUp::Anything,
            rests: 0,
            may_fail: true,
            most_held: 48 << 20,
        };
        let player = owners.and_then(|owners| Player::new(0, records, owners, &exchange, options));
        let mut player = player.expect("address space for the model");
        loop {
            RUNNING.set(Some(self.places[self.current]));
            let pause = player.play(self.current as u8, self);
            let pause = pause.map_err(|fault| {
                let (operation, block) = player.last();
                TestCaseError::fail(std::format!("{fault}: {operation:x?}, {block:x?}"))
            })?;
            match pause {
                Pause::Switch(thread) => self.current = usize::from(thread) % THREADS,
                Pause::End(thread) => {
                    if let Some(cache) = self.threads[usize::from(thread) % THREADS].take() {
                        self.world.registry.exit(cache);
                    }
                    self.current = 0;
                }
                Pause::Done => break,
            }
        }
        prop_assert_eq!(player.clear_exchange(self), Ok(()));
        RUNNING.set(None);
        prop_assert_eq!(self.world.in_use(), 0);
        prop_assert_eq!(self.world.heap.huge_counts().blocks, 0);
        self.world.end();
        self.threads = [None; THREADS];
        self.current = 0;
        prop_assert_eq!(self.world.in_use(), 0);
        Ok(())
    }

    /// The cache of the thread whose turn it is, which is born if need be.
    fn here(&mut self) -> &'static ThreadCache {
        let place = self.places[self.current];
        let world = &self.world;
        self.threads[self.current].get_or_insert_with(|| world.thread(place))
    }

    fn alloc(&mut self, bytes: usize, zeroed: Zeroed) -> Option<Object> {
        let cache = self.here();
        let near = if zeroed == Zeroed::Yes || bytes > class::MAX_SMALL {
            None
        } else if bytes > class::FINE_LIMIT {
            cache.pop(class::coarse_class_of(bytes))
        } else {
            cache.pop_fine(bytes)
        };
        near.or_else(|| take(cache, bytes, 1, zeroed))
    }
}

fn address(object: Option<Object>) -> usize {
    object.map_or(0, |object| object.as_ptr() as usize)
}

fn object(block: Block) -> Object {
    Object::new(block.start as *mut u8).expect("a block is not null")
}

impl Target for Machine {
    fn take(&mut self, how: Take, bytes: usize, align: usize) -> Result<usize, Fault> {
        let cache = self.here();
        let binding = cache.binding().ok_or("a cache without a home")?;
        let taken = match how {
            Take::Calloc => self.alloc(bytes, Zeroed::Yes),
            // Those are not the heap's.
            Take::Kernel(_) => return Ok(0),
            Take::OnNode(node) => binding.heap.node(NodeId(node)).and_then(|node| {
                binding
                    .heap
                    .take(node, &Request::new(bytes, 1, Zeroed::No)?)
            }),
            _ if align > 16 => take(cache, bytes, align, Zeroed::No),
            _ => self.alloc(bytes, Zeroed::No),
        };
        Ok(address(taken))
    }

    fn release(&mut self, _: Release, block: Option<Block>) -> Result<(), Fault> {
        if let Some(block) = block {
            free(self.here(), object(block));
        }
        Ok(())
    }

    fn resize(&mut self, _: Resize, block: Block, bytes: usize) -> Result<usize, Fault> {
        match self.world.heap.resize(object(block), bytes) {
            Resized::At(start) => Ok(start.as_ptr() as usize),
            Resized::NoBlock => Err("a block is not found"),
            Resized::Copy { old_bytes } => {
                let new = self.alloc(bytes, Zeroed::No);
                if let Some(new) = new {
                    // SAFETY: two blocks, both at least as long as the shorter one.
                    unsafe { sys::copy(object(block), new, old_bytes.min(bytes)) };
                    free(self.here(), object(block));
                }
                Ok(address(new))
            }
        }
    }

    fn usable(&mut self, start: usize) -> usize {
        self.world.heap.usable_size(start).unwrap_or(0)
    }

    fn refuse(&mut self, _: Refusal, _: Option<Block>) -> Result<(), Fault> {
        match self.alloc(TOO_MUCH, Zeroed::No) {
            None => Ok(()),
            Some(_) => Err("what must be refused was not"),
        }
    }

    fn tend(&mut self, [what, how]: [u8; 2]) -> Result<(), Fault> {
        let cache = self.here();
        match what % 8 {
            0 => drop(self.world.heap.trim()),
            // As a thread does that frees nearly all it has.
            1 => {
                let _busy = cache.busy.lock();
                cache.detach_own();
            }
            // What is detached is taken, and the spare sheaves of idle classes.
            2 => drop(cache.visit(Haste::Never, &mut Budget::unlimited())),
            3 | 4 => {
                let elapsed = Elapsed {
                    steps: u32::from(how % 20) + 1,
                    quiet: u32::from(how / 13),
                };
                self.world.heap.decay(elapsed);
            }
            // Threads of which nothing else is seen come or go.
            5 => self
                .world
                .heap
                .note_threads(if how < 128 { 3 } else { 1_000 }),
            6 => {
                self.places[self.current] = how % 4;
                RUNNING.set(Some(how % 4));
            }
            _ => cache.drain(),
        }
        if what >= 224 {
            self.world.heap.validate();
        }
        Ok(())
    }
}

/// Records, of which more than elsewhere are about the heap as a whole.
fn records() -> impl Strategy<Value = Vec<Record>> {
    let tend = |[slot, what, how]: [u8; 3]| [252, slot, 0, 0, what, how];
    let switch = |[thread, rest]: [u8; 2]| [247, 0, 0, thread, rest, rest];
    let record = prop_oneof![
        12 => any::<Record>(),
        2 => any::<[u8; 3]>().prop_map(tend),
        2 => any::<[u8; 2]>().prop_map(switch),
    ];
    prop::collection::vec(record, 1..300)
}

const AT_HOME: [u8; THREADS] = [0; THREADS];
const APART: [u8; THREADS] = [0, 2, 1, 2, 0, 3, 2, 0];

proptest! {
    #[test]
    fn one_node_keeps_what_it_is_given(records in records()) {
        Machine::new(1, false, AT_HOME).perform(records.into_iter())?;
    }

    #[test]
    fn nodes_zero_and_two_keep_what_they_are_given(records in records()) {
        Machine::new(0b101, false, APART).perform(records.into_iter())?;
    }

    #[test]
    fn four_nodes_keep_what_they_are_given(records in records()) {
        Machine::new(0b1111, false, APART).perform(records.into_iter())?;
    }
}
