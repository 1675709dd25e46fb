//! A Rust program on slubmalloc that does one thing, right or wrong, with a block, and ends.

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::mem::forget;
use std::alloc::{alloc, alloc_zeroed, dealloc, realloc};
use std::env;
use std::thread;

#[global_allocator]
static ALLOCATOR: slubmalloc::Slubmalloc = slubmalloc::Slubmalloc;

fn layout(bytes: usize, align: usize) -> Layout {
    Layout::from_size_align(bytes, align).expect("a layout")
}

/// Takes a block and gives it back with another layout.
fn mistaken(taken: Layout, given: Layout) {
    // SAFETY: not empty.
    let block = black_box(unsafe { alloc(taken) });
    // SAFETY: none: that is the mistake.
    unsafe { dealloc(block, given) };
}

fn late_second_free() {
    let layout = layout(40, 8);
    // SAFETY: not empty.
    let blocks: Vec<_> = (0..8)
        .map(|_| black_box(unsafe { alloc(layout) }))
        .collect();
    for block in blocks.iter().chain(&blocks[..1]) {
        // SAFETY: none for the last one.
        unsafe { dealloc(*block, layout) };
    }
}

/// Everything that keeps the rules, with all sizes and alignments.
fn keeps_the_rules() {
    for align in (0..14).map(|shift| 1 << shift) {
        for bytes in (1..200).chain([1_000, 4_097, 40_000, 5 << 20]) {
            let mut now = layout(bytes, align);
            // SAFETY: not empty.
            let mut block = black_box(unsafe { alloc_zeroed(now) });
            for next in [bytes * 2, bytes + 1, bytes.div_ceil(3), 1] {
                // SAFETY: the block's own layout.
                block = unsafe { realloc(block, now, next) };
                assert!(!block.is_null() && block.addr().is_multiple_of(align));
                now = layout(next, align);
            }
            // SAFETY: as above.
            unsafe { ALLOCATOR.dealloc(block, now) };
        }
    }
    let texts = (0..4).map(|_| thread::spawn(|| format!("{:?}", vec![1_u64; 1_000])));
    assert!(
        texts
            .map(|it| it.join().expect("a text").len())
            .sum::<usize>()
            > 10_000
    );
}

fn main() {
    match env::args().nth(1).as_deref() {
        Some("right") => keeps_the_rules(),
        Some("late") => late_second_free(),
        Some("longer") => mistaken(layout(64, 8), layout(4_096, 8)),
        Some("shorter") => mistaken(layout(4_096, 8), layout(64, 8)),
        Some("nearly") => mistaken(layout(64, 8), layout(63, 8)),
        Some("aligned") => mistaken(layout(64, 16), layout(64, 1 << 20)),
        Some("overrun") => {
            let bytes: &mut [u8] = Box::leak(black_box(vec![0; 50]).into_boxed_slice());
            let end = bytes.as_mut_ptr().wrapping_add(50);
            // SAFETY: none: that is the mistake.
            unsafe { end.write(0x41) };
        }
        Some("forgotten") => {
            let cache = slubmalloc::Cache::new("left").expect("a cache");
            forget(cache.make(1_u64).expect("a value"));
            drop(cache);
            let mut pool = slubmalloc::Pool::new().expect("a pool");
            forget(pool.make(1_u64).expect("a value"));
            pool.reset().expect("nobody uses it");
        }
        Some("resized") => {
            // SAFETY: not empty.
            let block = black_box(unsafe { alloc(layout(64, 8)) });
            // SAFETY: none: that is the mistake.
            black_box(unsafe { realloc(block, layout(8_000, 8), 100) });
        }
        other => panic!("{other:?}"),
    }
    println!("ok");
}
