//! The debug modes, which find misuse of memory or make it harmless, at a cost: `slab_debug`, guard pages, quarantine and
//! clearing.
//!
//! # Invariant
//!
//! A debugged or guarded block lies in memory that the class map does not know, so the fast path of `free` never takes it;
//! and bins of a debugged class have no sheaves, so the fast path of `malloc` never serves it.

mod address_map;
mod bytes;
mod caller;
mod clearing;
mod guard;
mod quarantine;
mod record;
mod records;
mod report;
mod slab_debug;
mod sort;
mod trace;
mod zone;

pub(crate) use bytes::{at as byte_at, fill as fill_bytes, first_other};
pub use caller::Family;
pub(crate) use caller::{Caller, Given, Named};
pub(crate) use clearing::Clearing;
pub(crate) use slab_debug::{CacheFlags, Options};
pub(crate) use sort::Sort;
pub(crate) use trace::{Frames, print as print_stack, print_addresses, take as take_stack};

use crate::heap::{Heap, Node, Resized};
use crate::slab::{Object, Request};
use crate::units::{BLOCK_SIZE, MIN_ALIGN};
use guard::Guard;
use quarantine::Quarantine;
use slab_debug::Debug;

/// Which modes are on, and how.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `slab_debug`.
    pub(crate) debug: Options,
    /// One allocation in this many lies against a guard page; 0 for none.
    pub(crate) guard: u32,
    /// Bytes of freed blocks that are quarantined before they are used again.
    pub(crate) quarantine: usize,
    /// What is cleared when it changes hands.
    pub(crate) clearing: Clearing,
}

impl Settings {
    /// No mode is on.
    pub(crate) const OFF: Self = Self {
        debug: Options::OFF,
        guard: 0,
        quarantine: 0,
        clearing: Clearing::OFF,
    };

    /// Whether misuse is looked for, and not only made harmless.
    pub(crate) fn finds_misuse(&self) -> bool {
        self.debug.any() || self.guard > 0 || self.quarantine > 0
    }
}

/// All modes.
#[derive(Debug)]
pub(crate) struct Modes {
    settings: Settings,
    is_on: bool,
    sees_all: bool,
    debug: Option<Debug>,
    guard: Option<Guard>,
    quarantine: Quarantine,
}

impl Modes {
    /// Prepares the modes; one for which there is no memory is off, and says so.
    pub(crate) fn new(settings: &Settings) -> Self {
        let quarantined = settings.quarantine.max(slab_debug::LEAST_QUARANTINE);
        let debug = settings
            .debug
            .any()
            .then(|| Debug::new(settings.debug, quarantined, settings.clearing));
        let guard = (settings.guard > 0).then(Guard::new);
        let (debug, guard) = (debug.flatten(), guard.flatten());
        let clears = settings.clearing.any();
        let sees_all = guard.is_some() || settings.quarantine > 0 || clears;
        Self {
            settings: settings.clone(),
            is_on: debug.is_some() || sees_all,
            sees_all,
            debug,
            guard,
            quarantine: Quarantine::new(settings.quarantine),
        }
    }

    /// Whether any mode is on.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether every call must reach the modes, so that no thread may have a fast path.
    pub(crate) fn sees_all(&self) -> bool {
        self.sees_all
    }

    /// One allocation in this many is guarded; 0 for none.
    pub(crate) fn guard_share(&self) -> u32 {
        self.guard.as_ref().map_or(0, |_| self.settings.guard)
    }

    /// What is cleared when it changes hands.
    pub(crate) fn clearing(&self) -> Clearing {
        self.settings.clearing
    }

