//! Memory of the program's own: of the allocator under test, and of the kernel's where that has none, so that only what the lists ask
//! for fails.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Addresses for what the allocator refuses; nothing of it is used twice.
const BYTES: usize = 16 << 30;

/// The program's allocator.
#[derive(Debug)]
pub struct Memory {
    /// Where the kernel's memory begins, 0 until it is needed, and how much of it is used.
    first: AtomicUsize,
    used: AtomicUsize,
}

impl Memory {
    /// Nothing of the kernel is used yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
        }
    }

    fn first(&self) -> Option<usize> {
        match self.first.load(Relaxed) {
            0 => {
                let (access, kind) = (
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                );
                // SAFETY: a new mapping.
                let new = unsafe { libc::mmap(null_mut(), BYTES, access, kind, -1, 0) };
                if new == libc::MAP_FAILED {
                    return None;
                }
                // Two threads at once leave one of the mappings unused.
                let _ = self.first.compare_exchange(0, new.addr(), Relaxed, Relaxed);
                Some(self.first.load(Relaxed))
            }
            first => Some(first),
        }
    }

    fn take_pages(&self, layout: Layout) -> *mut u8 {
        let bytes = layout.size() + layout.align();
        let start = self.used.fetch_add(bytes, Relaxed);
        match self.first().filter(|_| start + bytes <= BYTES) {
            Some(first) => std::ptr::with_exposed_provenance_mut(
                (first + start).next_multiple_of(layout.align()),
            ),
            None => null_mut(),
        }
    }

    fn has(&self, block: *mut u8) -> bool {
        block.addr().wrapping_sub(self.first.load(Relaxed)) < BYTES && self.first.load(Relaxed) != 0
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: blocks are the system allocator's, or of a mapping of which no byte is handed out twice.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let block = unsafe { System.alloc(layout) };
        match block.is_null() {
            true => self.take_pages(layout),
            false => block,
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !self.has(block) {
            // SAFETY: the caller's promise.
            unsafe { System.dealloc(block, layout) };
        }
    }
}
