//! A plug-in that brings the allocator along as its own, for `tests/thread_life.rs`.

#[global_allocator]
static ALLOCATOR: slubmalloc::Slubmalloc = slubmalloc::Slubmalloc;

use std::thread;

const MIB: usize = 1 << 20;

/// Allocates and frees objects of many sizes in the calling thread, one of each size up to `largest`; returns how many
/// bytes that is.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_work(largest: usize) -> usize {
    let sizes = (4..).map(|shift| 1_usize << shift).take_while(|size| *size <= largest);
    let blocks: Vec<Vec<u8>> = sizes.map(|size| vec![size as u8 | 1; size]).collect();
    blocks.iter().map(Vec::len).sum()
}

/// Runs threads of the plug-in's own, which touch enough that the allocator may start its thread.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_threads(count: usize) -> usize {
    let threads: Vec<_> = (0..count)
        .map(|_| {
            thread::spawn(|| {
                let blocks: Vec<Vec<u8>> = (0..32).map(|byte| vec![byte; MIB]).collect();
                blocks.len() + plugin_work(MIB)
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
}

/// Allocates a block that the host never gives back.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_leak(size: usize) -> *mut u8 {
    Vec::leak(vec![7; size]).as_mut_ptr()
}
