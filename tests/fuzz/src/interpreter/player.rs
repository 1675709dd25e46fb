//! Runs operations one by one, and knows what must come out.
//!
//! # Invariant
//!
//! A slot holds a block exactly while the program does. At the end of an episode no slot holds any.
#![forbid(unsafe_code)]

use super::block::{Block, Origin, Slot};
use super::exchange::Exchange;
use super::given_up::{GivenUp, Part};
use super::kernel::{CACHES, Kernel, Source};
use super::operation::{Habits, MOST_AT_ONCE, Operation, Record, Release, Resize, Take};
use super::owners::Owners;
use super::pages::Pages;
use super::target::{Fault, Target};

/// Slots of one player, as many as habits can name.
const SLOTS: usize = 1 << 12;

/// No block at a larger alignment is guarded.
const MOST_GUARDED: usize = 4 << 20;

/// What `malloc` aligns to.
const LEAST_ALIGN: usize = 16;

/// What is asked of the allocator beyond the C standard, and how much is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Write and read all bytes of blocks up to this size.
    pub(crate) all_up_to: usize,
    /// What all bytes of fresh memory are, and of what a block gets when it grows.
    pub(crate) fresh: Option<u8>,
    /// What memory holds that was given up. Nobody else takes memory if that is looked at.
    pub(crate) given_up: GivenUp,
    /// What was given up last is in no other block until the next is, if it is no longer than that.
    pub(crate) rests: usize,
    /// There may be no memory.
    pub(crate) may_fail: bool,
    /// A player takes no more memory while it holds this many bytes.
    pub(crate) most_held: usize,
}

/// Why a player stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// It is this thread's turn.
    Switch(u8),
    /// This thread ends, and the first one goes on.
    End(u8),
    /// All is done, and all was given back.
    Done,
}

/// A list of operations on its way.
pub(crate) struct Player<'world, Records> {
    records: Records,
    slots: Pages<Slot>,
    owners: &'world Owners,
    exchange: &'world Exchange,
    options: Options,
    habits: Habits,
    held: usize,
    last_id: u64,
    thread: u8,
    operations: u64,
    current: Option<Operation>,
    culprit: Option<Block>,
    resting: Option<Part>,
}

impl<'world, Records: Iterator<Item = Record>> Player<'world, Records> {
    /// Player number `number` of those who share `owners` and `exchange`; `None` without memory for its slots.
    pub(crate) fn new(
        number: u16,
        records: Records,
        owners: &'world Owners,
        exchange: &'world Exchange,
        options: Options,
    ) -> Option<Self> {
        Some(Self {
            records,
            slots: Pages::new(SLOTS)?,
            owners,
            exchange,
            options,
            habits: Habits::FIRST,
            held: 0,
            last_id: u64::from(number) << 48,
            thread: 0,
            operations: 0,
            current: None,
            culprit: None,
            resting: None,
        })
    }

    /// Calls of the allocator.
    pub(crate) fn operations(&self) -> u64 {
        self.operations
    }

    /// What it was doing, and to which block.
    pub(crate) fn last(&self) -> (Option<Operation>, Option<Block>) {
        (self.current, self.culprit)
    }

    /// Where the operations come from.
    pub(crate) fn into_records(self) -> Records {
        self.records
    }

    /// Goes on in thread number `thread`, as which `target` sees the allocator.
    pub(crate) fn play<T: Target>(&mut self, thread: u8, target: &mut T) -> Result<Pause, Fault> {
        self.thread = thread;
        loop {
            let Some(record) = self.records.next() else {
                self.current = None;
                self.give_all_back(target)?;
                return Ok(Pause::Done);
            };
            let operation = Operation::decode(record, self.habits);
            self.current = Some(operation);
            match operation {
                Operation::Switch { thread } if thread != self.thread => {
                    return Ok(Pause::Switch(thread));
                }
                Operation::End { thread } if thread != 0 => return Ok(Pause::End(thread)),
                Operation::Switch { .. } | Operation::End { .. } => {}
                operation => self.step(operation, target)?,
            }
        }
    }

