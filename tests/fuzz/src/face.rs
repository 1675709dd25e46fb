//! What the driver asks of an allocator besides what the interpreter does.
#![forbid(unsafe_code)]

use crate::interpreter::Target;

/// An allocator that every thread may use.
pub(crate) trait Face: Target + Clone + Send + Sync {
    /// Bytes in use, huge blocks, the bytes of those, and objects of named caches.
    fn held(&self) -> [usize; 4];
}
