//! What a program has of a cache, a mempool or a prefilled sheaf.
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

/// Lives that the lowest bits of a sheaf's handle tell, and the highest.
const LOW: usize = SheafHandle::STRIDE;
const HIGH: usize = 1 << 16;
/// Bytes of all addresses that a program can have.
const ADDRESSES: usize = 1 << 48;

/// Stands for a prefilled sheaf: the address of its place in the library's table, with the number of its life in the bits that no
/// place's address has, the 4 below it and the 16 above it. So a handle means another sheaf after 2^20 that had the same place. Null is
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct SheafHandle(pub(crate) usize);

impl SheafHandle {
    /// None.
    pub const NULL: Self = Self(0);
    /// Bytes of a place.
    pub(crate) const STRIDE: usize = 16;

    /// Whether it is none.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The handle of a sheaf at the place at `start` that has had as many lives.
    pub(super) const fn of_life(start: usize, lives: usize) -> Self {
        Self(start + lives % LOW + (lives / LOW) % HIGH * ADDRESSES)
    }

    /// How far from `first` its place begins, or may have begun, but for the lowest bits.
    pub(super) const fn offset(self, first: usize) -> usize {
        self.0.wrapping_sub(first) % ADDRESSES
    }

    /// The address.
    pub(crate) const fn addr(self) -> usize {
        self.0
    }
}