    fn step<T: Target>(&mut self, operation: Operation, target: &mut T) -> Result<(), Fault> {
        self.operations += 1;
        match operation {
            Operation::Take {
                how,
                slot,
                bytes,
                align,
            } => {
                if self.slot(slot).get().is_some() {
                    self.release(Release::Free, slot, target)?;
                }
                self.take(how, slot, bytes, align, target)
            }
            Operation::Release { how, slot } => self.release(how, slot, target),
            Operation::Resize { how, slot, bytes } => match self.slot(slot).get() {
                None => self.take(Take::Realloc, slot, bytes, 1, target),
                Some(block) => self.resize(how, slot, block, bytes.max(1), target),
            },
            Operation::Fill { slot, count, bytes } => (0..count).try_for_each(|step| {
                let slot = self.cut(usize::from(slot) + step);
                if self.slot(slot).get().is_some() {
                    return Ok(());
                }
                self.operations += 1;
                self.take(Take::Malloc, slot, bytes, 1, target)
            }),
            Operation::Sweep { slot, count, step } => (0..count).try_for_each(|turn| {
                let slot = self.cut(usize::from(slot) + turn * usize::from(step));
                if self.slot(slot).get().is_none() {
                    return Ok(());
                }
                self.operations += 1;
                self.release(Release::Free, slot, target)
            }),
            Operation::TakeMany { slot, count, cache } => {
                self.take_many(slot, count, cache % CACHES.len() as u8, target)
            }
            Operation::ReleaseMany { slot, count } => self.release_many(slot, count, target),
            Operation::TendCaches { what } => target.tend_caches(what),
            Operation::Check { slot } => match self.slot(slot).get() {
                Some(block) => self.check(block, target),
                None => Ok(()),
            },
            Operation::Exchange { slot, place } => {
                self.exchange(slot, place);
                Ok(())
            }
            Operation::Refuse { what, slot } => {
                let block = self.slot(slot).get();
                target.refuse(what, block)?;
                block.map_or(Ok(()), |block| self.check(block, target))
            }
            Operation::Tend { what } => target.tend(what),
            Operation::Episode(habits) => {
                self.give_all_back(target)?;
                self.habits = habits;
                Ok(())
            }
            // The caller's.
            Operation::Switch { .. } | Operation::End { .. } => Ok(()),
        }
    }

    fn take<T: Target>(
        &mut self,
        how: Take,
        slot: u16,
        bytes: usize,
        align: usize,
        target: &mut T,
    ) -> Result<(), Fault> {
        if self.held + bytes > self.options.most_held {
            return Ok(());
        }
        let start = target.take(how, bytes, align)?;
        if start == 0 {
            // A node may not be there, and a target have no named caches.
            let may_fail =
                self.options.may_fail || matches!(how, Take::OnNode(_) | Take::Kernel(_));
            return if may_fail { Ok(()) } else { Err("no memory") };
        }
        self.last_id += 1;
        let block = Block {
            start,
            bytes,
            usable: target.usable(start),
            id: self.last_id,
            origin: match how {
                Take::Malloc | Take::Calloc | Take::Realloc => Origin::Plain,
                Take::Memalign | Take::AlignedAlloc | Take::PosixMemalign => Origin::Aligned(align),
                Take::New(form) => Origin::New(form, align),
                Take::Valloc | Take::Pvalloc | Take::OnNode(_) => Origin::Other,
                Take::Kernel(kernel) => Origin::Kernel(kernel),
            },
        };
        self.welcome(block, align)?;
        let is_zeroed = match how {
            Take::Calloc => true,
            Take::Kernel(kernel) => kernel.is_zeroed(),
            _ => false,
        };
        if is_zeroed && !block.is_zero(self.options.all_up_to) {
            return Err("memory that must be zero is not");
        }
        // What is asked for with a node is no debugged block.
        let is_fresh = !matches!(how, Take::Calloc | Take::OnNode(_) | Take::Kernel(_));
        let is_cleared = self.options.fresh == Some(0) && !matches!(how, Take::Kernel(_));
        if (is_fresh || is_cleared) && self.options.fresh.is_some_and(|byte| !block.holds(byte, 0))
        {
            return Err("fresh memory does not hold what it must");
        }
        block.paint(self.options.all_up_to);
        self.held += bytes;
        self.slot(slot).set(Some(block));
        Ok(())
    }

