//! All nodes together: routing by size, fallback by distance, and what needs no thread cache.
//!
//! # Invariant
//!
//! A block lives in exactly one place: a slab, a span of a node's arena, or a mapping in the
//! registry; its address alone tells which.

mod fork;
mod locate;
mod metadata;
mod node;
mod resize;

use core::ptr::NonNull;

pub(crate) use locate::Home;
pub(crate) use node::Node;
pub(crate) use resize::Resized;

use crate::arena::{NotASpan, Use};
use crate::huge::{Huge, HugeCounts, NotHuge, Request};
use crate::numa::Topology;
use crate::report::{Crime, fatal, fatal_in_cache};
use crate::slab::{Object, Sheaf, class};
use crate::sys;
use crate::units::{BLOCK_SIZE, ClassId, MAX_NODES, NodeId, Order, PAGE_SIZE, Zeroed, pages_for};

/// How a heap is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Address space to reserve for each node, in bytes; halved while the kernel refuses.
    pub arena_bytes: usize,
    /// Bytes of freed huge mappings to keep for reuse at most.
    pub reuse_bytes: usize,
    /// Whether memory is bound to its node.
    pub bind: bool,
}

impl Settings {
    /// A small heap for tests, bound to nothing.
    #[cfg(test)]
    pub(crate) const TEST: Self = Self {
        arena_bytes: 64 << 20,
        reuse_bytes: 0,
        bind: false,
    };
}

/// All memory of a program.
#[derive(Debug)]
pub(crate) struct Heap {
    topology: Topology,
    /// The nodes that have memory, one behind the other.
    nodes: [Option<&'static Node>; MAX_NODES],
    huge: Huge,
    bind: bool,
}

impl Heap {
    /// A heap on the nodes of `topology`; `None` where not even one node's memory can be reserved.
    pub(crate) fn new(topology: Topology, settings: Settings) -> Option<Self> {
        let homes = topology.homes();
        let bind = settings.bind && homes.len() > 1;
        let mut nodes = [None; MAX_NODES];
        for (place, id) in nodes.iter_mut().zip(homes.iter()) {
            *place = Some(Node::create(id, settings.arena_bytes, bind)?);
        }
        Some(Self {
            topology,
            nodes,
            huge: Huge::new(settings.reuse_bytes),
            bind,
        })
    }

    /// The nodes that have memory.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &'static Node> {
        self.nodes.iter().copied().map_while(|node| node)
    }

    /// Whether there is more than one node.
    pub(crate) fn is_numa(&self) -> bool {
        self.topology.homes().len() > 1
    }

