//! Blocks on pages of their own, with a page after them that faults: an access beyond one, or after it was freed, stops the
//! program at that instruction.
//!
//! # Invariant
//!
//! A page that has an owner is part of its block, which is accessible while it is in use, or the guard page after
//! it. What was freed is quarantined, without memory, until its address space is needed.
#![forbid(unsafe_code)]

mod fault;

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::caller::{Caller, Given};
use super::record::{Record, State};
use super::records::{List, Records};
use super::sort::{RED_ZONE, Sort, USER};
use super::zone;
use super::{report, trace};
use crate::arena::{Arena, Span, Use};
use crate::report::{Context, Violation, report_violation, report_violation_with};
use crate::slab::{Object, Request};
use crate::sync::Lock;
use crate::sys::{self, Fence, Region, Table, page_size};
use crate::units::{BLOCK_SIZE, MIN_ALIGN, Order, PAGE_SIZE, PageIndex, align_up, pages_for};

/// Address space for guarded blocks: at most this, and this share of what there is of memory and of what limits on
/// it leave; halved while the kernel refuses.
const MOST_BYTES: usize = 16 << 30;
const SHARE: usize = 4;
const LEAST_BYTES: usize = 8 << 20;
/// Pages of freed blocks in quarantine at most.
const MOST_QUARANTINED: usize = 1 << 15;
/// Where each guard page is a mapping of its own, of which a process may have 65,530, this many blocks are guarded at
/// most, in use or quarantined.
const MOST_MAPPINGS: usize = 8 << 10;

/// The bytes around a guarded block that share its pages are a red zone, and its owners are remembered.
const FLAGS: u8 = RED_ZONE | USER;

/// All guarded blocks.
#[derive(Debug)]
pub(super) struct Guard {
    pages: Arena,
    fence: Fence,
    /// The record of each page's block.
    owners: Table<AtomicU32>,
    records: Records,
    blocks: Lock<Blocks>,
}

#[derive(Debug)]
struct Blocks {
    quarantined: List,
    quarantined_pages: usize,
    count: usize,
}

// ORDERING: relaxed; the lock orders all accesses but those of a report about a fault.

impl Guard {
    /// No blocks yet; `None` where there is no address space.
    pub(super) fn new() -> Option<Self> {
        let share = sys::memory_allowed() / SHARE / BLOCK_SIZE * BLOCK_SIZE;
        let mut bytes = share.min(MOST_BYTES);
        while bytes >= LEAST_BYTES {
            let map = Arena::map_bytes_for(bytes).next_multiple_of(BLOCK_SIZE);
            let owners = Table::<AtomicU32>::bytes_for(bytes / PAGE_SIZE);
            if let Some(region) = Region::reserve_fenced(map + bytes + owners, 0, BLOCK_SIZE)
                && let Some(records) = Records::new(bytes / PAGE_SIZE * size_of::<Record>())
            {
                let (map, rest) = region.split(map);
                let (data, owners) = rest.split(bytes);
                data.name(cstr::cstr!("slubmalloc guard"));
                return Some(Self {
                    fence: Fence::probe(),
                    pages: Arena::new(data, map, false),
                    owners: Table::new(owners),
                    records,
                    blocks: Lock::new(Blocks {
                        quarantined: List::EMPTY,
                        quarantined_pages: 0,
                        count: 0,
                    }),
                });
            }
            bytes = bytes / 2 / BLOCK_SIZE * BLOCK_SIZE;
        }
        report::cannot("guard");
        None
    }

    /// A block of zeroes that ends, but for its alignment, where a guard page begins; `None` where there is no room.
    pub(super) fn take(&self, request: &Request, caller: Caller) -> Option<Object> {
        let os_pages = pages_for(page_size());
        let data_bytes = align_up(request.bytes().max(1), page_size())?;
        let pages = pages_for(data_bytes) + os_pages;
        if pages * PAGE_SIZE > BLOCK_SIZE || request.align() > BLOCK_SIZE {
            return None;
        }
        let frames = trace::take();
        let order = Order::holding(pages_for(request.align().max(page_size())) as u32);
        let mut blocks = self.blocks.lock();
        if self.fence.is_costly() && blocks.count >= MOST_MAPPINGS && !self.release(&mut blocks) {
            return None;
        }
        let span = loop {
            match self.pages.take(pages as u32, order, Use::Large) {
                Some(span) => break span,
                None if self.release(&mut blocks) => {}
                None => return None,
            }
        };
        let Some(number) = self.fence_in(&mut blocks, &span, data_bytes) else {
            self.pages.give(span);
            return None;
        };
        let record = self.records.get(number);
        let size = align_up(request.bytes().max(1), request.align().max(MIN_ALIGN))?;
        let user = record.end().saturating_sub(size).max(record.base());
        record.begin(Sort::of_request(request), user, request.bytes(), caller);
        record.allocated.record(caller.thread, &frames);
        record.freed.forget();
        zone::activate(record, FLAGS, true);
        Object::new(core::ptr::with_exposed_provenance_mut(user))
    }

    /// Makes the data of a span accessible and the page after it not; the record for it.
    fn fence_in(&self, blocks: &mut Blocks, span: &Span, data_bytes: usize) -> Option<u32> {
        let end = span.first.plus(span.pages);
        if !self.owners.grow(end.0 as usize) {
            return None;
        }
        let number = self.records.take()?;
        let start = span.first.offset();
        let region = self.pages.region();
        let is_open = span.zero || self.fence.open(region, start, start + data_bytes);
        if !is_open || !self.fence.close(region, start + data_bytes, end.offset()) {
            self.records.give(number);
            return None;
        }
        blocks.count += 1;
        let base = region.at(start).as_ptr().expose_provenance();
        let record = self.records.get(number);
        record.place(record.sort(), base, data_bytes);
        self.own(span.first, span.pages, number);
        Some(number)
    }

