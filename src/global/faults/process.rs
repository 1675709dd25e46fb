//! The process's own heap, by the functions that everything calls: its birth, and threads that come and go, while calls
//! are refused.

extern crate std;
use core::ptr::NonNull;
use core::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::vec::Vec;

use super::random::Random;
use crate::global::process::make_process;
use crate::global::{calloc, free, malloc, memalign, realloc, stats, trim, usable_size, validate};
use crate::sync::Lock;
use crate::sys::faults::{ERRNOS, Plan};

/// The numbers of the one heap are looked at by one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Until this is dropped no other test uses the process's heap.
pub(super) fn exclusive() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_process_gets_a_heap_or_loses_nothing() {
    let calls = Plan::none();
    assert!(calls.during(make_process).is_some());
    // SAFETY: nobody has used it.
    unsafe { calls.raze() };
    let mut heaps = 0;
    for errno in ERRNOS {
        for index in 0..calls.count() {
            let plan = Plan::new(move |event| (event.index == index).then_some(errno));
            let made = plan.during(make_process);
            let ledger = plan.ledger();
            assert_eq!(plan.refused(), 1);
            assert!(
                made.is_some() || ledger.bytes() <= ledger.refused_bytes(),
                "refused call {index}"
            );
            heaps += u32::from(made.is_some());
            // SAFETY: nobody uses the heap.
            unsafe { plan.raze() };
        }
    }
    assert!(heaps > 100);
}

#[test]
fn threads_come_and_go_while_calls_are_refused() {
    let _alone = exclusive();
    // So that the heap is there in any case.
    // SAFETY: a block of this thread's own.
    unsafe { free(malloc(1)) };
    live_in_threads(77, life, || ());
}

/// Three threads at a time `live` with a number of their own while calls are refused; nothing of them is left after `settle`.
/// Returns how many calls were refused.
pub(super) fn live_in_threads(seeds: u64, live: fn(u64), settle: fn()) -> u64 {
    let mut refused = 0;
    for seed in 0..40 {
        let share = [2, 5, 30][seed as usize % 3];
        let mut random = Random::new(seed + seeds);
        let plan = Plan::new(move |_| {
            (random.below(share) == 0).then(|| ERRNOS[random.below(ERRNOS.len())])
        });
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                thread::spawn(move || {
                    plan.attach();
                    live(seed * 3 + thread);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        settle();
        trim();
        validate();
        let stats = stats();
        assert_eq!(
            (stats.in_use, stats.huge_blocks),
            (0, 0),
            "seed {seed}: {stats:?}"
        );
        assert!(stats.threads <= 1, "seed {seed}: {stats:?}");
        refused += plan.refused();
    }
    refused
}

/// A thread's life: blocks of all kinds, each filled with its number.
fn life(seed: u64) {
    let mut random = Random::new(seed);
    let mut blocks: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
    for _ in 0..300 {
        let bytes = 1 << random.below(23);
        let bytes = bytes + random.below(bytes);
        let mark = random.below(256) as u8;
        let held = (blocks.len() > 8).then(|| blocks.swap_remove(random.below(8)));
        let new = match (held, random.below(6)) {
            (Some((block, old, mark)), 0..3) => {
                // SAFETY: a block of this thread's, with that many bytes.
                let content = unsafe { slice::from_raw_parts(block.as_ptr(), old) };
                assert!(content.iter().all(|byte| *byte == mark));
                // SAFETY: nobody uses it any more.
                unsafe { free(block.as_ptr()) };
                continue;
            }
            (Some((block, old, mark)), _) => {
                // SAFETY: as above.
                match NonNull::new(unsafe { realloc(block.as_ptr(), bytes) }) {
                    Some(new) => {
                        // SAFETY: the content comes along, as far as both blocks go.
                        let content =
                            unsafe { slice::from_raw_parts(new.as_ptr(), old.min(bytes)) };
                        assert!(content.iter().all(|byte| *byte == mark));
                        Some(new)
                    }
                    None => {
                        blocks.push((block, old, mark));
                        None
                    }
                }
            }
            (None, 0) => NonNull::new(memalign(1 << random.below(22), bytes)),
            (None, 1 | 2) => NonNull::new(calloc(1, bytes)).inspect(|block| {
                // SAFETY: the block was made with that many bytes.
                let content = unsafe { slice::from_raw_parts(block.as_ptr(), bytes) };
                assert!(content.iter().all(|byte| *byte == 0));
            }),
            (None, _) => NonNull::new(malloc(bytes)),
        };
        if let Some(block) = new {
            assert!(usable_size(block.as_ptr()) >= bytes);
            // SAFETY: the block has that many bytes.
            unsafe { block.write_bytes(mark, bytes) };
            blocks.push((block, bytes, mark));
        }
    }
    for (block, ..) in blocks {
        // SAFETY: nobody uses it any more.
        unsafe { free(block.as_ptr()) };
    }
}

/// Without refusals, and only with locks of our own, so that a tool that looks for races sees all that is ordered.
#[test]
fn threads_hand_blocks_to_each_other() {
    /// A block's address, its length, and what fills it.
    static SLOTS: Lock<[(usize, usize, u8); 64]> = Lock::new([(0, 0, 0); 64]);
    let _alone = exclusive();
    let exchange = |slot: usize, block| core::mem::replace(&mut SLOTS.lock()[slot], block);
    let give_back = |(address, bytes, mark): (usize, usize, u8)| {
        let Some(block) = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(address))
        else {
            return;
        };
        // SAFETY: a thread that takes a block out of a slot has it to itself.
        let content = unsafe { slice::from_raw_parts(block.as_ptr(), bytes) };
        assert!(content.iter().all(|byte| *byte == mark));
        // SAFETY: as above.
        unsafe { free(block.as_ptr()) };
    };
    thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || {
                let mut random = Random::new(seed);
                for step in 0..4_000 {
                    let bytes = 1 << random.below(if step % 50 == 0 { 23 } else { 12 });
                    let (mark, block) = (step as u8, malloc(bytes));
                    let start = NonNull::new(block).expect("enough memory");
                    // SAFETY: the block has that many bytes.
                    unsafe { start.write_bytes(mark, bytes) };
                    give_back(exchange(
                        random.below(64),
                        (block.expose_provenance(), bytes, mark),
                    ));
                    if step % 1_000 == 999 {
                        trim();
                    }
                }
            });
        }
    });
    (0..64).for_each(|slot| give_back(exchange(slot, (0, 0, 0))));
    trim();
    validate();
    assert_eq!((stats().in_use, stats().huge_blocks), (0, 0));
}

/// A wait that is refused is a wake-up without reason; no more may follow from it than a look.
#[test]
fn a_lock_excludes_where_nobody_can_sleep() {
    static SUM: Lock<u64> = Lock::new(0);
    for share in [1, 2] {
        let mut random = Random::new(share as u64);
        let plan = Plan::new(move |_| {
            (random.below(share) == 0).then(|| ERRNOS[random.below(ERRNOS.len())])
        });
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    plan.attach();
                    for _ in 0..20_000 {
                        let mut sum = SUM.lock();
                        let before = *sum;
                        // Long enough that others come to wait.
                        if before.is_multiple_of(512) {
                            thread::yield_now();
                        }
                        *sum = before + 1;
                    }
                });
            }
        });
    }
    assert_eq!(*SUM.lock(), 160_000);
}
