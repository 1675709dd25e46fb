//! Where in a lock and in a once the value lies, for readers outside of the process.
#![forbid(unsafe_code)]

use super::{Lock, Once};
use crate::layout::{Part, part};

impl<T> Lock<T> {
    /// What the lock protects.
    pub(crate) const VALUE: Part = part!(Self, value);
}

impl<T> Once<T> {
    /// Whether the value was made: [`Self::MADE`] then.
    pub(crate) const STATE: Part = part!(Self, state);
    /// The value.
    pub(crate) const VALUE: Part = part!(Self, value);
    /// See [`Self::STATE`].
    pub(crate) const MADE: u32 = super::once::MADE;
}
