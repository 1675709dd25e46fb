//! What is debugged, and how: the sorts of blocks, and the flags of `slab_debug`.
#![forbid(unsafe_code)]

use crate::report::Line;
use crate::slab::{Kind, Request, class};
use crate::units::{BLOCK_SIZE, ClassId};

/// Looks for frees of what is no block, or free already.
pub(super) const SANITY: u8 = 1;
/// Red zones on both sides of a block.
pub(super) const RED_ZONE: u8 = 2;
/// Fills memory that the program must not read or write.
pub(super) const POISON: u8 = 4;
/// Remembers who allocated and freed.
pub(super) const USER: u8 = 8;
/// Prints every allocation and every free.
pub(super) const TRACE: u8 = 16;

/// The sorts of blocks: class 0 stands for large ones, the one after the last class for huge ones.
pub(super) const SORTS: usize = class::CLASSES + 2;
const HUGE: usize = SORTS - 1;

/// What a block is called by: its class, or that it is large or huge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort(u8);

impl Sort {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..SORTS as u8).map(Self)
    }

    /// The sort of a block of `bytes` at a multiple of `align`.
    pub(crate) fn of(bytes: usize, align: usize) -> Self {
        match class::aligned_class_of(bytes, align) {
            Some(id) => Self(id.0),
            None if bytes > BLOCK_SIZE || align > BLOCK_SIZE => Self(HUGE as u8),
            None => Self(0),
        }
    }

    /// The sort of the block that a request is for.
    pub(crate) fn of_request(request: &Request) -> Self {
        match request.kind() {
            Kind::Small(id) => Self(id.0),
            Kind::Large { .. } => Self(0),
            Kind::Huge => Self(HUGE as u8),
        }
    }

    /// The sort of a class.
    pub(crate) fn of_class(id: ClassId) -> Self {
        if class::is_span(id) {
            return Self(0);
        }
        Self(id.0)
    }

    /// The sort of that number.
    pub(super) fn from_number(number: u8) -> Self {
        Self(number)
    }

    /// Its place in a list of all sorts.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Its number.
    pub(super) fn number(self) -> u8 {
        self.0
    }

    /// The class, of a small block.
    pub(super) fn class(self) -> Option<ClassId> {
        (1..HUGE as u8).contains(&self.0).then_some(ClassId(self.0))
    }

    /// Appends its name.
    pub(super) fn name<const N: usize>(self, line: &mut Line<N>) {
        match self.class() {
            Some(id) => line.text("kmalloc-").number(class::info(id).size as usize),
            None if usize::from(self.0) == HUGE => line.text("huge"),
            None => line.text("large"),
        };
    }

    /// Whether a pattern names it.
    pub(super) fn is_named(self, pattern: &[u8]) -> bool {
        let mut line = Line::<32>::new();
        self.name(&mut line);
        fits(line.as_bytes(), pattern)
    }
}

/// Whether a name is a pattern's, which may end in `*`.
pub(super) fn fits(name: &[u8], pattern: &[u8]) -> bool {
    match pattern.split_last() {
        Some((b'*', prefix)) => name.starts_with(prefix),
        _ => name == pattern,
    }
}
