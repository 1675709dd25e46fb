//! What a pageblock is for, so that slabs and large blocks lie apart: the kernel's migrate types.
//!
//! Large blocks come and go as a whole; a slab stays as long as one of its objects. Where both lie in one pageblock the
//! slabs keep what is free there in pieces.
#![forbid(unsafe_code)]

use crate::units::BLOCK_PAGES;

/// Number of kinds.
pub(super) const KINDS: usize = 3;
/// An arena that reaches no further has one kind of pageblocks: what is apart needs more of them.
const APART_FROM: u32 = 8 * BLOCK_PAGES;

/// What a span is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Cut into objects of one class.
    Slab,
    /// Handed out whole.
    Large,
}

/// What a pageblock is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything.
    Any,
    /// Slabs.
    Slabs,
    /// Large blocks.
    Large,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; KINDS] = [Self::Any, Self::Slabs, Self::Large];

    /// The kind of pageblock for a span, in an arena of `pages`.
    pub(super) fn wanted(used_for: Use, pages: u32) -> Self {
        match used_for {
            _ if !is_apart(pages) => Self::Any,
            Use::Slab => Self::Slabs,
            Use::Large => Self::Large,
        }
    }

    /// The kind with that number.
    pub(super) fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Slabs,
            2 => Self::Large,
            _ => Self::Any,
        }
    }

    /// Its place in a list of all.
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// Whether an arena of `pages` has pageblocks of several kinds.
pub(super) fn is_apart(pages: u32) -> bool {
    pages >= APART_FROM
}