    /// Whether blocks of this sort are debugged.
    pub(crate) fn debugs(&self, sort: Sort) -> bool {
        self.debug.as_ref().is_some_and(|debug| debug.debugs(sort))
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

    /// Takes a block back if it is debugged or guarded.
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
    /// this one or those that leave the quarantine. Freed twice it is a violation.
    pub(crate) fn free_ordinary(&self, heap: &Heap, block: Object, mut reuse: impl FnMut(Object)) {
        let address = block.as_ptr() as usize;
        if self.quarantine.refuses(heap, address) {
            return;
        }
        let bytes = heap.usable_size(address);
        if let Some(bytes) = bytes {
            self.settings.clearing.give_up(address, address + bytes);
        }
        match bytes {
            Some(bytes) if self.settings.quarantine > 0 => {
                self.quarantine.add(block, bytes, reuse);
            }
            // What is no block is for others to complain about.
            _ => reuse(block),
        }
    }

    /// The owner of a guarded object of a named cache, and whether it is in use; `None` for any other block.
    pub(crate) fn owner_of(&self, address: usize) -> Option<(u32, bool)> {
        self.guard.as_ref()?.owner_of(address)
    }

    /// The owner of a guarded object of a named cache, for a report: takes no lock.
    pub(crate) fn owner_in_report(&self, address: usize) -> Option<u32> {
        let owner = self.guard.as_ref()?.owner_in_report(address);
        (owner != 0).then_some(owner)
    }

    /// As [`Self::free_ordinary`], for an object of a named cache with a slot of `bytes` that is in use, whose first `cleared` may be
    /// written to.
    pub(crate) fn free_named(
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
        self.settings.clearing.give_up(address, address + cleared);
        match self.settings.quarantine {
            0 => reuse(object),
            _ => self.quarantine.add(object, bytes, reuse),
        }
    }

    /// What `slab_debug` asks of a named cache, as the kernel's flags: checks, red zones, poison, users.
    pub(crate) fn flags_of_cache(&self, name: &[u8]) -> CacheFlags {
        self.settings.debug.of_cache(name)
    }

    /// Resizes an ordinary block of `old_bytes` where it is, unless what it becomes is debugged, guarded or, to go to the
    /// quarantine, must stay whole.
    pub(crate) fn resize(
        &self,
        heap: &Heap,
        block: Object,
        old_bytes: usize,
        bytes: usize,
    ) -> Resized {
        let is_guarded = self.guard.is_some() && bytes <= BLOCK_SIZE;
        if self.debugs(Sort::of(bytes, MIN_ALIGN)) {
            return Resized::Copy { old_bytes };
        }
        if !is_guarded && self.settings.quarantine == 0 {
            return self.settings.clearing.resize(heap, block, old_bytes, bytes);
        }
        if bytes > old_bytes || bytes < old_bytes / 2 {
            return Resized::Copy { old_bytes };
        }
        // It keeps what it has, and nothing goes that would have to be quarantined.
        self.settings.clearing.keep(heap, block, bytes);
        Resized::At(block)
    }

    /// Ends the quarantine of all blocks, since memory is short; `reuse` gets the ordinary ones.
    pub(crate) fn release_all(&self, heap: &Heap, reuse: impl FnMut(Object)) {
        if let Some(debug) = &self.debug {
            debug.release(heap, 0);
        }
        self.quarantine.release(0, reuse);
    }

    /// Ends the quarantine of the ordinary blocks for which `is_one` returns true.
    pub(crate) fn release_those(&self, is_one: impl Fn(usize) -> bool, reuse: impl FnMut(Object)) {
        self.quarantine.release_those(is_one, reuse);
    }

    /// The bytes that the program asked for if `address` is a debugged, guarded or quarantined block; `Err` if that is not in
    /// use.
    pub(crate) fn usable_size(&self, address: usize) -> Option<Result<usize, ()>> {
        let guarded = self.guard.as_ref().and_then(|it| it.usable_size(address));
        let debugged = || self.debug.as_ref()?.usable_size(address);
        let quarantined = || self.quarantine.has(address).then_some(Err(()));
        guarded.or_else(debugged).or_else(quarantined)
    }

    /// Says what an access that faulted was, if a guard page was there for it.
    pub(crate) fn explain_fault(&self, address: usize, did: &str) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| guard.explain(address, did))
    }

    /// Checks all debugged and guarded blocks, in use or not.
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
            guard.shrink();
        }
        if let Some(debug) = &self.debug {
            debug.shrink();
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

    /// In a forked child.
    pub(crate) fn begin_child(&self) {
        self.quarantine.begin_child();
    }

    /// Whether nobody holds any of these locks at this moment.
    pub(crate) fn is_quiet(&self) -> bool {
        self.guard.as_ref().is_none_or(Guard::is_quiet)
            && self.debug.as_ref().is_none_or(Debug::is_quiet)
            && self.quarantine.is_quiet()
    }
}

#[cfg(test)]
mod tests;
