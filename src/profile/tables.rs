//! What the profile has: sampled blocks, their stacks, and the sums over all.
//!
//! # Invariant
//!
//! All changes are under the lock. `change` is odd meanwhile, so that a reader outside of the process knows whether what it
//! read belongs together.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::Release, fence};

use super::sample::{Sample, Samples};
use super::stack::{Stack, Stacks};
use super::sums::{Sums, add};
use crate::sync::{Guard, Lock};
use crate::sys::{self, Region, ZeroInit};

/// Ages that are told apart: up to 1 ms, 2 ms, 4 ms and so on.
pub(super) const AGES: usize = 32;

// SAFETY: numbers, of which zero is one.
unsafe impl ZeroInit for Sample {}
// SAFETY: as above.
unsafe impl ZeroInit for Stack {}

/// All of it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Tables {
    lock: Lock<()>,
    pub(super) change: AtomicU32,
    /// The number of the highest peak of what is in use: see [`Stack`].
    pub(super) peak_epoch: AtomicU32,
    /// When the profile was switched on first, in milliseconds.
    pub(super) origin: u64,
    pub(super) samples: Samples,
    pub(super) stacks: Stacks,
    /// Over all stacks.
    pub(super) sums: Sums,
    pub(super) peak_bytes: AtomicU64,
    /// Samples that no table had room for, and those whose stack had none.
    pub(super) dropped_samples: AtomicU64,
    pub(super) dropped_stacks: AtomicU64,
    /// What was freed, by its age.
    pub(super) lifetimes: [AtomicU64; AGES],
}

// ORDERING: relaxed where nothing else is said; the lock orders all changes.

impl Tables {
    /// Empty ones; `None` where there is no memory or no address space for them.
    pub(super) fn new() -> Option<Self> {
        let [lists, samples] = Samples::BYTES;
        let [stack_lists, stacks, frames] = Stacks::BYTES;
        let bytes = lists + samples + stack_lists + stacks + frames;
        let region = Region::reserve_fenced(bytes, 0, 1 << 16)?;
        region.name(cstr::cstr!("slubmalloc profile"));
        let (lists, rest) = region.split(lists);
        let (samples, rest) = rest.split(samples);
        let (stack_lists, rest) = rest.split(stack_lists);
        let (stacks, frames) = rest.split(stacks);
        Some(Self {
            lock: Lock::new(()),
            change: AtomicU32::new(0),
            peak_epoch: AtomicU32::new(1),
            origin: sys::milliseconds(),
            samples: Samples::new(lists, samples)?,
            stacks: Stacks::new(stack_lists, stacks, frames)?,
            sums: Sums::default(),
            peak_bytes: AtomicU64::new(0),
            dropped_samples: AtomicU64::new(0),
            dropped_stacks: AtomicU64::new(0),
            lifetimes: [const { AtomicU64::new(0) }; AGES],
        })
    }

    /// Enters a block that was sampled and stands for `count`; it is the caller's, who hands it out afterwards.
    pub(super) fn begin(
        &self,
        address: usize,
        bytes: usize,
        count: u64,
        label: u32,
        frames: &[usize],
    ) {
        let Some(_changing) = self.change() else {
            return add(&self.dropped_samples, 1);
        };
        // One whose end nobody saw: its address could not be handed out again else.
        self.forget(address);
        let Some(sample) = self.samples.enter(address) else {
            return add(&self.dropped_samples, 1);
        };
        let number = self.stacks.number_of(label, frames);
        if number == 0 {
            add(&self.dropped_stacks, 1);
        }
        sample.bytes.store(bytes, Relaxed);
        sample.count.store(count, Relaxed);
        sample.at.store(self.now(), Relaxed);
        sample.stack.store(number, Relaxed);
        let stack = self.stacks.get(number);
        self.keep_peak(stack);
        stack.sums.begin(bytes, count);
        self.sums.begin(bytes, count);
        self.note_peak();
    }

    /// Takes a block out that is freed, if it is one of them; returns whether it was.
    pub(super) fn end(&self, address: usize) -> bool {
        if !self.samples.may_have(address) {
            return false;
        }
        let Some(_changing) = self.change() else {
            return false;
        };
        self.forget(address)
    }

    /// Takes the entry of a block out that is about to change its length, and perhaps its place; what it stands for stays counted.
    pub(super) fn lift(&self, address: usize) -> Option<Lifted> {
        if !self.samples.may_have(address) {
            return None;
        }
        let _changing = self.change()?;
        let sample = self.samples.leave(address)?;
        Some(Lifted {
            bytes: sample.bytes.load(Relaxed),
            count: sample.count.load(Relaxed),
            at: sample.at.load(Relaxed),
            stack: sample.stack.load(Relaxed),
        })
    }

