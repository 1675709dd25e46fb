//! One node's pages: lent out as spans, under one lock.
//!
//! # Invariant
//!
//! A committed page is either free in the buddy system or part of exactly one span. Pages beyond
//! the committed end are neither.

mod buddy;
mod changed;
mod charges;
mod commit;
mod count;
mod dense;
mod density;
mod growth;
mod kind;
mod large;
pub(crate) mod layout;
mod lend;
mod page_map;
mod page_set;
mod purge;
mod purgeable;
mod record;
mod slab;
mod summary;
mod validate;

pub(crate) use kind::Use;
pub(crate) use purge::Pass;
pub(crate) use record::Head;
pub(crate) use slab::Touched;

use crate::decay::LowWatermark;
use crate::limit::Budget;
use crate::sync::{Lock, StaticRef};
use crate::sys::Region;
use crate::units::{BLOCK_SIZE, ORDERS, Order, PAGE_SIZE, PageIndex};
use buddy::Buddy;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use growth::{Growth, Pace};
use kind::Kind;
use page_map::PageMap;
use purge::Release;

/// Free memory in pageblocks of the other kind may be this share of what is used before it is taken.
const APART_SHARE: usize = 16;

/// Sole ownership of a run of pages.
#[must_use = "a dropped span is a leak"]
#[derive(Debug)]
pub(crate) struct Span {
    /// The first page.
    pub(crate) first: PageIndex,
    /// Length in pages.
    pub(crate) pages: u32,
    /// Whether the pages are known to hold zeroes.
    pub(crate) zero: bool,
}

/// Why an address is not the start of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotASpan {
    /// The page is free.
    Free,
    /// The page lies inside a span.
    Inside,
    /// The page was never part of the heap.
    Beyond,
}

/// The pages of one node.
#[derive(Debug)]
pub(crate) struct Arena {
    data: Region,
    map: PageMap,
    /// Held while memory is committed or decommitted: the kernel is asked without the lock that everybody needs.
    growing: Lock<()>,
    /// Held while the kernel takes the memory of pages that are out of the buddy system.
    purging: Lock<()>,
    state: Lock<State>,
    /// What clean pages are charged to, where there is a limit.
    budget: StaticRef<Budget>,
    /// Free dirty pages, and lent ones, changed under the lock.
    dirty: AtomicUsize,
    used: AtomicUsize,
    growth: Growth,
    /// Whether any page is marked as changed by the program.
    has_changed: AtomicBool,
    lost_pages: AtomicUsize,
    /// Places where what is advised about huge pages changes.
    dense_edges: AtomicU32,
}

#[derive(Debug)]
struct State {
    buddy: Buddy,
    committed: u32,
    /// The low watermark of free dirty pages.
    low: LowWatermark,
    /// Pages that are still to go in this round.
    excess: usize,
    /// Pages whose memory goes back at this moment.
    release: Option<Release>,
}

/// An arena's numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ArenaCounts {
    /// Free blocks of each order.
    pub(crate) free_blocks: [u32; ORDERS],
    /// Free pages.
    pub(crate) free_pages: u64,
    /// Free pages that still have memory.
    pub(crate) dirty_pages: u64,
    /// Pages that were committed.
    pub(crate) committed_pages: u64,
    /// Bytes of the page map.
    pub(crate) map_bytes: usize,
}

impl Arena {
    /// Bytes to reserve for the page map of an arena of `bytes`.
    pub(crate) const fn map_bytes_for(bytes: usize) -> usize {
        PageMap::bytes_for(bytes / PAGE_SIZE)
    }

    /// Of these, the bytes from the start on that are all a usual program needs.
    pub(crate) const fn first_map_bytes_for(bytes: usize) -> usize {
        PageMap::first_bytes_for(bytes / PAGE_SIZE)
    }

