//! A block for a request past all thread caches: from a slab, of an arena's pages, or a mapping of its own.

use super::{Heap, Node};
use crate::arena::Use;
use crate::huge::{self, Taken};
use crate::slab::{Kind, Object, Request};
use crate::sys::{self, usdt};
use crate::units::{ClassId, Order, PAGE_SIZE, pages_for};

impl Heap {
    /// A block of any kind.
    #[cold]
    #[inline(never)]
    pub(crate) fn take(&self, home: &'static Node, request: &Request) -> Option<Object> {
        if let Kind::Small(id) = request.kind() {
            let take = || self.take_object(home, id);
            let object = take().or_else(|| self.take_small_under_pressure(take))?;
            return Some(request.clear(object));
        }
        self.take_large(home, request).or_else(|| {
            let helps = self.pressure_helps(request);
            helps.then(|| self.take_under_pressure(home, request))?
        })
    }

    /// A large or huge block.
    #[cold]
    pub(crate) fn take_large(&self, home: &'static Node, request: &Request) -> Option<Object> {
        let Kind::Large {
            class,
            pages,
            order,
        } = request.kind()
        else {
            return self.take_mapping(home, request);
        };
        let is_mapped = request.bytes() > self.largest_bytes();
        if is_mapped && let Some(start) = self.take_mapping(home, request) {
            return Some(start);
        }
        let take = |node: &'static Node| {
            let start = take_span(node, pages, order, class, request)?;
            self.count_pages(node, home, u64::from(pages), start);
            Some(start)
        };
        let nearest = self.arena_for_large(home);
        let anywhere = || take(nearest).or_else(|| self.nearest_first(nearest).find_map(take));
        // A full arena is no reason to refuse: a mapping serves any size.
        self.take_within(request.memory(), anywhere)
            .or_else(|| self.take_mapping(home, request))
    }

    /// A block that is a mapping of its own, whatever its size.
    pub(crate) fn take_mapping(&self, home: &Node, request: &Request) -> Option<Object> {
        let policy = self.settings.choice.block(&self.topology, home.id());
        let bytes = request.bytes().max(1);
        let wanted = huge::Request {
            bytes,
            align: request.align(),
            zeroed: request.zeroed(),
            policy,
            mark: policy.map_or(0, |_| home.id().0),
            huge_pages: self.settings.huge_pages,
        };
        let Taken { start, dirty_bytes } = self.take_within(bytes, || self.huge.take(wanted))?;
        if request.is_zeroed() && dirty_bytes > 0 {
            // SAFETY: the block was taken above and is as long as that.
            unsafe { sys::clear_pages(start, dirty_bytes) };
        }
        self.note_block(home, pages_for(bytes) as u64);
        Some(start)
    }
}

#[inline(never)]
fn take_span(
    node: &'static Node,
    pages: u32,
    align: Order,
    class: ClassId,
    request: &Request,
) -> Option<Object> {
    let span = node.arena().take(pages, align, Use::Large)?;
    if class != ClassId::NONE && !node.tables().enter_span(span.first.granule(), class) {
        node.arena().give(span);
        return None;
    }
    let start = node.arena().region().at(span.first.offset());
    if request.is_zeroed() && !span.zero {
        // SAFETY: the span was taken above and is as long as that.
        unsafe { sys::clear(start, pages as usize * PAGE_SIZE) };
    }
    usdt::large_alloc(start.addr().get(), request.bytes());
    Some(start)
}
