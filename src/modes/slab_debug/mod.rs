//! `slab_debug`: blocks in memory of their own, with red zones, poison, and a record of their owners.
//!
//! # Invariant
//!
//! Small blocks are cut from chunks, large spans that are never given back, a record for each; others have a span or a
//! mapping of their own. The memory of a free block is not touched but by mistake.
#![forbid(unsafe_code)]

mod memory;
mod options;
mod store;

use super::caller::{Caller, Given};
use super::clearing::Clearing;
use super::record::{Record, State};
use super::records::Records;
use super::report::{self, Event};
use super::sort::{POISON, SANITY, Sort, TRACE, USER};
use super::trace;
use super::zone::{self, Damage, LEAST};
use crate::heap::{Heap, Node};
use crate::report::Line;
use crate::slab::{Object, Request};
use crate::sync::Lock;
use crate::sys;
use crate::units::{MIN_ALIGN, align_up};
pub(crate) use options::{CacheFlags, Options};
use store::Blocks;

/// Bytes of freed blocks that are quarantined at least.
pub(super) const LEAST_QUARANTINE: usize = 64 << 20;

/// Records have this share of the memory that there may be.
const RECORDS_SHARE: usize = 4;

/// The blocks of all sorts that are debugged.
#[derive(Debug)]
pub(super) struct Debug {
    options: Options,
    quarantine_bytes: usize,
    clearing: Clearing,
    records: Records,
    blocks: Lock<Blocks>,
}

impl Debug {
    /// No blocks yet; `None` where there is no address space for records.
    pub(super) fn new(
        options: Options,
        quarantine_bytes: usize,
        clearing: Clearing,
    ) -> Option<Self> {
        let Some(records) = Records::new(sys::memory_allowed() / RECORDS_SHARE) else {
            report::cannot("slab_debug");
            return None;
        };
        Some(Self {
            options,
            quarantine_bytes,
            clearing,
            records,
            blocks: Lock::new(Blocks::new()),
        })
    }

    /// Whether blocks of this sort are debugged.
    pub(super) fn debugs(&self, sort: Sort) -> bool {
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
            record.allocated.record(caller.thread, &frames);
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
        if flags & POISON == 0 {
            self.clearing.give_up(address, record.user_end());
        }
        if flags & USER != 0 {
            record.freed.record(caller.thread, &frames);
        }
        record.set_state(State::Quarantined);
        let room = record.room();
        blocks.quarantine(&self.records, number, room);
        drop(blocks);
        self.trace(flags, "free", sort, address, &frames);
        self.release(heap, self.quarantine_bytes);
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
                State::Quarantined | State::Free => zone::check_inactive(record, flags),
            };
            if let Some(damage) = damage {
                complain(record, flags, damage, None);
            }
        }
    }

    /// Gives the address space that nothing was put into yet back.
    pub(super) fn shrink(&self) {
        let _blocks = self.blocks.lock();
        self.records.shrink();
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

    /// Lets the oldest blocks be used again until no more than `most` bytes are quarantined.
    pub(super) fn release(&self, heap: &Heap, most: usize) {
        loop {
            let mut blocks = self.blocks.lock();
            if blocks.quarantined_bytes() <= most {
                return;
            }
            let Some(memory) =
                blocks.release_oldest(&self.records, |record| self.check_free(record))
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
