//! Blocks that are watched: the modes that find misuse of memory, at a cost, when somebody asks for them.
//!
//! # Invariant
//!
//! A watched block lies in memory that the class map does not know, so the fast path of `free` never takes it; and
//! bins of a watched class have no sheaves, so the fast path of `malloc` never serves it.

mod address_map;
mod bytes;
mod choice;
mod debug;
mod family;
mod guard;
mod quarantine;
mod record;
mod report;
mod store;
mod trace;
mod zone;

pub(crate) use bytes::{at as byte_at, fill as fill_bytes, first_other};
pub(crate) use choice::{CacheFlags, Options, Sort};
pub use family::Family;

use crate::heap::{Heap, Node};
use crate::slab::{Object, Request};
use crate::units::BLOCK_SIZE;
use debug::Debug;
use guard::Guard;
use quarantine::Quarantine;
pub(crate) use trace::{Frames, print as print_stack, take as take_stack};

/// What is watched, and how.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `slab_debug`.
    pub(crate) debug: Options,
    /// One allocation of so many lies against a guard page; 0 for none.
    pub(crate) guard: u32,
    /// Bytes of freed blocks that rest before they are used again.
    pub(crate) quarantine: usize,
    /// Whether blocks are cleared when they are freed.
    pub(crate) zero_on_free: bool,
    /// Whether all blocks are zeroed when they are handed out.
    pub(crate) zero_on_alloc: bool,
}

impl Settings {
    /// Nothing is watched.
    pub(crate) const OFF: Self = Self {
        debug: Options::OFF,
        guard: 0,
        quarantine: 0,
        zero_on_free: false,
        zero_on_alloc: false,
    };

    /// Whether misuse is looked for, and not only made harmless.
    pub(crate) fn finds_misuse(&self) -> bool {
        self.debug.any() || self.guard > 0 || self.quarantine > 0
    }
}

/// Which named cache an object is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    /// The owner of its slabs, as a word.
    pub(crate) owner: u32,
    /// Its name.
    pub(crate) title: &'static [u8],
}

/// Who asks for a block, or frees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The number of the thread.
    pub(crate) thread: u32,
    /// Whose function it calls.
    pub(crate) family: Family,
    /// The named cache that asks.
    pub(crate) named: Option<Named>,
}

impl Caller {
    /// A thread that calls a function of a family.
    pub(crate) const fn new(thread: u32, family: Family) -> Self {
        Self {
            thread,
            family,
            named: None,
        }
    }
}

/// What became of a block that was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// It was watched and is taken care of.
    Done,
    /// It is an ordinary one.
    Ordinary,
}

/// All modes.
#[derive(Debug)]
pub(crate) struct Watch {
    settings: Settings,
    is_on: bool,
    sees_all: bool,
    debug: Option<Debug>,
    guard: Option<Guard>,
    quarantine: Quarantine,
}

impl Watch {
    /// Prepares the modes; one for which there is no memory is off, and says so.
    pub(crate) fn new(settings: &Settings) -> Self {
        let resting = settings.quarantine.max(debug::LEAST_RESTING);
        let debug = settings
            .debug
            .any()
            .then(|| Debug::new(settings.debug, resting, settings.zero_on_free));
        let guard = (settings.guard > 0).then(Guard::new);
        let (debug, guard) = (debug.flatten(), guard.flatten());
        let fills = settings.zero_on_free || settings.zero_on_alloc;
        let sees_all = guard.is_some() || settings.quarantine > 0 || fills;
        Self {
            settings: settings.clone(),
            is_on: debug.is_some() || sees_all,
            sees_all,
            debug,
            guard,
            quarantine: Quarantine::new(settings.quarantine),
        }
    }

    /// Whether anything is watched at all.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether every call must come by here, so that no thread may have a fast path.
    pub(crate) fn sees_all(&self) -> bool {
        self.sees_all
    }

    /// One allocation of so many is guarded; 0 for none.
    pub(crate) fn guard_share(&self) -> u32 {
        self.guard.as_ref().map_or(0, |_| self.settings.guard)
    }

    /// Whether all blocks are zeroed when they are handed out.
    pub(crate) fn zeroes_on_alloc(&self) -> bool {
        self.settings.zero_on_alloc
    }

    /// Whether blocks of this sort are debugged.
    pub(crate) fn debugs(&self, sort: Sort) -> bool {
        self.debug.as_ref().is_some_and(|debug| debug.watches(sort))
    }

    /// A debugged block, for a sort that is debugged; `None` where there is no memory.
    pub(crate) fn take_debugged(
        &self,
        heap: &Heap,
        home: &'static Node,
        request: &Request,
        caller: Caller,
    ) -> Option<Object> {
        self.debug.as_ref()?.take(heap, home, request, caller)
    }

    /// A block against a guard page; `None` where there is no room for one.
    pub(crate) fn take_guarded(&self, request: &Request, caller: Caller) -> Option<Object> {
        self.guard.as_ref()?.take(request, caller)
    }

    /// Takes a block back if it is a watched one.
    pub(crate) fn give(&self, heap: &Heap, block: Object, caller: Caller) -> Given {
        if let Some(guard) = &self.guard
            && guard.give(block, caller) == Given::Done
        {
            return Given::Done;
        }
        match &self.debug {
            Some(debug) => debug.give(heap, block, caller),
            None => Given::Ordinary,
        }
    }

