//! A heap beside a model: random operations of several threads on several nodes, and a list of what
//! must be there.

#![expect(
    clippy::disallowed_macros,
    reason = "proptest tells of a failure by a panic"
)]

extern crate std;
use std::vec::Vec;

use proptest::prelude::*;

use super::tests::{World, alloc, free};
use super::*;
use crate::decay::Elapsed;
use crate::heap::{Hurry, Resized};
use crate::units::Zeroed;

/// What one step does; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Alloc {
        thread: usize,
        bytes: usize,
        zeroed: bool,
    },
    Aligned {
        thread: usize,
        bytes: usize,
        shift: u32,
    },
    Free {
        thread: usize,
        block: usize,
    },
    Resize {
        block: usize,
        bytes: usize,
    },
    Trim,
    /// A thread claims its own objects, as one does that frees nearly all it has.
    Ebb {
        thread: usize,
    },
    /// What is claimed is taken, and the spare sheaves of idle classes.
    Visit {
        thread: usize,
    },
    /// Time passes.
    Decay {
        steps: u32,
        quiet: u32,
    },
    /// Threads of which nothing else is seen come or go.
    Crowd {
        threads: usize,
    },
}

/// A block as the program sees it: every byte is `mark`.
struct Block {
    start: Object,
    bytes: usize,
    mark: u8,
}

impl Block {
    fn paint(start: Object, bytes: usize, mark: u8) -> Self {
        // SAFETY: the heap gave at least `bytes`.
        unsafe { start.write_bytes(mark, bytes) };
        Self { start, bytes, mark }
    }

    fn is_intact(&self) -> bool {
        // SAFETY: painted, and still held.
        let bytes = unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.bytes) };
        bytes.iter().all(|byte| *byte == self.mark)
    }
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0_usize..1500, 4 => 1500_usize..40_000, 2 => 40_000_usize..500_000, 1 => 4_000_000_usize..6_000_000]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (any::<usize>(), sizes(), any::<bool>())
            .prop_map(|(thread, bytes, zeroed)| Step::Alloc { thread, bytes, zeroed }),
        1 => (any::<usize>(), sizes(), 0_u32..22)
            .prop_map(|(thread, bytes, shift)| Step::Aligned { thread, bytes, shift }),
        5 => (any::<usize>(), any::<usize>())
            .prop_map(|(thread, block)| Step::Free { thread, block }),
        2 => (any::<usize>(), sizes()).prop_map(|(block, bytes)| Step::Resize { block, bytes }),
        1 => Just(Step::Trim),
        1 => any::<usize>().prop_map(|thread| Step::Ebb { thread }),
        1 => any::<usize>().prop_map(|thread| Step::Visit { thread }),
        1 => (1_u32..20, 0_u32..20).prop_map(|(steps, quiet)| Step::Decay { steps, quiet }),
        1 => prop_oneof![Just(3_usize), Just(1_000)].prop_map(|threads| Step::Crowd { threads }),
    ];
    prop::collection::vec(step, 1..300)
}

fn run(nodes: u64, homes: &[u8], steps: Vec<Step>) -> Result<(), TestCaseError> {
    let world = World::new(nodes, 16 << 20);
    let threads: Vec<_> = homes.iter().map(|home| world.thread(*home)).collect();
    let mut blocks: Vec<Block> = Vec::new();
    for (mark, step) in (0_u8..=255).cycle().zip(steps) {
        match step {
            Step::Alloc {
                thread,
                bytes,
                zeroed,
            } => {
                let cache = threads[thread % threads.len()];
                let wish = if zeroed { Zeroed::Yes } else { Zeroed::No };
                let Some(start) = cache.alloc_slow(cache.ties().unwrap(), bytes, wish) else {
                    continue;
                };
                prop_assert_eq!(start.as_ptr() as usize % 16, 0);
                let usable = world.heap.usable_size(start.as_ptr() as usize);
                prop_assert!(usable.is_some_and(|usable| usable >= bytes));
                if zeroed {
                    let fresh = Block {
                        start,
                        bytes,
                        mark: 0,
                    };
                    prop_assert!(fresh.is_intact(), "calloc's memory is not zero");
                }
                blocks.push(Block::paint(start, bytes, mark));
            }
            Step::Aligned {
                thread,
                bytes,
                shift,
            } => {
                let cache = threads[thread % threads.len()];
                let start = cache.alloc_aligned(cache.ties().unwrap(), bytes, 1 << shift);
                if let Some(start) = start {
                    prop_assert_eq!(start.as_ptr() as usize % (1 << shift), 0);
                    blocks.push(Block::paint(start, bytes, mark));
                }
            }
            Step::Free { thread, block } if !blocks.is_empty() => {
                let block = blocks.swap_remove(block % blocks.len());
                prop_assert!(
                    block.is_intact(),
                    "a block of {} bytes was overwritten",
                    block.bytes
                );
                free(threads[thread % threads.len()], block.start);
            }
            Step::Resize { block, bytes } if !blocks.is_empty() && bytes > 0 => {
                let place = block % blocks.len();
                let block = &mut blocks[place];
                if let Resized::At(start) = world.heap.resize(block.start, bytes) {
                    block.start = start;
                    block.bytes = block.bytes.min(bytes);
                    prop_assert!(block.is_intact(), "resizing lost content");
                    *block = Block::paint(start, bytes, mark);
                }
            }
            Step::Trim => {
                world.heap.trim();
            }
            Step::Ebb { thread } => {
                let cache = threads[thread % threads.len()];
                let _busy = cache.busy.lock();
                cache.claim_own();
            }
            Step::Visit { thread } => {
                threads[thread % threads.len()].visit(Haste::Never);
            }
            Step::Decay { steps, quiet } => {
                world.heap.decay(Elapsed { steps, quiet }, Hurry::No);
            }
            Step::Crowd { threads } => world.heap.note_threads(threads),
            Step::Free { .. } | Step::Resize { .. } => (),
        }
    }
    world.heap.validate();
    for block in blocks {
        prop_assert!(
            block.is_intact(),
            "a block of {} bytes was overwritten",
            block.bytes
        );
        free(threads[0], block.start);
    }
    prop_assert_eq!(world.in_use(), 0);
    prop_assert_eq!(world.heap.huge_counts().blocks, 0);
    world.end();
    Ok(())
}

proptest! {
    #[test]
    fn one_node_keeps_what_it_is_given(steps in steps()) {
        run(1, &[0, 0, 0], steps)?;
    }

    #[test]
    fn nodes_zero_and_two_keep_what_they_are_given(steps in steps()) {
        run(0b101, &[0, 2, 1], steps)?;
    }
}

#[test]
fn the_model_sees_an_overwritten_block() {
    let world = World::new(1, 16 << 20);
    let here = world.thread(0);
    let block = Block::paint(alloc(here, 100).unwrap(), 100, 7);
    // SAFETY: the block is held.
    unsafe { block.start.write(8) };
    assert!(!block.is_intact());
    free(here, block.start);
    world.end();
}