    /// The node that serves a thread on `node`.
    pub(crate) fn home_of(&self, node: NodeId) -> &'static Node {
        let home = self.topology.home_of(node);
        match self.nodes().find(|node| node.id() == home) {
            Some(node) => node,
            None => crate::report::our_fault("a node without memory is a home"),
        }
    }

    /// The nodes to try for a thread of `home`, the nearest first.
    pub(crate) fn nearest_first(&self, home: &Node) -> impl Iterator<Item = &'static Node> + '_ {
        self.topology
            .nearest_first(home.id())
            .map(|id| self.home_of(id))
    }

    /// One small object past all sheaves, for who has none.
    pub(crate) fn take_object(&self, home: &'static Node, id: ClassId) -> Option<Object> {
        let take = |node: &'static Node| node.pool(id).lock().take_one(node.place(), id);
        take(home).or_else(|| self.nearest_first(home).find_map(take))
    }

    /// Empties a sheaf into the slabs that its objects come from; the caller holds no pool's lock.
    pub(crate) fn flush(&self, home: &Node, id: ClassId, sheaf: &mut Sheaf) {
        if self.is_numa() {
            // After a refill from afar there may be strangers among them.
            sheaf.retain(|object| {
                let address = object as usize;
                let stranger = self
                    .nodes()
                    .find(|node| !home.owns(address) && node.owns(address));
                if let Some(node) = stranger {
                    node.pool(id).lock().take_back(node.place(), id, &[object]);
                }
                stranger.is_none()
            });
        }
        home.pool(id)
            .lock()
            .take_back(home.place(), id, sheaf.objects());
        sheaf.clear();
    }

    /// A block above 32 KiB, or with an alignment that no class has.
    #[cold]
    pub(crate) fn take_large(
        &self,
        home: &'static Node,
        bytes: usize,
        align: usize,
        zeroed: Zeroed,
    ) -> Option<NonNull<u8>> {
        if bytes > isize::MAX as usize {
            return None;
        }
        if bytes <= BLOCK_SIZE && align <= BLOCK_SIZE {
            let pages = pages_for(bytes.max(1)) as u32;
            let order = Order::holding(pages_for(align.max(1)) as u32);
            let take = |node: &'static Node| take_span(node, pages, order, zeroed);
            let taken = take(home).or_else(|| self.nearest_first(home).find_map(take));
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
        self.huge.take(Request {
            bytes: bytes.max(1),
            align,
            zeroed,
            node: self.bind.then_some(home.id()),
        })
    }

    /// A large or huge block for a process that has met a limit: on address space, on data or on
    /// commitment. What the heap holds without need goes back, until there is room.
    #[cold]
    pub(crate) fn take_under_pressure(
        &self,
        home: &'static Node,
        bytes: usize,
        align: usize,
        zeroed: Zeroed,
    ) -> Option<NonNull<u8>> {
        let take = || self.take_large(home, bytes, align, zeroed);
        self.trim();
        self.nodes().for_each(|node| node.arena().retreat());
        if let Some(start) = take() {
            return Some(start);
        }
        // Address space that is given back may be lost to the arenas. It helps only where that is
        // what is short.
        if sys::Region::can_reserve(bytes) {
            return None;
        }
        while self.nodes().filter(|node| node.cut()).count() > 0 {
            if let Some(start) = take() {
                return Some(start);
            }
        }
        None
    }

    /// Whether giving up what the heap holds could make room for `bytes`; if not, a program that
    /// asks for the impossible shall keep its warm memory.
    #[cold]
    pub(crate) fn pressure_helps(&self, bytes: usize) -> bool {
        let committed = |node: &Node| node.arena().counts().committed_pages as usize * PAGE_SIZE;
        let held = self.nodes().map(committed).sum::<usize>() + self.huge.counts().kept_bytes;
        let unused = self
            .nodes()
            .map(|node| node.arena().unused_bytes())
            .sum::<usize>();
        bytes <= held || bytes <= held + unused && !sys::Region::can_reserve(bytes)
    }

    /// Takes back a block that no thread cache took; ends the process if it is none.
    #[cold]
    pub(crate) fn give(&self, block: NonNull<u8>) {
        let address = block.as_ptr() as usize;
        match self.locate(address) {
            Home::Slab {
                node,
                class,
                is_start: true,
            } => {
                node.pool(class)
                    .lock()
                    .take_back(node.place(), class, &[block.as_ptr()]);
            }
            Home::Page {
                node,
                page,
                is_start: true,
            } => {
                if let Err(why) = node.arena().give_large(page) {
                    fatal(crime_of(why), address);
                }
            }
            Home::Outside => {
                if let Err(why) = self.huge.give(address) {
                    fatal(crime_of_huge(why), address);
                }
            }
            home => misplaced(home, address),
        }
    }

    /// The usable bytes of the block at `address`; `None` if there is none.
    pub(crate) fn usable_size(&self, address: usize) -> Option<usize> {
        match self.locate(address) {
            Home::Slab {
                class, is_start, ..
            } => is_start.then(|| class::info(class).size as usize),
            Home::Page {
                node,
                page,
                is_start: true,
            } => node
                .arena()
                .large_pages(page)
                .ok()
                .map(|pages| pages as usize * PAGE_SIZE),
            Home::Page { .. } => None,
            Home::Outside => self.huge.bytes_at(address).ok(),
        }
    }

    /// Gives all memory that is not in use back to the kernel; whether there was any.
    pub(crate) fn trim(&self) -> bool {
        let huge = self.huge.trim() > 0;
        for node in self.nodes() {
            class::all().for_each(|id| self.empty_barn(node, id));
        }
        self.nodes().fold(huge, |any, node| node.trim() || any)
    }

    fn empty_barn(&self, node: &Node, id: ClassId) {
        loop {
            let full = node.pool(id).lock().barn.take_full();
            let Some(mut sheaf) = full else {
                return;
            };
            self.flush(node, id, &mut sheaf);
            node.pool(id).lock().barn.put_empty(sheaf);
        }
    }

    /// Numbers about huge blocks.
    pub(crate) fn huge_counts(&self) -> HugeCounts {
        self.huge.counts()
    }

    /// Checks everything; aborts if something contradicts itself.
    pub(crate) fn validate(&self) {
        self.nodes().for_each(Node::validate);
    }
}

fn take_span(node: &'static Node, pages: u32, align: Order, zeroed: Zeroed) -> Option<NonNull<u8>> {
    let span = node.arena().take(pages, align, Use::Large)?;
    let start = node.arena().region().at(span.first.offset());
    if zeroed == Zeroed::Yes && !span.zero {
        // SAFETY: the span was taken above and is as long as that.
        unsafe { sys::clear(start, pages as usize * PAGE_SIZE) };
    }
    Some(start)
}

/// Ends the process over an address that is not the start of a block.
#[cold]
pub(crate) fn misplaced(home: Home, address: usize) -> ! {
    match home {
        Home::Slab { class, .. } => fatal_in_cache(
            Crime::InteriorPointer,
            address,
            class::info(class).size as usize,
        ),
        Home::Page { node, page, .. } => match node.arena().large_pages(page) {
            Ok(_) | Err(NotASpan::Inside) => fatal(Crime::InteriorPointer, address),
            Err(_) => fatal(Crime::InvalidFree, address),
        },
        Home::Outside => fatal(Crime::InvalidFree, address),
    }
}

fn crime_of(why: NotASpan) -> Crime {
    match why {
        // Free pages that were part of a block once; a page beyond the frontier never was.
        NotASpan::Free => Crime::DoubleFree,
        NotASpan::Inside => Crime::InteriorPointer,
        NotASpan::Beyond => Crime::InvalidFree,
    }
}

fn crime_of_huge(why: NotHuge) -> Crime {
    match why {
        NotHuge::Inside => Crime::InteriorPointer,
        NotHuge::Freed => Crime::DoubleFree,
        NotHuge::Unknown => Crime::InvalidFree,
    }
}