    /// Takes objects into the empty ones of `count` slots, all or none.
    fn take_many<T: Target>(
        &mut self,
        slot: u16,
        count: usize,
        cache: u8,
        target: &mut T,
    ) -> Result<(), Fault> {
        let kernel = Kernel::Object {
            cache,
            source: Source::Bulk,
        };
        let bytes = kernel.bytes(0);
        let (mut slots, mut empty) = ([0; MOST_AT_ONCE], 0);
        for step in 0..count {
            let number = self.cut(usize::from(slot) + step);
            if self.slot(number).get().is_none() && !slots[..empty].contains(&number) {
                slots[empty] = number;
                empty += 1;
            }
        }
        if empty == 0 || self.held + empty * bytes > self.options.most_held {
            return Ok(());
        }
        let mut starts = [0; MOST_AT_ONCE];
        if !target.take_many(cache, &mut starts[..empty])? {
            return Ok(());
        }
        for (start, number) in starts.into_iter().zip(slots).take(empty) {
            self.last_id += 1;
            let block = Block {
                start,
                bytes,
                usable: target.usable(start),
                id: self.last_id,
                origin: Origin::Kernel(kernel),
            };
            self.welcome(block, kernel.align(bytes))?;
            block.paint(self.options.all_up_to);
            self.held += bytes;
            self.slot(number).set(Some(block));
        }
        Ok(())
    }

    /// Gives back the objects in `count` slots that are of the first one's cache.
    fn release_many<T: Target>(
        &mut self,
        slot: u16,
        count: usize,
        target: &mut T,
    ) -> Result<(), Fault> {
        let (mut blocks, mut cache) = ([None; MOST_AT_ONCE], None);
        let mut found = 0;
        for step in 0..count {
            let number = self.cut(usize::from(slot) + step);
            let Some(block) = self.slot(number).get() else {
                continue;
            };
            let Origin::Kernel(Kernel::Object { cache: its, .. }) = block.origin else {
                continue;
            };
            if *cache.get_or_insert(its) == its {
                self.let_go(block, target)?;
                self.slot(number).set(None);
                self.held -= block.bytes.min(self.held);
                blocks[found] = Some(block);
                found += 1;
            }
        }
        let (Some(cache), Some(first)) = (cache, blocks[0]) else {
            return Ok(());
        };
        let blocks = blocks.map(|block| block.unwrap_or(first));
        self.resting = None;
        target.release_many(cache, &blocks[..found])
    }

    /// Checks what can be said of a new block without looking into it.
    fn welcome(&mut self, block: Block, align: usize) -> Result<(), Fault> {
        self.culprit = Some(block);
        if !block.start.is_multiple_of(align.max(LEAST_ALIGN)) {
            return Err("a block is not aligned");
        }
        if block.usable < block.bytes {
            return Err("fewer bytes are usable than were asked for");
        }
        if !self.owners.take(block.start, block.usable) {
            return Err("a block overlaps another");
        }
        let is_in_rest = |part: Part| part.meets(block.start, block.usable.max(1));
        if self.resting.is_some_and(is_in_rest) {
            return Err("what was given up last is in use again");
        }
        Ok(())
    }

    fn check<T: Target>(&mut self, block: Block, target: &mut T) -> Result<(), Fault> {
        self.culprit = Some(block);
        if !block.is_intact(usize::MAX, self.options.all_up_to) {
            return Err("a block's content has changed");
        }
        if target.usable(block.start) != block.usable {
            return Err("a block's usable size has changed");
        }
        Ok(())
    }

    /// Takes a block out of the model.
    fn let_go<T: Target>(&mut self, block: Block, target: &mut T) -> Result<(), Fault> {
        self.check(block, target)?;
        if !self.owners.release(block.start, block.usable) {
            return Err("a block overlapped another that was given back");
        }
        Ok(())
    }

    /// Looks at what a block gave up just now: all of it, or what lies after its first `kept` bytes. What is asked for
    /// with a node is debugged by no mode, but cleared.
    fn look_behind(&mut self, block: Block, kept: usize) -> Result<(), Fault> {
        // Caches have rules of their own, and what pages are part of is no block.
        if matches!(block.origin, Origin::Kernel(_)) {
            self.resting = None;
            return Ok(());
        }
        let is_far = matches!(block.origin, Origin::Aligned(align) if align > MOST_GUARDED);
        let is_debugged = block.origin != Origin::Other && !is_far;
        let part = Part {
            start: block.start + kept,
            bytes: block.usable - kept,
            is_whole: kept == 0 && is_debugged,
        };
        let rests = is_debugged && (1..=self.options.rests).contains(&part.bytes);
        self.resting = rests.then_some(part);
        part.check(self.options.given_up)
    }

    fn release<T: Target>(&mut self, how: Release, slot: u16, target: &mut T) -> Result<(), Fault> {
        let Some(block) = self.slot(slot).get() else {
            return target.release(how, None);
        };
        self.slot(slot).set(None);
        self.held -= block.bytes.min(self.held);
        self.give_back(how, block, target)
    }

