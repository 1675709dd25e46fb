//! The record of a debugged or guarded block, out of line: what was asked for, by whom, and what state the block is in.

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::caller::{Caller, Family};
use super::sort::Sort;
use super::trace::{Frames, Stack};
use crate::report::Line;
use crate::sys::{self, ZeroInit};

/// The most of a cache's name that is stored.
const TITLE: usize = 32;

/// The state of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No block uses the record.
    Vacant,
    /// The program has the block.
    InUse,
    /// The block was freed and is quarantined.
    Quarantined,
    /// The block left the quarantine and may be used again.
    Free,
}

/// What is known of a block.
#[derive(Debug)]
pub(super) struct Record {
    /// Where its memory begins, red zones and all.
    pub(super) base: AtomicUsize,
    /// Length of that.
    pub(super) room: AtomicUsize,
    /// The address that was handed out.
    pub(super) user: AtomicUsize,
    /// The bytes that were asked for.
    pub(super) bytes: AtomicUsize,
    /// The next in a queue or a list.
    pub(super) next: AtomicU32,
    state: AtomicU8,
    sort: AtomicU8,
    /// Whose function allocated it.
    family: AtomicU8,
    /// The slabs' owner, of an object of a named cache, and the beginning of that cache's name.
    owner: AtomicU32,
    title: [AtomicU8; TITLE],
    /// Who allocated it.
    pub(super) allocated: Track,
    /// Who freed it.
    pub(super) freed: Track,
}

/// Who did something to a block, and when.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) stack: Stack,
    pub(super) thread: AtomicU32,
    pub(super) at: AtomicU64,
}

// SAFETY: made of atomics; zero is a vacant record.
unsafe impl ZeroInit for Record {}

// ORDERING: relaxed throughout this file. The owner's lock orders all accesses but those of a report about a fault,
// which takes what it finds.

impl Record {
    /// Records a block that is in use from now on.
    pub(super) fn begin(&self, sort: Sort, user: usize, bytes: usize, caller: Caller) {
        self.sort.store(sort.number(), Relaxed);
        self.user.store(user, Relaxed);
        self.bytes.store(bytes, Relaxed);
        self.family.store(caller.family as u8, Relaxed);
        let named = caller.named;
        let (owner, title) = named.map_or((0, &[][..]), |it| (it.owner, it.title));
        self.owner.store(owner, Relaxed);
        let letters = title.iter().copied().chain(core::iter::repeat(0));
        for (place, letter) in self.title.iter().zip(letters) {
            place.store(letter, Relaxed);
        }
        self.set_state(State::InUse);
    }

    /// Tells where the block's memory is, which is of that sort.
    pub(super) fn place(&self, sort: Sort, base: usize, room: usize) {
        self.sort.store(sort.number(), Relaxed);
        self.base.store(base, Relaxed);
        self.room.store(room, Relaxed);
    }

    /// The address that was handed out.
    pub(super) fn user(&self) -> usize {
        self.user.load(Relaxed)
    }

    /// The bytes that were asked for.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Where what was asked for ends.
    pub(super) fn user_end(&self) -> usize {
        self.user() + self.bytes()
    }

    /// Where the memory begins.
    pub(super) fn base(&self) -> usize {
        self.base.load(Relaxed)
    }

    /// Length of the memory.
    pub(super) fn room(&self) -> usize {
        self.room.load(Relaxed)
    }

    /// Where the memory ends.
    pub(super) fn end(&self) -> usize {
        self.base() + self.room()
    }

    /// What the block is called by.
    pub(super) fn sort(&self) -> Sort {
        Sort::from_number(self.sort.load(Relaxed))
    }

    /// The owner of an object of a named cache, 0 of any other block.
    pub(super) fn owner(&self) -> u32 {
        self.owner.load(Relaxed)
    }

    /// Appends the name of the block's cache.
    pub(super) fn name<const N: usize>(&self, line: &mut Line<N>) {
        if self.owner() == 0 {
            return self.sort().name(line);
        }
        for byte in self.title.iter().map(|it| it.load(Relaxed)) {
            match byte {
                0 => break,
                b' '..=b'~' => line.raw(&[byte]),
                _ => line.text("?"),
            };
        }
    }

    /// Whose function allocated it.
    pub(super) fn family(&self) -> Family {
        Family::from_number(self.family.load(Relaxed))
    }

    /// The block's state.
    pub(super) fn state(&self) -> State {
        match self.state.load(Relaxed) {
            1 => State::InUse,
            2 => State::Quarantined,
            3 => State::Free,
            _ => State::Vacant,
        }
    }

    /// Changes the state.
    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u8, Relaxed);
    }
}

impl Track {
    /// Records the caller, whose stack is that.
    pub(super) fn record(&self, thread: u32, frames: &Frames) {
        self.stack.store(frames);
        self.thread.store(thread, Relaxed);
        self.at.store(sys::milliseconds(), Relaxed);
    }

    /// Forgets who it was.
    pub(super) fn forget(&self) {
        self.at.store(0, Relaxed);
    }
}
