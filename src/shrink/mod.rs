//! Shrinkers: functions of the program's that give up what it can do without, as in Linux' mm/shrinker.c.
//!
//! # Invariant
//!
//! A shrinker runs with no lock held, and is forgotten only when no thread runs it. A thread that runs one begins no other.
#![forbid(unsafe_code)]

use core::ffi::c_void;
use core::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::sync::Lock;
use crate::sys;

/// How many objects could be given up.
pub type CountObjects = extern "C" fn(context: *mut c_void) -> usize;
/// Gives at most `objects` up; returns the number of those that went.
pub type ScanObjects = extern "C" fn(context: *mut c_void, objects: usize) -> usize;

/// Runs also on a thread whose allocation would fail.
pub(crate) const SHRINK_DIRECT: u32 = 1;
/// The answer of a scan that can do nothing at this moment.
const STOP: usize = usize::MAX;
/// The answer of a count for no objects; 0 is one as well.
const EMPTY: usize = usize::MAX - 1;
/// Objects of one scan, `SHRINK_BATCH`.
const BATCH: usize = 128;
/// The most shrinkers, and the most threads that run some at the same time.
const MOST: usize = 256;
const MOST_RUNNERS: usize = 64;

/// Bytes of a name; a longer one is cut.
pub const MOST_NAME: usize = 32;

/// What runs.
#[derive(Clone, Copy, Debug)]
pub struct Shrinker {
    /// How much there is.
    pub count: CountObjects,
    /// Gives some of it up.
    pub scan: ScanObjects,
    /// What both are called with.
    pub context: usize,
    /// `SHRINK_DIRECT` or nothing.
    pub flags: u32,
    /// What statistics call it, with zeroes after it.
    pub name: [u8; MOST_NAME],
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    shrinker: Option<Shrinker>,
    /// Nobody begins it any more.
    is_ending: bool,
    /// How many had this slot before.
    generation: usize,
    /// How often it ran, and how many objects went.
    runs: usize,
    gone: usize,
}

impl Slot {
    const fn free(generation: usize) -> Self {
        Self {
            shrinker: None,
            is_ending: false,
            generation,
            runs: 0,
            gone: 0,
        }
    }
}

/// A thread, and the index of what it runs.
type Runner = (usize, usize);

#[derive(Debug)]
struct Table {
    slots: [Slot; MOST],
    runners: [Option<Runner>; MOST_RUNNERS],
}

/// All shrinkers of the process.
#[derive(Debug)]
pub(crate) struct Shrinkers {
    table: Lock<Table>,
    /// How many there are.
    count: AtomicUsize,
    /// Changes when one was run to its end.
    turn: AtomicU32,
}

/// Why a shrinker stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    /// There is none with this handle.
    Unknown,
    /// The calling thread runs it.
    Runs,
}

// ORDERING: relaxed where nothing else is said: the count is a hint, and all else is under the lock.

impl Shrinkers {
    pub(crate) const fn new() -> Self {
        Self {
            table: Lock::new(Table {
                slots: [Slot::free(0); MOST],
                runners: [None; MOST_RUNNERS],
            }),
            count: AtomicUsize::new(0),
            turn: AtomicU32::new(0),
        }
    }

