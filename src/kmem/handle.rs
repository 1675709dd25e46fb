//! What a program has of a cache or a mempool.
#![forbid(unsafe_code)]

/// Stands for a cache. It is an address of the library's where there is nothing to read: it tells which of a thread's bins is
/// the cache's, and no other copy of the library in the process has it. Null is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct CacheHandle(pub(crate) usize);

impl CacheHandle {
    /// None.
    pub const NULL: Self = Self(0);

    /// Whether it is none.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address.
    pub(crate) const fn addr(self) -> usize {
        self.0
    }
}