    fn give_back<T: Target>(
        &mut self,
        how: Release,
        block: Block,
        target: &mut T,
    ) -> Result<(), Fault> {
        self.let_go(block, target)?;
        // One that could not become shorter for want of memory has more bytes than its size needs.
        let is_long = self.options.may_fail && block.bytes < block.usable / 2;
        let how = match (how, block.origin) {
            (Release::Sized, Origin::Other) => Release::Free,
            (Release::Sized, _) if is_long => Release::Free,
            (Release::Sized, Origin::Kernel(_)) => Release::Free,
            (Release::Realloc | Release::Cfree | Release::Kernel, Origin::New(..)) => Release::Free,
            (how, _) => how,
        };
        target.release(how, Some(block))?;
        self.look_behind(block, 0)
    }

    fn resize<T: Target>(
        &mut self,
        how: Resize,
        slot: u16,
        block: Block,
        bytes: usize,
        target: &mut T,
    ) -> Result<(), Fault> {
        let is_too_much = self.held - block.bytes.min(self.held) + bytes > self.options.most_held;
        let is_constructed = matches!(block.origin, Origin::Kernel(it) if it.constructs());
        if is_too_much || is_constructed || matches!(block.origin, Origin::New(..)) {
            return self.check(block, target);
        }
        self.let_go(block, target)?;
        let start = target.resize(how, block, bytes)?;
        if start == 0 {
            if !self.options.may_fail {
                return Err("no memory for a longer block");
            }
            self.welcome(block, 1)?;
            return self.check(block, target);
        }
        self.last_id += 1;
        let new = Block {
            start,
            bytes,
            usable: target.usable(start),
            id: self.last_id,
            origin: match block.origin {
                // One of a pool's stays in its pool.
                Origin::Kernel(Kernel::Pooled(_)) => block.origin,
                // Where it is, it is what it was.
                Origin::Other | Origin::Kernel(_) if start == block.start => Origin::Other,
                _ => Origin::Plain,
            },
        };
        // What was given up before counts for the block's new place, and what is given up now from then on.
        self.welcome(new, 1)?;
        if new.start != block.start {
            self.look_behind(block, 0)?;
        } else if new.usable < block.usable {
            self.look_behind(block, new.usable)?;
        }
        let kept = block.usable.min(bytes);
        // Of the modes only clearing sees blocks of pools.
        let is_of_pool = matches!(new.origin, Origin::Kernel(Kernel::Pooled(_)));
        let fresh = self.options.fresh.filter(|byte| *byte == 0 || !is_of_pool);
        if fresh.is_some_and(|byte| !new.holds(byte, kept)) {
            return Err("what a block got by realloc does not hold what it must");
        }
        let moved = Block { start, ..block };
        if !moved.is_intact(block.bytes.min(bytes), self.options.all_up_to) {
            return Err("a block's content has changed by realloc");
        }
        new.paint(self.options.all_up_to);
        self.held = self.held - block.bytes.min(self.held) + bytes;
        self.slot(slot).set(Some(new));
        Ok(())
    }

    fn exchange(&mut self, slot: u16, place: u8) {
        let given = self.slot(slot).get();
        let taken = self.exchange.change(place, given);
        let bytes = |block: Option<Block>| block.map_or(0, |block| block.bytes);
        self.held = (self.held + bytes(taken)).saturating_sub(bytes(given));
        self.slot(slot).set(taken);
    }

    fn give_all_back<T: Target>(&mut self, target: &mut T) -> Result<(), Fault> {
        for slot in 0..SLOTS as u16 {
            if self.slot(slot).get().is_some() {
                self.operations += 1;
                self.release(Release::Free, slot, target)?;
            }
        }
        self.held = 0;
        Ok(())
    }

    /// Gives back what is in the exchange; for the last player.
    pub(crate) fn clear_exchange<T: Target>(&mut self, target: &mut T) -> Result<(), Fault> {
        let exchange = self.exchange;
        exchange
            .leftovers()
            .try_for_each(|block| self.give_back(Release::Free, block, target))
    }

    fn cut(&self, slot: usize) -> u16 {
        slot as u16 & ((1 << self.habits.slot_bits) - 1)
    }

    /// A slot, of which habits name no more than there are.
    fn slot(&mut self, number: u16) -> &mut Slot {
        let slots = self.slots.len();
        &mut self.slots[usize::from(number) % slots]
    }
}
