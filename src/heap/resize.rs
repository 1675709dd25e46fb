//! Making a block longer or shorter where it is, or by moving its pages.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::{Heap, Home};
use crate::arena::Arena;
use crate::slab::class;
use crate::units::{BLOCK_SIZE, PAGE_SIZE, PageIndex, pages_for};

/// What became of a block that was to change its size.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resized {
    /// It has the new size, here.
    At(NonNull<u8>),
    /// It must be copied elsewhere; it has this many usable bytes now.
    Copy {
        /// Usable bytes of the old block.
        old_bytes: usize,
    },
    /// There is no such block.
    NoBlock,
}

impl Heap {
    /// Whether `block` is huge and known to need no change for `bytes`; takes no lock.
    #[inline]
    pub(crate) fn is_right(&self, block: *const u8, bytes: usize) -> bool {
        bytes > BLOCK_SIZE && self.huge.is_right(block, bytes)
    }

    /// Tries to give `block` room for `bytes` without copying it.
    pub(crate) fn resize(&self, block: NonNull<u8>, bytes: usize) -> Resized {
        match self.locate(block.as_ptr() as usize) {
            Home::Slab {
                node,
                class,
                is_start: true,
            } if class::is_span(class) && is_for_spans(bytes) => {
                let page = PageIndex::containing(block.as_ptr() as usize - node.arena().base());
                if node.resize_span(page, class, bytes) {
                    return Resized::At(block);
                }
                let old_bytes = class::info(class).size as usize;
                Resized::Copy { old_bytes }
            }
            Home::Slab {
                class,
                is_start: true,
                ..
            }
            | Home::Sampled {
                class,
                is_start: true,
                ..
            } => {
                let info = class::info(class);
                if info.may_stay(bytes) {
                    return Resized::At(block);
                }
                Resized::Copy {
                    old_bytes: info.size as usize,
                }
            }
            Home::Named {
                owner,
                is_start: true,
                ..
            } => {
                let old_bytes = class::info(owner.class()).size as usize;
                Resized::Copy { old_bytes }
            }
            Home::Page {
                node,
                page,
                is_start: true,
            } => resize_large(node.arena(), page, block, bytes),
            Home::Outside => self.resize_huge(block, bytes),
            _ => Resized::NoBlock,
        }
    }

    fn resize_huge(&self, block: NonNull<u8>, bytes: usize) -> Resized {
        let address = block.as_ptr() as usize;
        let Ok(old_bytes) = self.huge.bytes_at(address) else {
            return Resized::NoBlock;
        };
        if bytes <= BLOCK_SIZE && !class::is_well_used(bytes, old_bytes) {
            return Resized::Copy { old_bytes };
        }
        let more = bytes.saturating_sub(old_bytes);
        let resized = self.take_within(more, || self.huge.resize(block, bytes));
        match resized {
            Some(block) => Resized::At(block),
            None => Resized::Copy { old_bytes },
        }
    }
}

fn resize_large(arena: &Arena, page: PageIndex, block: NonNull<u8>, bytes: usize) -> Resized {
    let Ok(old_pages) = arena.large_pages(page) else {
        return Resized::NoBlock;
    };
    let old_bytes = old_pages as usize * PAGE_SIZE;
    let pages = pages_for(bytes);
    if bytes <= class::MAX_SMALL && !class::is_well_used(bytes, old_bytes) || bytes > BLOCK_SIZE {
        return Resized::Copy { old_bytes };
    }
    if pages == old_pages as usize || arena.resize(page, pages as u32) {
        return Resized::At(block);
    }
    Resized::Copy { old_bytes }
}

fn is_for_spans(bytes: usize) -> bool {
    bytes > class::MAX_SMALL && bytes <= BLOCK_SIZE
}
