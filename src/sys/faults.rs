//! Refusals on demand: in tests the kernel and libc can be made to say no, at any place and at any time.
//!
//! # Invariant
//!
//! Only calls of threads that run under a plan are looked at. A plan's ledger holds exactly the mappings
//! that were made under it and are still there.

extern crate std;
use core::cell::Cell;
use core::panic::Location;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread_local;

use super::ledger::Ledger;
pub(crate) use super::ledger::Machine;
use super::syscall::{Answer, raw};

/// Where in the source a call stands: file, line, column.
pub(crate) type Site = (&'static str, u32, u32);

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// Where it stands.
    pub(crate) site: Site,
    /// How many the plan has seen before.
    pub(crate) index: u64,
    /// How many of them at this place.
    pub(crate) index_here: u64,
    /// The system call's number; `None` for a function of libc's.
    pub(crate) number: Option<libc::c_long>,
}

impl Event {
    /// Whether the kernel changes mappings or page tables, and may take long.
    pub(crate) fn changes_mappings(&self) -> bool {
        const CHANGES: [libc::c_long; 5] = [
            libc::SYS_madvise,
            libc::SYS_mprotect,
            libc::SYS_mmap,
            libc::SYS_munmap,
            libc::SYS_mremap,
        ];
        self.number.is_some_and(|number| CHANGES.contains(&number))
    }
}

/// The error numbers that a call may answer with.
pub(crate) const ERRNOS: [i32; 7] = [
    libc::ENOMEM,
    libc::EAGAIN,
    libc::EINVAL,
    libc::EPERM,
    libc::EACCES,
    libc::ENOSYS,
    libc::EINTR,
];
/// The commonest.
pub(crate) const ENOMEM: i32 = libc::ENOMEM;

/// Decides which calls are refused, and with which error number.
type Rule = Box<dyn FnMut(&Event) -> Option<i32> + Send>;

/// Calls at one place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// All.
    pub(crate) seen: u64,
    /// Those that were refused.
    pub(crate) refused: u64,
}

/// Which calls fail, and what became of the others.
pub(crate) struct Plan(Mutex<State>);

struct State {
    rule: Rule,
    machine: Machine,
    count: u64,
    tallies: BTreeMap<Site, Tally>,
    ledger: Ledger,
}

thread_local! {
    /// The plan that the thread runs under. Without a destructor, so that a thread's exit hooks find it.
    static CURRENT: Cell<Option<&'static Plan>> = const { Cell::new(None) };
}

impl Plan {
    /// A plan that refuses what `rule` says.
    pub(crate) fn new(rule: impl FnMut(&Event) -> Option<i32> + Send + 'static) -> &'static Self {
        Self::on(Machine::ENDLESS, rule)
    }

    /// The same on a machine that has not enough of everything.
    pub(crate) fn on(
        machine: Machine,
        rule: impl FnMut(&Event) -> Option<i32> + Send + 'static,
    ) -> &'static Self {
        Box::leak(Box::new(Self(Mutex::new(State {
            rule: Box::new(rule),
            machine,
            count: 0,
            tallies: BTreeMap::new(),
            ledger: Ledger::default(),
        }))))
    }

