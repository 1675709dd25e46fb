//! A cache's name: a string of C in memory of the store's.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::Relaxed;

use super::cache::NamedCache;

impl NamedCache {
    /// Copies a name to memory of zeroes, which is one byte longer.
    pub(super) fn set_name(&self, memory: NonNull<u8>, name: &[u8]) {
        for (index, byte) in name.iter().enumerate() {
            // SAFETY: inside of the memory.
            let place = unsafe { memory.add(index) };
            // SAFETY: nobody else knows the memory.
            unsafe { place.write(*byte) };
        }
        self.name_bytes.store(name.len(), Relaxed);
        self.name.store(memory.as_ptr(), Relaxed);
    }

    /// The name.
    pub(crate) fn title(&self) -> &[u8] {
        let Some(name) = NonNull::new(self.name.load(Relaxed)) else {
            return &[];
        };
        let length = self.name_bytes.load(Relaxed);
        // SAFETY: written when the cache was created, and not changed until it is destroyed.
        unsafe { core::slice::from_raw_parts(name.as_ptr(), length) }
    }

    /// Takes the memory of the name, with its length.
    pub(super) fn take_name(&self) -> Option<(NonNull<u8>, usize)> {
        let name = self.name.swap(null_mut(), Relaxed);
        Some((NonNull::new(name)?, self.name_bytes.load(Relaxed) + 1))
    }
}