    /// Takes a block back, if it is one of these.
    pub(super) fn give(&self, block: Object, caller: Caller) -> Given {
        let address = block.as_ptr() as usize;
        if !self.has(address) {
            return Given::Ordinary;
        }
        let frames = trace::take();
        let mut blocks = self.blocks.lock();
        let Some(number) = self.owner(address) else {
            report_violation(Violation::InvalidFree, address, Context::FreePages);
            return Given::Done;
        };
        let record = self.records.get(number);
        if record.user() != address || record.state() != State::InUse {
            let violation = match record.state() {
                _ if record.user() != address => Violation::InteriorPointer,
                _ => Violation::DoubleFree,
            };
            let bytes = record.bytes();
            let context = Context::Block { bytes };
            report_violation_with(violation, address, context, || report::owners(record));
            return Given::Done;
        }
        if let Some(what) = record.family().mismatch(caller.family) {
            let bytes = record.bytes();
            let context = Context::Block { bytes };
            report_violation_with(Violation::Mismatch(what), address, context, || {
                report::owners(record)
            });
        }
        if let Some(damage) = zone::check_active(record, FLAGS) {
            let event = report::Event::damage(damage);
            report::print(record, event, FLAGS, Some(&frames), "Ignoring");
        }
        record.freed.record(caller.thread, &frames);
        record.set_state(State::Quarantined);
        let start = record.base() - self.pages.base();
        let pages = pages_for(record.room());
        // What cannot be closed, as it is locked perhaps, must hold zeroes when it is used again.
        if !self
            .fence
            .close(self.pages.region(), start, start + record.room())
        {
            super::bytes::fill(record.base(), 0, record.room());
        }
        blocks.quarantined_pages += pages;
        blocks.quarantined.append(&self.records, number);
        while blocks.quarantined_pages > MOST_QUARANTINED && self.release(&mut blocks) {}
        Given::Done
    }

    /// The bytes that were asked for, of a block in use; `Err` for one that is not, and for the inside of one.
    pub(super) fn usable_size(&self, address: usize) -> Option<Result<usize, ()>> {
        if !self.has(address) {
            return None;
        }
        let _blocks = self.blocks.lock();
        let record = self.owner(address).map(|number| self.records.get(number));
        let is_block =
            |record: &&Record| record.user() == address && record.state() == State::InUse;
        Some(record.filter(is_block).map(Record::bytes).ok_or(()))
    }

    /// The owner of an object of a named cache and whether it is in use; `None` for any other block.
    pub(super) fn owner_of(&self, address: usize) -> Option<(u32, bool)> {
        if !self.has(address) {
            return None;
        }
        let _blocks = self.blocks.lock();
        let record = self.records.get(self.owner(address)?);
        let is_used = record.user() == address && record.state() == State::InUse;
        (record.owner() != 0).then_some((record.owner(), is_used))
    }

    /// The owner of a guarded object, for a report, which may be told with the lock held: 0 for any other block.
    pub(super) fn owner_in_report(&self, address: usize) -> u32 {
        let number = self.has(address).then(|| self.owner(address)).flatten();
        number.map_or(0, |number| self.records.get(number).owner())
    }

    /// Looks at what shares pages with blocks in use.
    pub(super) fn check_all(&self) {
        let _blocks = self.blocks.lock();
        for record in self.records.all() {
            if record.state() == State::InUse
                && let Some(damage) = zone::check_active(record, FLAGS)
            {
                let event = report::Event::damage(damage);
                report::print(record, event, FLAGS, None, "Ignoring");
            }
        }
    }

    /// Gives the address space that nothing was put into yet back.
    pub(super) fn shrink(&self) {
        let _blocks = self.blocks.lock();
        let _ = self.pages.shrink();
        self.owners.shrink(0);
        self.records.shrink();
    }

    /// Takes the locks, to hold them across a fork.
    pub(super) fn hold_for_fork(&self) {
        self.blocks.hold_for_fork();
        self.pages.hold_for_fork();
    }

    /// Whether nobody holds one of the locks at this moment.
    pub(super) fn is_quiet(&self) -> bool {
        self.blocks.is_free() && self.pages.is_quiet()
    }

    /// Gives back the address space of the block that was quarantined first; `false` if there is none.
    fn release(&self, blocks: &mut Blocks) -> bool {
        let Some(number) = blocks.quarantined.pop(&self.records) else {
            return false;
        };
        let record = self.records.get(number);
        let first = PageIndex::containing(record.base() - self.pages.base());
        let data = pages_for(record.room());
        let pages = (data + pages_for(page_size())) as u32;
        blocks.quarantined_pages -= data;
        blocks.count -= 1;
        self.records.give(number);
        self.own(first, pages, 0);
        // Its pages are closed; `take` opens them again.
        self.pages.give(Span {
            first,
            pages,
            zero: false,
        });
        true
    }

    fn has(&self, address: usize) -> bool {
        address.wrapping_sub(self.pages.base()) < self.pages.bytes()
    }

    fn owner(&self, address: usize) -> Option<u32> {
        let page = PageIndex::containing(address - self.pages.base()).0 as usize;
        let is_known = page < self.owners.ready();
        let number = is_known.then(|| self.owners.get(page).load(Relaxed));
        number.filter(|number| *number != 0)
    }

    fn own(&self, first: PageIndex, pages: u32, number: u32) {
        for page in first.0..first.0 + pages {
            self.owners.get(page as usize).store(number, Relaxed);
        }
    }
}
