//! Debugged and guarded blocks on a heap of their own.
#![forbid(unsafe_code)]

extern crate std;

use super::*;
use crate::numa::Topology;
use crate::sys;
use crate::units::Zeroed;
use std::vec::Vec;

fn heap() -> Heap {
    Heap::new(Topology::single(), crate::heap::Settings::TEST).unwrap()
}

const CALLER: Caller = Caller::new(1, Family::Malloc);

fn request(bytes: usize, align: usize) -> Request {
    Request::new(bytes, align, Zeroed::No).unwrap()
}

fn modes(debug: &[u8], guard: u32, quarantine: usize) -> Modes {
    Modes::new(&Settings {
        debug: Options::parse(debug).unwrap(),
        guard,
        quarantine,
        ..Settings::OFF
    })
}

fn address(block: Object) -> usize {
    block.as_ptr() as usize
}

#[test]
fn nothing_is_on_unless_it_was_asked_for() {
    let off = Modes::new(&Settings::OFF);
    assert!(!off.is_on() && !off.sees_all());
    let debug = modes(b"Z,kmalloc-64", 0, 0);
    assert!(debug.is_on() && !debug.sees_all());
    assert!(debug.debugs(Sort::of(64, 1)) && !debug.debugs(Sort::of(65, 1)));
    assert!(modes(b"-", 3, 0).sees_all() && modes(b"-", 0, 9).sees_all());
}

#[test]
fn debugged_blocks_are_aligned_poisoned_and_rest_in_turn() {
    let (heap, modes) = (heap(), modes(b"FZP", 0, 0));
    let home = heap.nodes().next().unwrap();
    let sizes = [0, 1, 64, 5000, 32 << 10, 40_000, 5 << 20];
    let mut taken = Vec::new();
    for (bytes, align) in sizes
        .into_iter()
        .zip([16, 4096, 64, 16, 16, 1 << 16, 1 << 21])
    {
        let block = modes
            .take_debugged(&heap, home, &request(bytes, align), CALLER)
            .unwrap();
        assert_eq!(address(block) % align, 0);
        assert_eq!(modes.usable_size(address(block)), Some(Ok(bytes)));
        assert!(bytes::first_other(address(block), address(block) + bytes, 0x5a).is_none());
        taken.push(block);
    }
    modes.check_all();
    for block in taken {
        assert_eq!(modes.give(&heap, block, CALLER), Given::Done);
    }
    // More than the quarantine holds: the memory of the oldest is used again, and was not touched.
    let mut seen = Vec::new();
    for _ in 0..5_000 {
        let block = modes.take_debugged(&heap, home, &request(30_000, 16), CALLER);
        seen.push(address(block.unwrap()));
        modes.give(&heap, block.unwrap(), CALLER);
    }
    seen.sort_unstable();
    seen.dedup();
    let held = slab_debug::LEAST_QUARANTINE / (32 << 10);
    assert!((held - 10..4_000).contains(&seen.len()), "{}", seen.len());
    modes.check_all();
    heap.validate();
}

#[test]
fn zeroes_are_zeroes_whatever_is_poisoned() {
    let (heap, modes) = (heap(), modes(b"ZP", 0, 0));
    let home = heap.nodes().next().unwrap();
    for bytes in [1, 500, 100_000, 5 << 20] {
        for _ in 0..3 {
            let block = modes.take_debugged(&heap, home, &request(bytes, 16).of_zeroes(), CALLER);
            let start = address(block.unwrap());
            assert!(bytes::first_other(start, start + bytes, 0).is_none());
            modes.give(&heap, block.unwrap(), CALLER);
        }
    }
}

#[test]
fn guarded_blocks_end_where_a_page_does() {
    let (heap, modes) = (heap(), modes(b"-", 1, 0));
    for (bytes, align) in [
        (1, 16),
        (16, 16),
        (100, 64),
        (4096, 16),
        (70_000, 4096),
        (9, 1 << 16),
    ] {
        let block = modes.take_guarded(&request(bytes, align), CALLER).unwrap();
        let end = address(block) + bytes.next_multiple_of(align);
        assert_eq!(address(block) % align, 0);
        assert!(align > 4096 || end.is_multiple_of(sys::page_size()));
        assert_eq!(modes.usable_size(address(block)), Some(Ok(bytes)));
        bytes::fill(address(block), 1, bytes);
        assert_eq!(modes.give(&heap, block, CALLER), Given::Done);
        assert_eq!(modes.usable_size(address(block)), Some(Err(())));
    }
    let outside = heap.take_large(heap.nodes().next().unwrap(), &request(50_000, 1));
    assert_eq!(modes.give(&heap, outside.unwrap(), CALLER), Given::Ordinary);
    assert!(modes.take_guarded(&request(64 << 20, 16), CALLER).is_none());
    modes.check_all();
}

#[test]
fn address_space_of_guarded_blocks_is_used_again_when_enough_rests() {
    let (heap, modes) = (heap(), modes(b"-", 1, 0));
    let mut turns = (0..40_000).map(|_| {
        let block = modes.take_guarded(&request(50, 16), CALLER).unwrap();
        // What is used again holds zeroes and may be written.
        assert!(bytes::first_other(address(block), address(block) + 50, 0).is_none());
        bytes::fill(address(block), 7, 50);
        modes.give(&heap, block, CALLER);
        address(block)
    });
    let first = turns.next();
    assert!(
        turns.any(|it| Some(it) == first),
        "the first address never came again"
    );
}

#[test]
fn what_rests_is_in_no_hands_until_it_is_used_again() {
    let (heap, modes) = (heap(), modes(b"-", 0, 64 << 10));
    let home = heap.nodes().next().unwrap();
    let mut reused = Vec::new();
    for _ in 0..3 {
        let block = heap
            .take_large(home, &Request::pages(40_000, 1, Zeroed::No).unwrap())
            .unwrap();
        modes.free_ordinary(&heap, block, |block| reused.push(block));
        assert_eq!(modes.usable_size(address(block)), Some(Err(())));
    }
    assert_eq!(reused.len(), 2);
    assert_eq!(modes.usable_size(address(reused[0])), None);
}

#[test]
fn threads_that_refill_at_once_lose_no_chunk() {
    // What two threads must do at once, they do in most tries.
    (0..5).for_each(|_| refill_at_once());
}

fn refill_at_once() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 10_000;
    let settings = crate::heap::Settings {
        arena_bytes: 4 << 30,
        ..crate::heap::Settings::TEST
    };
    let heap = Heap::new(Topology::single(), settings).unwrap();
    let modes = modes(b"F", 0, 0);
    let home = heap.nodes().next().unwrap();
    // The largest class, so that a chunk holds few.
    let take = || modes.take_debugged(&heap, home, &request(32 << 10, 16), CALLER);
    let pages = || {
        let counts = home.arena().counts();
        counts.committed_pages - counts.free_pages
    };
    // Up to the end of a chunk, and a whole one.
    let until_next = || {
        let before = pages();
        (1..)
            .find(|_| {
                take().unwrap();
                pages() > before
            })
            .unwrap()
    };
    until_next();
    let (before, in_chunk) = (pages(), until_next());
    let chunk = pages() - before;
    let together = std::sync::Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                for _ in 0..ROUNDS {
                    take().unwrap();
                }
            });
        }
    });
    // The chunk that the last block came from has room for all but one of its blocks.
    let chunks = (THREADS * ROUNDS - (in_chunk - 1)).div_ceil(in_chunk);
    assert_eq!((pages() - before) / chunk - 1, chunks as _);
}