    /// Prepares an ordinary block, which is in use, for its end; `reuse` gets the blocks that are to be used again,
    /// this one or those that rested for long enough. Freed twice it is a violation.
    pub(crate) fn retire(&self, heap: &Heap, block: Object, mut reuse: impl FnMut(Object)) {
        let address = block.as_ptr() as usize;
        if self.quarantine.refuses(heap, address) {
            return;
        }
        let bytes = heap.usable_size(address);
        if let (true, Some(bytes)) = (self.settings.zero_on_free, bytes) {
            bytes::erase(address, address + bytes);
        }
        match bytes {
            Some(bytes) if self.settings.quarantine > 0 => {
                self.quarantine.rest(block, bytes, reuse);
            }
            // What is no block is for others to complain about.
            _ => reuse(block),
        }
    }

    /// The owner of a guarded object of a named cache, and whether it is in use; `None` for any other block.
    pub(crate) fn owner_of(&self, address: usize) -> Option<(u32, bool)> {
        self.guard.as_ref()?.owner_of(address)
    }

    /// As [`Self::retire`], for an object of a named cache with a slot of `bytes` that is in use, whose first `cleared` may be
    /// written to.
    pub(crate) fn retire_named(
        &self,
        heap: &Heap,
        object: Object,
        (bytes, cleared): (usize, usize),
        mut reuse: impl FnMut(Object),
    ) {
        let address = object.as_ptr() as usize;
        if self.quarantine.refuses(heap, address) {
            return;
        }
        if self.settings.zero_on_free {
            bytes::erase(address, address + cleared);
        }
        match self.settings.quarantine {
            0 => reuse(object),
            _ => self.quarantine.rest(object, bytes, reuse),
        }
    }

    /// Whether something is written into free blocks, or all are handed out as zeroes.
    pub(crate) fn clears(&self) -> bool {
        self.settings.zero_on_free || self.settings.zero_on_alloc
    }

    /// What `slab_debug` asks of a named cache, as the kernel's flags: checks, red zones, poison, users.
    pub(crate) fn flags_of_cache(&self, name: &[u8]) -> CacheFlags {
        self.settings.debug.of_cache(name)
    }

    /// Whether an ordinary block may get `bytes` bytes where it is, if the heap can do that; else it is given up whole,
    /// as what is watched or rests must be, and another one is taken.
    pub(crate) fn may_resize(&self, bytes: usize) -> bool {
        let is_guarded = self.guard.is_some() && bytes <= BLOCK_SIZE;
        !is_guarded && self.settings.quarantine == 0
    }

    /// Clears what an ordinary block has behind its first `bytes` bytes, before it gives them up or gets them again.
    pub(crate) fn clear_behind(&self, heap: &Heap, block: Object, bytes: usize) {
        if self.settings.zero_on_free || self.settings.zero_on_alloc {
            clear_from(heap, block, bytes);
        }
    }

    /// Clears what an ordinary block got behind its first `bytes` bytes, where all blocks are zeroed.
    pub(crate) fn clear_gained(&self, heap: &Heap, block: Object, bytes: usize) {
        if self.settings.zero_on_alloc {
            clear_from(heap, block, bytes);
        }
    }

    /// Ends the rest of all blocks, since memory is short; `reuse` gets the ordinary ones.
    pub(crate) fn wake_all(&self, heap: &Heap, reuse: impl FnMut(Object)) {
        if let Some(debug) = &self.debug {
            debug.wake(heap, 0);
        }
        self.quarantine.wake(0, reuse);
    }

    /// The bytes that the program asked for if `address` is a watched block in use; `Err` if it is a watched one that
    /// is not.
    pub(crate) fn usable_size(&self, address: usize) -> Option<Result<usize, ()>> {
        let guarded = self.guard.as_ref().and_then(|it| it.usable_size(address));
        let debugged = || self.debug.as_ref()?.usable_size(address);
        let resting = || self.quarantine.has(address).then_some(Err(()));
        guarded.or_else(debugged).or_else(resting)
    }

    /// Says what an access that faulted was, if a guard page was there for it.
    pub(crate) fn explain_fault(&self, address: usize, did: &str) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| guard.explain(address, did))
    }

    /// Looks at all watched blocks, in use or not.
    pub(crate) fn check_all(&self) {
        if let Some(debug) = &self.debug {
            debug.check_all();
        }
        if let Some(guard) = &self.guard {
            guard.check_all();
        }
    }

    /// Gives the address space that nothing was put into yet back; it is taken again when it is needed and free.
    pub(crate) fn give_up_reservations(&self) {
        if let Some(guard) = &self.guard {
            guard.cut();
        }
        if let Some(debug) = &self.debug {
            debug.cut();
        }
    }

    /// Takes all locks, to hold them across a fork.
    pub(crate) fn hold_for_fork(&self) {
        if let Some(guard) = &self.guard {
            guard.hold_for_fork();
        }
        if let Some(debug) = &self.debug {
            debug.hold_for_fork();
        }
        self.quarantine.hold_for_fork();
    }

    /// Whether nobody holds any of these locks at this moment.
    pub(crate) fn is_quiet(&self) -> bool {
        self.guard.as_ref().is_none_or(Guard::is_quiet)
            && self.debug.as_ref().is_none_or(Debug::is_quiet)
            && self.quarantine.is_quiet()
    }
}

fn clear_from(heap: &Heap, block: Object, bytes: usize) {
    let start = block.as_ptr() as usize;
    if let Some(usable) = heap.usable_size(start).filter(|usable| *usable > bytes) {
        bytes::erase(start + bytes, start + usable);
    }
}

#[cfg(test)]
mod tests;