    /// Enters such a block again, which has `bytes` now; `None` for as many as before.
    pub(super) fn put_back(&self, lifted: Lifted, address: usize, bytes: Option<usize>) {
        let Some(_changing) = self.change() else {
            return;
        };
        let (stack, bytes) = (self.stacks.get(lifted.stack), bytes.unwrap_or(lifted.bytes));
        self.keep_peak(stack);
        stack.sums.resize(lifted.bytes, bytes, lifted.count);
        self.sums.resize(lifted.bytes, bytes, lifted.count);
        // There is an entry that became free when this one was lifted, unless another thread was faster and took the last.
        match self.samples.enter(address) {
            Some(sample) => {
                sample.bytes.store(bytes, Relaxed);
                sample.count.store(lifted.count, Relaxed);
                sample.at.store(lifted.at, Relaxed);
                sample.stack.store(lifted.stack, Relaxed);
            }
            None => {
                stack.sums.end(bytes, lifted.count);
                self.sums.end(bytes, lifted.count);
                add(&self.dropped_samples, 1);
            }
        }
        self.note_peak();
    }

    /// Takes a block out; returns whether it was there.
    fn forget(&self, address: usize) -> bool {
        let Some(sample) = self.samples.leave(address) else {
            return false;
        };
        let (bytes, count) = (sample.bytes.load(Relaxed), sample.count.load(Relaxed));
        let stack = self.stacks.get(sample.stack.load(Relaxed));
        self.keep_peak(stack);
        stack.sums.end(bytes, count);
        self.sums.end(bytes, count);
        let age = self.now().saturating_sub(sample.at.load(Relaxed));
        let place = (u32::BITS - age.leading_zeros()) as usize;
        if let Some(lifetimes) = self.lifetimes.get(place.min(AGES - 1)) {
            add(lifetimes, count);
        }
        true
    }

    /// Before a stack's numbers change: what it had at the peak is what it has now, unless it is known already.
    fn keep_peak(&self, stack: &Stack) {
        let epoch = self.peak_epoch.load(Relaxed);
        if stack.epoch.load(Relaxed) != epoch {
            stack.epoch.store(epoch, Relaxed);
            let (count, bytes) = (&stack.sums.live_count, &stack.sums.live_bytes);
            stack.peak_count.store(count.load(Relaxed), Relaxed);
            stack.peak_bytes.store(bytes.load(Relaxed), Relaxed);
        }
    }

    /// After a stack's numbers have changed: if more is in use than ever, what all stacks have now is what they have at the
    /// peak.
    fn note_peak(&self) {
        let live = self.sums.live_bytes.load(Relaxed);
        if live > self.peak_bytes.load(Relaxed) {
            self.peak_bytes.store(live, Relaxed);
            let epoch = self.peak_epoch.load(Relaxed);
            self.peak_epoch.store(epoch.wrapping_add(1), Relaxed);
        }
    }

    /// Lets `see` look at a stack, which does not change meanwhile; `None` if there is none with that number.
    pub(super) fn look<T>(&self, number: u32, see: impl FnOnce(&Stack) -> T) -> Option<T> {
        if self.lock.is_own() {
            return None;
        }
        let _lock = self.lock.lock();
        let is_there = number < self.stacks.end.load(Relaxed);
        is_there.then(|| see(self.stacks.get(number)))
    }

    fn now(&self) -> u32 {
        sys::milliseconds().saturating_sub(self.origin) as u32
    }

    /// Begins a change; `None` on a thread that was interrupted in one.
    fn change(&self) -> Option<Changing<'_>> {
        if self.lock.is_own() {
            return None;
        }
        let lock = self.lock.lock();
        let number = self.change.load(Relaxed);
        self.change.store(number.wrapping_add(1), Relaxed);
        // ORDERING: what follows is written after the odd number.
        fence(Release);
        Some(Changing {
            change: &self.change,
            _lock: lock,
        })
    }

    /// Takes the lock, to hold it across a fork.
    pub(super) fn hold_for_fork(&self) {
        self.lock.hold_for_fork();
    }

    /// Whether nobody holds the lock at this moment.
    pub(super) fn is_quiet(&self) -> bool {
        self.lock.is_free()
    }
}

/// A sampled block that is about to change its length.
#[derive(Debug)]
#[must_use = "a dropped one is counted for ever"]
pub(crate) struct Lifted {
    bytes: usize,
    count: u64,
    at: u32,
    stack: u32,
}

/// A change in progress.
struct Changing<'tables> {
    change: &'tables AtomicU32,
    _lock: Guard<'tables, ()>,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let number = self.change.load(Relaxed);
        // ORDERING: release: who sees the even number sees what was written before.
        self.change.store(number.wrapping_add(1), Release);
    }
}
