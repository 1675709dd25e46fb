//! `slab_debug`: blocks in memory of their own, with red zones, poison, and a record of who had them.
//!
//! # Invariant
//!
//! Small blocks are cut from chunks, large spans that are never given back, a record for each; others have a span or a
//! mapping of their own. The memory of a free block is not touched but by whoever should not.
#![forbid(unsafe_code)]

use super::choice::{Options, POISON, SANITY, Sort, TRACE, USER};
use super::record::{Record, Records, State};
use super::report::{self, Event};
use super::store::{Blocks, CHUNK};
use super::zone::{self, Damage, LEAST};
use super::{Caller, Given, trace};
use crate::heap::{Heap, Node};
use crate::report::Line;
use crate::slab::{Object, Request, class};
use crate::sync::Lock;
use crate::sys;
use crate::units::{ClassId, MIN_ALIGN, PAGE_SIZE, Zeroed, align_up};

/// Bytes of freed blocks that rest at least before their memory is used again.
pub(super) const LEAST_RESTING: usize = 64 << 20;

/// Records have this share of the memory that there may be.
const RECORDS_SHARE: usize = 4;

/// The blocks of all sorts that are debugged.
#[derive(Debug)]
pub(super) struct Debug {
    options: Options,
    most_resting: usize,
    /// Whether what is freed and not poisoned is cleared.
    clears: bool,
    records: Records,
    blocks: Lock<Blocks>,
}

impl Debug {
    /// No blocks yet; `None` where there is no address space for records.
    pub(super) fn new(options: Options, most_resting: usize, clears: bool) -> Option<Self> {
        let Some(records) = Records::new(sys::memory_allowed() / RECORDS_SHARE) else {
            report::cannot("slab_debug");
            return None;
        };
        Some(Self {
            options,
            most_resting,
            clears,
            records,
            blocks: Lock::new(Blocks::new()),
        })
    }

    /// Whether blocks of this sort are debugged.
    pub(super) fn watches(&self, sort: Sort) -> bool {
        self.options.of(sort) != 0
    }

    /// A block; `None` where there is no memory.
    pub(super) fn take(
        &self,
        heap: &Heap,
        home: &'static Node,
        request: &Request,
        caller: Caller,
    ) -> Option<Object> {
        let sort = Sort::of_request(request);
        let flags = self.options.of(sort);
        // Taken before any lock: where glibc is older than 2.35, the loader's is waited for.
        let frames = self.frames(flags);
        let small = sort.class().filter(|_| request.align() <= MIN_ALIGN);
        let number = match small {
            Some(id) => self.take_small(heap, home, id)?,
            None => self.take_single(heap, home, request)?,
        };
        let blocks = self.blocks.lock();
        let record = self.records.get(number);
        let align = request.align().max(LEAST);
        // What is one of a kind is aligned by its memory.
        let user = align_up(record.base() + LEAST, align)?;
        record.begin(sort, user, request.bytes(), caller);
        zone::activate(record, flags, request.is_zeroed());
        // Memory of its own came from the heap as it was asked for.
        if request.is_zeroed() && small.is_some() {
            super::bytes::fill(user, 0, request.bytes());
        }
        if flags & USER != 0 {
            record.allocated.note(caller.thread, &frames);
            record.freed.forget();
        }
        drop(blocks);
        self.trace(flags, "alloc", sort, user, &frames);
        Object::new(core::ptr::with_exposed_provenance_mut(user))
    }

    /// Takes a block back, if it is one of these.
    pub(super) fn give(&self, heap: &Heap, block: Object, caller: Caller) -> Given {
        let address = block.as_ptr() as usize;
        let frames = self.frames(if self.options.have(USER) { USER } else { 0 });
        let mut blocks = self.blocks.lock();
        let Some(number) = blocks.find(address) else {
            return Given::Ordinary;
        };
        let record = self.records.get(number);
        let flags = self.options.of(record.sort());
        if record.user() != address || record.state() == State::Vacant {
            self.invalid(record, flags, address);
            return Given::Done;
        }
        if record.state() != State::InUse {
            let event = Event::new("Object already free", address);
            report::print(
                record,
                event,
                flags,
                Some(&frames),
                "Object not freed again",
            );
            return Given::Done;
        }
        if let Some(what) = record.family().mismatch(caller.family)
            && flags & SANITY != 0
        {
            let event = Event::new(what, address);
            report::print(
                record,
                event,
                flags,
                Some(&frames),
                "Object freed all the same",
            );
        }
        if let Some(damage) = zone::check_active(record, flags) {
            complain(record, flags, damage, Some(&frames));
        }
        let sort = record.sort();
        zone::deactivate(record, flags);
        if self.clears && flags & POISON == 0 {
            super::bytes::erase(address, record.user_end());
        }
        if flags & USER != 0 {
            record.freed.note(caller.thread, &frames);
        }
        record.set_state(State::Resting);
        let room = record.room();
        blocks.rest(&self.records, number, room);
        drop(blocks);
        self.trace(flags, "free", sort, address, &frames);
        self.wake(heap, self.most_resting);
        Given::Done
    }

