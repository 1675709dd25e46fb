//! Why there is no memory, no cache or no pool.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt::{self, Display, Formatter};

use crate::kmem::KmemError;

/// There is no memory for a value, or a limit forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

/// Why a cache or a pool was not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateError {
    /// An argument is out of its range. Of a cache, a line on standard error says which.
    Invalid,
    /// There is no memory for it.
    NoMemory,
}

/// A pool was not emptied: this is a signal handler that has interrupted its own thread in the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetError;

impl Display for AllocError {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str("there is no memory, or a limit is reached")
    }
}

impl Display for CreateError {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Invalid => "an argument is out of its range",
            Self::NoMemory => "there is no memory for a cache or pool",
        })
    }
}

impl Display for ResetError {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str("the pool is in use by what a signal handler has interrupted")
    }
}

impl Error for AllocError {}
impl Error for CreateError {}
impl Error for ResetError {}

impl From<KmemError> for CreateError {
    fn from(why: KmemError) -> Self {
        match why {
            KmemError::NoMemory => Self::NoMemory,
            KmemError::Invalid | KmemError::InUse => Self::Invalid,
        }
    }
}