    /// An arena over `data`, which begins at a multiple of 4 MiB, with its page map in `map`; `is_eager` where free
    /// pages go back at once.
    pub(crate) fn new(data: Region, map: Region, is_eager: bool) -> Self {
        debug_assert!(data.address().is_multiple_of(BLOCK_SIZE));
        let map = PageMap::new(map, data.bytes() / PAGE_SIZE);
        Self {
            data,
            map,
            growing: Lock::new(()),
            purging: Lock::new(()),
            state: Lock::new(State {
                buddy: Buddy::default(),
                committed: 0,
                low: LowWatermark::default(),
                excess: 0,
                release: None,
            }),
            budget: StaticRef::none(),
            dirty: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            growth: Growth::new(if is_eager { Pace::EAGER } else { Pace::USUAL }),
            has_changed: AtomicBool::new(false),
            lost_pages: AtomicUsize::new(0),
            dense_edges: AtomicU32::new(0),
        }
    }

    /// The address of page 0.
    pub(crate) fn base(&self) -> usize {
        self.data.address()
    }

    /// Length of the reservation in bytes, as far as it was not given back.
    pub(crate) fn bytes(&self) -> usize {
        self.data.bytes()
    }

    /// The reserved address range, used to derive pointers.
    pub(crate) fn region(&self) -> &Region {
        &self.data
    }

    /// Takes `pages` pages, 1 ..= 1024, that begin at a multiple of `align` pages; `None` when the
    /// node is out of memory.
    pub(crate) fn take(&self, pages: u32, align: Order, used_for: Use) -> Option<Span> {
        let order = Order::holding(pages).max(align);
        let (mut state, first) = loop {
            let mut state = self.state.lock();
            let kind = Kind::wanted(used_for, state.committed);
            if let Some(first) = state.buddy.take(&self.map, order, kind) {
                break (state, first);
            }
            // Fresh memory would come on top of what is free in the wrong place: what is apart costs no more than that.
            if self.dirty_pages() > self.used_pages() / APART_SHARE
                && let Some(first) = state.buddy.take(&self.map, order, Kind::Any)
            {
                break (state, first);
            }
            drop(state);
            if self.extend(order, used_for).is_none() {
                let mut state = self.state.lock();
                let first = state.buddy.take(&self.map, order, Kind::Any)?;
                break (state, first);
            }
        };
        let span = self.lend(&mut state, first, order, pages, used_for)?;
        drop(state);
        self.advise(first);
        self.renewed(span)
    }

    /// Bytes up to the committed end.
    pub(crate) fn committed_bytes(&self) -> usize {
        PageIndex(self.state.lock().committed).offset()
    }

    /// Gives a span back.
    pub(crate) fn give(&self, span: Span) {
        let mut state = self.state.lock();
        self.map.set_head(span.first, None);
        self.account_free(span.first, span.pages);
        state.buddy.give_run(&self.map, span.first, span.pages);
    }

    /// The arena's numbers.
    pub(crate) fn counts(&self) -> ArenaCounts {
        let state = self.state.lock();
        ArenaCounts {
            free_blocks: state.buddy.free_blocks(),
            // What goes back to the kernel at this moment is nobody's.
            free_pages: state.buddy.free_pages()
                + state.release.map_or(0, |pages| u64::from(pages.count())),
            dirty_pages: self.dirty_pages() as u64,
            committed_pages: u64::from(state.committed),
            map_bytes: self.map.committed_bytes(),
        }
    }

    /// Takes the locks, to hold them across a fork: no page is out of the buddy system then.
    pub(crate) fn hold_for_fork(&self) {
        self.growing.hold_for_fork();
        self.purging.hold_for_fork();
        self.state.hold_for_fork();
    }

    /// Whether nobody holds the lock that everybody needs.
    #[cfg(all(test, not(simulated)))]
    pub(crate) fn is_open(&self) -> bool {
        self.state.is_free()
    }

    /// Whether nobody holds the locks at this moment.
    pub(crate) fn is_quiet(&self) -> bool {
        self.growing.is_free() && self.purging.is_free() && self.state.is_free()
    }
}

#[cfg(test)]
mod exact_tests;
#[cfg(test)]
mod kind_tests;
#[cfg(test)]
mod tests;
