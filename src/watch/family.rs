//! Which functions a block comes from: what one family allocates only the same may free.
#![forbid(unsafe_code)]

/// A family of functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Family {
    /// `malloc` and all of C; Rust's, too.
    Malloc,
    /// `operator new` and `operator delete`.
    New,
    /// `operator new[]` and `operator delete[]`.
    NewArray,
    /// Any of them: a block that was freed while nobody could look.
    Unknown,
}

impl Family {
    /// The family with this number, which is [`Self::Malloc`] for any other.
    pub(super) fn from_number(number: u8) -> Self {
        match number {
            1 => Self::New,
            2 => Self::NewArray,
            _ => Self::Malloc,
        }
    }

    /// What is wrong if a block of this family is freed by that one.
    pub(super) fn mismatch(self, freed_by: Self) -> Option<&'static str> {
        use Family::{Malloc, New, NewArray, Unknown};
        match (self, freed_by) {
            (Malloc, Malloc) | (New, New) | (NewArray, NewArray) => None,
            (Unknown, _) | (_, Unknown) => None,
            (Malloc, New) => Some("malloc freed by delete"),
            (Malloc, NewArray) => Some("malloc freed by delete[]"),
            (New, Malloc) => Some("new freed by free"),
            (New, NewArray) => Some("new freed by delete[]"),
            (NewArray, Malloc) => Some("new[] freed by free"),
            (NewArray, New) => Some("new[] freed by delete"),
        }
    }
}
