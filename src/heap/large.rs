//! Blocks above the largest class: spans of an arena, or mappings of their own.

use core::ptr::NonNull;

use super::pressure::addresses_for;
use super::{Heap, Node};
use crate::arena::Use;
use crate::huge::{Request, Taken};
use crate::slab::class;
use crate::sys;
use crate::units::{BLOCK_SIZE, ClassId, GRANULE_PAGES, Order, PAGE_SIZE, Zeroed, pages_for};

impl Heap {
    /// A block above 64 KiB, or with an alignment that no class has.
    #[cold]
    pub(crate) fn take_large(
        &self,
        home: &'static Node,
        bytes: usize,
        align: usize,
        zeroed: Zeroed,
    ) -> Option<NonNull<u8>> {
        addresses_for(bytes, align)?;
        let may_be_span = bytes <= BLOCK_SIZE && align <= BLOCK_SIZE;
        if bytes > self.largest_bytes()
            && may_be_span
            && let Some(start) = self.take_mapping(home, bytes, align, zeroed)
        {
            return Some(start);
        }
        if may_be_span {
            let class = match bytes > class::MAX_SMALL {
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
            let take = |node: &'static Node| {
                let start = take_span(node, pages, order, class, zeroed)?;
                self.note(node, home, u64::from(pages), start);
                Some(start)
            };
            let home = self.arena_for_large(home);
            let anywhere = || take(home).or_else(|| self.nearest_first(home).find_map(take));
            let taken = self.take_within(pages as usize * PAGE_SIZE, anywhere);
            // A full arena is no reason to refuse: a mapping serves any size.
            if taken.is_some() {
                return taken;
            }
        }
        self.take_mapping(home, bytes, align, zeroed)
    }

    /// A block that is a mapping of its own, whatever its size.
    pub(crate) fn take_mapping(
        &self,
        home: &Node,
        bytes: usize,
        align: usize,
        zeroed: Zeroed,
    ) -> Option<NonNull<u8>> {
        let policy = self.settings.choice.block(&self.topology, home.id());
        let request = Request {
            bytes: bytes.max(1),
            align,
            zeroed,
            policy,
            mark: policy.map_or(0, |_| home.id().0),
            huge_pages: self.settings.huge_pages,
        };
        let Taken { start, soiled } = self.take_within(bytes, || self.huge.take(request))?;
        if zeroed == Zeroed::Yes && soiled > 0 {
            // SAFETY: the block was taken above and is as long as that.
            unsafe { sys::clear_pages(start, soiled) };
        }
        self.note_block(home, pages_for(bytes.max(1)) as u64);
        Some(start)
    }
}

fn take_span(
    node: &'static Node,
    pages: u32,
    align: Order,
    class: ClassId,
    zeroed: Zeroed,
) -> Option<NonNull<u8>> {
    let span = node.arena().take(pages, align, Use::Large)?;
    if class != ClassId::NONE && !node.tables().enter_span(span.first.granule(), class) {
        node.arena().give(span);
        return None;
    }
    let start = node.arena().region().at(span.first.offset());
    if zeroed == Zeroed::Yes && !span.zero {
        // SAFETY: the span was taken above and is as long as that.
        unsafe { sys::clear(start, pages as usize * PAGE_SIZE) };
    }
    Some(start)
}
