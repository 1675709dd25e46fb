//! What a program asks for: how long, how aligned, and where a block for that comes from, which is decided once.
//!
//! # Invariant
//!
//! No process can be refused a request because it asks for more addresses than there are: there is no such request.

use super::Object;
use super::class::{self, MAX_SMALL};
use crate::sys;
use crate::units::{
    BLOCK_SIZE, ClassId, GRANULE_PAGES, MIN_ALIGN, Order, PAGE_SIZE, Zeroed, pages_for,
};

/// No process gets more addresses than this without asking for them by name.
const MOST_ADDRESSES: usize = 1 << 48;

/// A request for a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    bytes: usize,
    align: usize,
    zeroed: Zeroed,
    kind: Kind,
}

/// Where a block comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An object of this class, from a slab.
    Small(ClassId),
    /// Pages of an arena: a span of a class, or of exactly as many pages if that is [`ClassId::NONE`].
    Large {
        /// The class.
        class: ClassId,
        /// Length.
        pages: u32,
        /// Alignment.
        order: Order,
    },
    /// A mapping of its own.
    Huge,
}

impl Request {
    /// A request for `bytes` at a multiple of `align`, a power of two; `None` if no process has as many addresses.
    #[inline]
    pub(crate) fn new(bytes: usize, align: usize, zeroed: Zeroed) -> Option<Self> {
        let id = match align <= MIN_ALIGN {
            true => (bytes <= MAX_SMALL).then(|| class::class_of(bytes)),
            false => class::aligned_class_of(bytes, align),
        };
        match id {
            Some(id) => Some(Self {
                bytes,
                align,
                zeroed,
                kind: Kind::Small(id),
            }),
            // What has an alignment that no class has is longer than all classes.
            None => Some(Self {
                bytes,
                ..Self::pages(bytes.max(MAX_SMALL + 1), align, zeroed)?
            }),
        }
    }

    /// As [`Self::new`], for pages or a mapping, however short.
    pub(crate) fn pages(bytes: usize, align: usize, zeroed: Zeroed) -> Option<Self> {
        addresses_for(bytes, align)?;
        let kind = if bytes > BLOCK_SIZE || align > BLOCK_SIZE {
            Kind::Huge
        } else {
            let class = match bytes > MAX_SMALL {
                true => class::aligned_span_class_of(bytes, align),
                false => ClassId::NONE,
            };
            let (pages, order) = match class {
                ClassId::NONE => (
                    pages_for(bytes.max(1)) as u32,
                    Order::holding(pages_for(align.max(1)) as u32),
                ),
                id => (class::info(id).span_pages(), Order::holding(GRANULE_PAGES)),
            };
            Kind::Large {
                class,
                pages,
                order,
            }
        };
        Some(Self {
            bytes,
            align,
            zeroed,
            kind,
        })
    }

    /// The same for exactly as many pages as the block needs, where it is none of a slab: of no class.
    pub(crate) fn of_no_class(self) -> Self {
        let kind = match self.kind {
            Kind::Large { order, .. } => Kind::Large {
                class: ClassId::NONE,
                pages: pages_for(self.bytes.max(1)) as u32,
                order: order.min(Order::holding(pages_for(self.align.max(1)) as u32)),
            },
            other => other,
        };
        Self { kind, ..self }
    }

    /// The same for a block of zeroes.
    pub(crate) fn of_zeroes(self) -> Self {
        Self {
            zeroed: Zeroed::Yes,
            ..self
        }
    }

    /// Bytes that the block needs.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What its address must be a multiple of.
    pub(crate) fn align(&self) -> usize {
        self.align
    }

    /// Whether it must hold zeroes.
    pub(crate) fn zeroed(&self) -> Zeroed {
        self.zeroed
    }

    /// Whether it must hold zeroes.
    pub(crate) fn is_zeroed(&self) -> bool {
        self.zeroed == Zeroed::Yes
    }

    /// Where it comes from.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What it takes of addresses, at most: the bytes and what the alignment may skip.
    pub(crate) fn addresses(&self) -> usize {
        addresses_for(self.bytes, self.align).unwrap_or(usize::MAX)
    }

    /// Memory that must be free for it: of a small object that of a slab.
    pub(crate) fn memory(&self) -> usize {
        match self.kind {
            Kind::Small(id) => class::info(id).slab_bytes(),
            Kind::Large { pages, .. } => pages as usize * PAGE_SIZE,
            Kind::Huge => self.bytes,
        }
    }

    /// Clears a block that was taken for this request just now, if it must hold zeroes and may hold something else.
    #[inline]
    pub(crate) fn clear(&self, block: Object) -> Object {
        if self.zeroed == Zeroed::Yes {
            // SAFETY: the caller has just taken the block, which has as many bytes as were asked for.
            unsafe { sys::clear(block, self.bytes) };
        }
        block
    }
}

fn addresses_for(bytes: usize, align: usize) -> Option<usize> {
    let skipped = if align > sys::page_size() { align } else { 0 };
    bytes
        .checked_add(skipped)
        .filter(|bytes| *bytes <= MOST_ADDRESSES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: usize, align: usize) -> Option<Kind> {
        Request::new(bytes, align, Zeroed::No).map(|request| request.kind())
    }

    #[test]
    fn a_request_is_small_large_or_huge() {
        assert_eq!(kind(0, 1), Some(Kind::Small(class::class_of(1))));
        assert_eq!(kind(100, 64), Some(Kind::Small(class::class_of(128))));
        assert!(matches!(kind(48 << 10, 16), Some(Kind::Small(_))));
        let exactly = |pages, order| Kind::Large {
            class: ClassId::NONE,
            pages,
            order: Order::holding(order),
        };
        assert_eq!(kind(100, 1 << 20), Some(exactly(13, 256)));
        let spans = kind((48 << 10) + 1, 16);
        assert!(matches!(spans, Some(Kind::Large { pages: 16, .. })));
        assert_eq!(kind((4 << 20) + 1, 16), Some(Kind::Huge));
        assert_eq!(kind(1, 8 << 20), Some(Kind::Huge));
        assert_eq!(kind(usize::MAX, 16), None);
        assert_eq!(kind(100, 1 << 60), None);
    }
}
