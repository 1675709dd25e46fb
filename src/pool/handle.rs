//! What a program has of a pool.
#![forbid(unsafe_code)]

/// Lives that the lowest bits tell, and the highest.
const LOW: usize = 1 << 12;
const HIGH: usize = 1 << 16;
/// Bytes of all addresses that a program can have.
const ADDRESSES: usize = 1 << 48;

/// Stands for a pool: the address of its structure, a page, with the number of its life in the bits that no page's address has, the 12 below it and the
/// 16 above it. So a handle means another pool after 2^28 that had the same structure. Null is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct PoolHandle(pub(crate) usize);

impl PoolHandle {
    /// None.
    pub const NULL: Self = Self(0);

    /// Whether it is none.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The handle of a pool in the structure at `start` that has had as many lives.
    pub(crate) const fn of_life(start: usize, lives: usize) -> Self {
        Self(start + lives % LOW + (lives / LOW) % HIGH * ADDRESSES)
    }

    /// How far from `first` the structure begins that it stands in, or may have stood in.
    pub(crate) const fn offset(self, first: usize) -> usize {
        self.0.wrapping_sub(first) % ADDRESSES
    }

    /// The handle at an address.
    pub(crate) const fn of(address: usize) -> Self {
        Self(address)
    }

    /// The address.
    pub(crate) const fn addr(self) -> usize {
        self.0
    }
}
