//! Who asks for a block or frees it, by functions of which family: what one family allocates only the same may free.
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

/// Which named cache an object is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    /// The owner of its slabs, as a word.
    pub(crate) owner: u32,
    /// Its name.
    pub(crate) title: &'static [u8],
}

/// Who asks for a block, or frees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The number of the thread.
    pub(crate) thread: u32,
    /// Whose function it calls.
    pub(crate) family: Family,
    /// The named cache that asks.
    pub(crate) named: Option<Named>,
}

impl Caller {
    /// A thread that calls a function of a family.
    pub(crate) const fn new(thread: u32, family: Family) -> Self {
        Self {
            thread,
            family,
            named: None,
        }
    }
}

/// What became of a block that was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// It was debugged or guarded and is taken care of.
    Done,
    /// It is an ordinary one.
    Ordinary,
}