    /// The bytes that were asked for, of a block in use; `Err` for one that is not, and for the inside of one.
    pub(super) fn usable_size(&self, address: usize) -> Option<Result<usize, ()>> {
        let blocks = self.blocks.lock();
        let record = self.records.get(blocks.find(address)?);
        let is_block = record.user() == address && record.state() == State::InUse;
        Some(if is_block {
            Ok(record.bytes())
        } else {
            Err(())
        })
    }

    /// Looks at all blocks.
    pub(super) fn check_all(&self) {
        let _blocks = self.blocks.lock();
        for record in self.records.all() {
            let flags = self.options.of(record.sort());
            let damage = match record.state() {
                State::Vacant => None,
                State::InUse => zone::check_active(record, flags),
                State::Resting | State::Free => zone::check_inactive(record, flags),
            };
            if let Some(damage) = damage {
                complain(record, flags, damage, None);
            }
        }
    }

    /// Gives the address space that nothing was put into yet back.
    pub(super) fn cut(&self) {
        let _blocks = self.blocks.lock();
        self.records.cut();
    }

    /// Takes the lock, to hold it across a fork.
    pub(super) fn hold_for_fork(&self) {
        self.blocks.hold_for_fork();
    }

    /// Whether nobody holds the lock at this moment.
    pub(super) fn is_quiet(&self) -> bool {
        self.blocks.is_free()
    }

    fn frames(&self, flags: u8) -> trace::Frames {
        if flags & (USER | TRACE) == 0 {
            return Default::default();
        }
        trace::take()
    }

    fn take_small(&self, heap: &Heap, home: &'static Node, id: ClassId) -> Option<u32> {
        loop {
            let mut blocks = self.blocks.lock();
            if let Some(number) = blocks.take_free(&self.records, id) {
                let record = self.records.get(number);
                self.check_free(record);
                return Some(number);
            }
            if let Some(number) = blocks.take_fresh(id) {
                return Some(number);
            }
            drop(blocks);
            let chunk = heap.take_large(home, &Request::pages(CHUNK, CHUNK, Zeroed::No)?)?;
            let start = chunk.as_ptr().expose_provenance();
            let mut blocks = self.blocks.lock();
            // Another thread may have brought one meanwhile.
            let is_needed = !blocks.has_fresh(id);
            let is_added = is_needed && blocks.add_chunk(&self.records, start, id);
            drop(blocks);
            if !is_added {
                heap.give(chunk);
                if is_needed {
                    return None;
                }
            }
        }
    }

    fn take_single(&self, heap: &Heap, home: &'static Node, request: &Request) -> Option<u32> {
        let align = request.align().max(LEAST);
        let room = request.bytes().checked_add(align)?.checked_add(LEAST)?;
        // A class would serve what is small; a span of its own keeps it away from other blocks.
        let room = room.max(class::MAX_SMALL + 1);
        let pages = Request::pages(room, align.max(PAGE_SIZE), request.zeroed())?;
        let memory = heap.take_large(home, &pages)?;
        let base = memory.as_ptr().expose_provenance();
        let room = heap.usable_size(base).unwrap_or(room);
        let user = align_up(base + LEAST, align)?;
        let mut blocks = self.blocks.lock();
        let number = self.records.take();
        if let Some(number) = number
            && blocks.add_single(base, user, number)
        {
            let sort = Sort::of_request(request);
            self.records.get(number).place(sort, base, room);
            return Some(number);
        }
        if let Some(number) = number {
            self.records.give(number);
        }
        drop(blocks);
        heap.give(memory);
        None
    }

    /// Lets the oldest blocks be used again until no more than `most` bytes rest.
    pub(super) fn wake(&self, heap: &Heap, most: usize) {
        loop {
            let mut blocks = self.blocks.lock();
            if blocks.resting_bytes() <= most {
                return;
            }
            let Some(memory) = blocks.wake_oldest(&self.records, |record| self.check_free(record))
            else {
                continue;
            };
            drop(blocks);
            heap.give(memory);
        }
    }

    fn check_free(&self, record: &Record) {
        let flags = self.options.of(record.sort());
        if let Some(damage) = zone::check_inactive(record, flags) {
            complain(record, flags, damage, None);
        }
    }

    fn invalid(&self, record: &Record, flags: u8, address: usize) {
        let event = Event::new("Invalid object pointer", address);
        report::print(record, event, flags, None, "Object not freed");
    }

    fn trace(&self, flags: u8, what: &str, sort: Sort, address: usize, frames: &trace::Frames) {
        if flags & TRACE != 0 {
            let mut line = Line::<128>::new();
            line.text("TRACE ");
            sort.name(&mut line);
            line.text(" ").text(what).text(" ").hex(address);
            line.text("\n").print();
            trace::print_addresses(frames);
        }
    }
}

/// Reports damage, and repairs it if the process goes on.
fn complain(record: &Record, flags: u8, damage: Damage, frames: Option<&trace::Frames>) {
    report::print(record, Event::damage(damage), flags, frames, "Restoring");
    damage.repair();
}
