//! Makes compact traces of what the recorder wrote, and the inputs of the recorded programs.

#![forbid(unsafe_code)]

use core::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::path::{Path, PathBuf};

use clap::Parser;
use slubmalloc_bench::driver::{Failure, programs};
use slubmalloc_bench::trace::{Call, Trace, store};

/// Works on recorded allocation calls.
#[derive(Debug, Parser)]
#[command(name = "trace", version)]
enum Arguments {
    /// Writes the inputs of the recorded programs to a new folder and prints its name
    Inputs,
    /// Makes a compact trace of a raw recording
    Pack {
        /// What the recorder wrote
        raw: PathBuf,
        /// The trace
        trace: PathBuf,
    },
    /// Prints what is in a trace
    Show {
        /// The trace
        trace: PathBuf,
    },
}

fn main() -> Result<(), Failure> {
    match Arguments::parse() {
        Arguments::Inputs => println!("{}", programs::inputs()?.display()),
        Arguments::Pack { raw, trace } => pack(&std::fs::read(raw)?, &trace)?,
        Arguments::Show { trace } => show(&trace)?,
    }
    Ok(())
}

fn show(path: &Path) -> Result<(), Failure> {
    let trace = Trace::load(path)?;
    let count = |kind: fn(&Call) -> bool| trace.calls.iter().filter(|call| kind(call)).count();
    println!(
        "{}: {} calls, at most {} blocks: {} malloc, {} calloc, {} realloc, {} memalign, {} free",
        path.file_name().unwrap_or_default().display(),
        trace.calls.len(),
        trace.blocks,
        count(|call| matches!(call, Call::Malloc { .. })),
        count(|call| matches!(call, Call::Calloc { .. })),
        count(|call| matches!(call, Call::Realloc { .. })),
        count(|call| matches!(call, Call::Memalign { .. })),
        count(|call| matches!(call, Call::Free { .. })),
    );
    Ok(())
}

/// Addresses become ids: the lowest that is free.
#[derive(Default)]
struct Blocks {
    ids: HashMap<u64, u32>,
    free: BinaryHeap<Reverse<u32>>,
    most: u32,
}

impl Blocks {
    fn give(&mut self, address: u64) -> u32 {
        let id = self.free.pop().map_or_else(
            || {
                self.most += 1;
                self.most - 1
            },
            |Reverse(id)| id,
        );
        self.ids.insert(address, id);
        id
    }

    fn take(&mut self, address: u64) -> Option<u32> {
        let id = self.ids.remove(&address)?;
        self.free.push(Reverse(id));
        Some(id)
    }
}

fn pack(raw: &[u8], path: &Path) -> Result<(), Failure> {
    let mut blocks = Blocks::default();
    let (mut calls, mut threads) = (Vec::new(), Vec::new());
    for event in raw.as_chunks::<32>().0 {
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|index| event[at + index]));
        let (kind, alignment) = (event[0], event[1]);
        let thread = (word(0) >> 32) as u32;
        let (before, after) = (word(8), word(16));
        let Ok(size) = u32::try_from(word(24)) else {
            continue;
        };
        let mut push = |call| {
            calls.push(call);
            threads.push(thread);
        };
        // A block that is given out twice was freed by a way that the recorder does not see.
        if (1..=4).contains(&kind)
            && before != after
            && let Some(block) = blocks.take(after)
        {
            push(Call::Free { block });
        }
        match kind {
            0 => break,
            1 => push(Call::Malloc {
                block: blocks.give(after),
                size,
            }),
            2 => push(Call::Calloc {
                block: blocks.give(after),
                size,
            }),
            3 => match blocks.ids.remove(&before) {
                Some(block) => {
                    blocks.ids.insert(after, block);
                    push(Call::Realloc { block, size });
                }
                None => push(Call::Malloc {
                    block: blocks.give(after),
                    size,
                }),
            },
            4 => push(Call::Memalign {
                block: blocks.give(after),
                size,
                alignment,
            }),
            _ => {
                // What was allocated before the recording began is not in it.
                if let Some(block) = blocks.take(before) {
                    push(Call::Free { block });
                }
            }
        }
    }
    store(path, blocks.most as usize, &calls, &threads)?;
    show(path)
}