    /// Whether there is any.
    pub(crate) fn has_some(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// Adds a shrinker and returns its handle, which is not 0; `None` where there is no room for one more.
    pub(crate) fn add(&self, shrinker: Shrinker) -> Option<usize> {
        let mut table = self.table.lock();
        let mut slots = table.slots.iter_mut().enumerate();
        let (index, slot) = slots.find(|(_, slot)| slot.shrinker.is_none())?;
        slot.shrinker = Some(shrinker);
        self.count.fetch_add(1, Relaxed);
        Some(slot.generation * MOST + index + 1)
    }

    /// Has nobody begin a shrinker any more; its index. The caller waits for those that run it, and forgets it.
    pub(crate) fn retire(&self, handle: usize) -> Result<usize, Stays> {
        let (index, generation) = place(handle).ok_or(Stays::Unknown)?;
        let mut table = self.table.lock();
        let runs = table.runners.contains(&Some((sys::thread_id(), index)));
        let slot = table.slots.get_mut(index).ok_or(Stays::Unknown)?;
        let is_there = slot.shrinker.is_some() && !slot.is_ending;
        if !is_there || slot.generation != generation {
            return Err(Stays::Unknown);
        }
        if runs {
            return Err(Stays::Runs);
        }
        slot.is_ending = true;
        Ok(index)
    }

    /// What to wait for with [`Self::wait`], while a thread runs a shrinker.
    pub(crate) fn turn_of(&self, index: usize) -> Option<u32> {
        // ORDERING: acquire, pairs with the release in `end`.
        let seen = self.turn.load(Acquire);
        let table = self.table.lock();
        let mut runners = table.runners.iter().flatten();
        runners.any(|(_, it)| *it == index).then_some(seen)
    }

    /// Waits until a thread has run one to its end since then.
    pub(crate) fn wait(&self, seen: u32) {
        sys::futex_wait(&self.turn, seen);
    }

    /// Forgets a retired shrinker, which no thread runs.
    pub(crate) fn forget(&self, index: usize) {
        let mut table = self.table.lock();
        if let Some(slot) = table.slots.get_mut(index) {
            *slot = Slot::free(slot.generation + 1);
            self.count.fetch_sub(1, Relaxed);
        }
    }

    /// The next shrinker from an index on, which the calling thread runs until it says [`Self::end`]. None for a thread that
    /// runs one.
    pub(crate) fn begin(&self, from: usize, only_direct: bool) -> Option<(usize, Shrinker)> {
        let own = sys::thread_id();
        let mut table = self.table.lock();
        let is_own = |runner: &&Runner| runner.0 == own;
        if table.runners.iter().flatten().any(|it| is_own(&it)) {
            return None;
        }
        let mut slots = table.slots.iter().enumerate().skip(from);
        let (index, shrinker) = slots.find_map(|(index, slot)| {
            let shrinker = slot.shrinker.filter(|_| !slot.is_ending)?;
            (!only_direct || shrinker.flags & SHRINK_DIRECT != 0).then_some((index, shrinker))
        })?;
        let free = table.runners.iter_mut().find(|it| it.is_none())?;
        *free = Some((own, index));
        Some((index, shrinker))
    }

    /// The calling thread has run a shrinker to its end, and `gone` objects went.
    pub(crate) fn end(&self, index: usize, gone: usize) {
        let own = Some((sys::thread_id(), index));
        {
            let mut table = self.table.lock();
            if let Some(runner) = table.runners.iter_mut().find(|it| **it == own) {
                *runner = None;
            }
            if let Some(slot) = table.slots.get_mut(index) {
                slot.runs = slot.runs.wrapping_add(1);
                slot.gone = slot.gone.wrapping_add(gone);
            }
        }
        // ORDERING: release, see `remove`.
        self.turn.fetch_add(1, Release);
        sys::futex_wake(&self.turn, MOST_RUNNERS);
    }

    /// The name of the shrinker at an index or the first one after it, how often it ran and how many objects went; and the next index.
    pub(crate) fn numbers(&self, from: usize) -> Option<([u8; MOST_NAME], usize, usize, usize)> {
        let table = self.table.lock();
        let mut slots = table.slots.iter().enumerate().skip(from);
        slots.find_map(|(index, slot)| Some((slot.shrinker?.name, slot.runs, slot.gone, index + 1)))
    }

    pub(crate) fn hold_for_fork(&self) {
        self.table.hold_for_fork();
    }

    /// In a forked child: of all threads that ran something there is only the calling one.
    pub(crate) fn begin_child(&self) {
        let own = sys::thread_id();
        let mut table = self.table.lock();
        for runner in &mut table.runners {
            *runner = runner.filter(|it| it.0 == own);
        }
    }
}

impl Shrinker {
    /// Has a part of what can be given up given up, of which each step of `shift` is a half; how many objects went.
    pub(crate) fn run(&self, shift: u32) -> usize {
        let context = core::ptr::with_exposed_provenance_mut(self.context);
        let count = (self.count)(context);
        if count == 0 || count >= EMPTY {
            return 0;
        }
        let (mut left, mut gone) = ((count >> shift).max(1), 0_usize);
        while left > 0 {
            let some = left.min(BATCH);
            let now = (self.scan)(context, some);
            if now == STOP {
                break;
            }
            gone = gone.saturating_add(now);
            left -= some;
        }
        gone
    }
}

/// The index and the generation that a handle says.
fn place(handle: usize) -> Option<(usize, usize)> {
    let number = handle.checked_sub(1)?;
    Some((number % MOST, number / MOST))
}