    /// A plan under which everything is as it is.
    pub(crate) fn none() -> &'static Self {
        Self::new(|_| None)
    }

    /// Runs `work` under the plan, in this thread.
    pub(crate) fn during<T>(&'static self, work: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(Some(self));
        let result = work();
        CURRENT.set(before);
        result
    }

    /// Has the calling thread run under the plan until it has ended.
    pub(crate) fn attach(&'static self) {
        CURRENT.set(Some(self));
    }

    /// Goes on without refusals.
    pub(crate) fn relent(&self) {
        let mut state = self.state();
        state.rule = Box::new(|_| None);
        state.machine = Machine::ENDLESS;
    }

    /// Calls by their places.
    pub(crate) fn tallies(&self) -> BTreeMap<Site, Tally> {
        self.state().tallies.clone()
    }

    /// Calls.
    pub(crate) fn count(&self) -> u64 {
        self.state().count
    }

    /// Calls that were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.state()
            .tallies
            .values()
            .map(|tally| tally.refused)
            .sum()
    }

    /// What is mapped.
    pub(crate) fn ledger(&self) -> Ledger {
        self.state().ledger.clone()
    }

    /// Unmaps everything that was mapped under the plan, whatever it is used for.
    ///
    /// # Safety
    ///
    /// Nobody uses any of it any more.
    pub(crate) unsafe fn raze(&self) {
        let gone = core::mem::take(&mut self.state().ledger);
        for (start, bytes) in gone.ranges() {
            // SAFETY: the caller's promise.
            let _ = unsafe { raw(libc::SYS_munmap, [start, bytes, 0, 0, 0, 0]) };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A failed test must not poison the lock for others.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a call; the error number if it is to be refused.
    fn decide(&mut self, site: Site, number: Option<libc::c_long>) -> Option<i32> {
        let tally = self.tallies.entry(site).or_default();
        let event = Event {
            site,
            index: self.count,
            index_here: tally.seen,
            number,
        };
        self.count += 1;
        tally.seen += 1;
        let refusal = (self.rule)(&event);
        tally.refused += u64::from(refusal.is_some());
        refusal
    }
}

/// Stands for `raw` in tests, with the same contract.
#[track_caller]
pub(super) unsafe fn call(number: libc::c_long, arguments: [usize; 6]) -> Answer {
    let site = site_of(Location::caller());
    let Some(plan) = CURRENT.get() else {
        // SAFETY: the caller's promise.
        return unsafe { raw(number, arguments) };
    };
    let mut state = plan.state();
    let refusal = state.decide(site, Some(number));
    if let Some(errno) = refusal {
        if is_done_anyway(number, arguments) {
            drop(state);
            // SAFETY: the caller's promise.
            let _ = unsafe { raw(number, arguments) };
        } else {
            state.ledger.note_refused(number, arguments);
        }
        return Answer::refusal(errno);
    }
    let mut arguments = arguments;
    if state.machine.is_old && number == libc::SYS_mmap {
        let [_, _, _, flags, ..] = &mut arguments;
        *flags &= !(libc::MAP_FIXED_NOREPLACE as usize);
    }
    if !Ledger::counts(number) {
        // It may sleep, and others of the plan must not wait for that.
        drop(state);
        // SAFETY: the caller's promise.
        return unsafe { raw(number, arguments) };
    }
    let mut after = state.ledger.clone();
    after.note(number, arguments, None);
    if !state.ledger.fits(&after, state.machine) {
        state.tallies.entry(site).or_default().refused += 1;
        state.ledger.note_refused(number, arguments);
        return Answer::refusal(libc::ENOMEM);
    }
    // SAFETY: the caller's promise.
    let answer = unsafe { raw(number, arguments) };
    if let Some(value) = answer.value() {
        state.ledger.note(number, arguments, Some(value));
    }
    answer
}

/// Stands for `ask` of the shipped build: a function of libc's that answers 0 or an error number.
#[track_caller]
pub(super) fn ask(function: impl FnOnce() -> i32) -> i32 {
    let site = site_of(Location::caller());
    let refusal = CURRENT
        .get()
        .and_then(|plan| plan.state().decide(site, None));
    match refusal {
        Some(errno) => errno,
        None => function(),
    }
}

/// Whether the kernel does what is asked even where it answers with an error: a file is closed in any case, and a
/// wake-up that reached nobody would be a fault of the kernel's, not a refusal.
fn is_done_anyway(number: libc::c_long, arguments: [usize; 6]) -> bool {
    let is_wake = arguments[1] & libc::FUTEX_WAKE as usize != 0;
    number == libc::SYS_close || number == libc::SYS_futex && is_wake
}

fn site_of(place: &'static Location<'static>) -> Site {
    (place.file(), place.line(), place.column())
}
