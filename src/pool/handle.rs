//! What a program has of a pool.
#![forbid(unsafe_code)]

/// Stands for a pool: the address of its structure, with the number of its life in the lowest bits. Null is none.
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

    /// The handle at an address.
    pub(crate) const fn of(address: usize) -> Self {
        Self(address)
    }

    /// The address.
    pub(crate) const fn addr(self) -> usize {
        self.0
    }
}
