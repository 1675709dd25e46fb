//! Keeping to a limit: memory that is not resident yet is lent out of allowances, and whoever finds his
//! used up has the limit looked at again.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::{Heap, Node};
use crate::decay::Elapsed;
use crate::limit::{self, Limit, Usage};
use crate::sync::Lock;
use crate::sys;
use crate::units::PAGE_SIZE;

/// The limit, and whether it is near.
#[derive(Debug)]
pub(crate) struct Bounds {
    limit: Limit,
    is_tight: AtomicBool,
    /// Held while somebody looks at the usage and grants more of it.
    granting: Lock<()>,
    /// When what waited unused last went back for want of memory, in milliseconds.
    relieved_at: AtomicU64,
    /// Whether the process was born behind a filter of system calls, as in most containers.
    was_filtered: bool,
}

/// So often a grant is asked for, if other threads are faster.
const ATTEMPTS: usize = 16;
/// While memory is short, what waits unused goes back so often.
const RELIEF_MS: u64 = 100;

/// Who needs memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// The arenas, for whatever class or length.
    Arenas,
    /// A mapping of its own.
    Mapping,
}

impl Bounds {
    pub(super) fn new(limit: Limit) -> Self {
        Self {
            limit,
            is_tight: AtomicBool::new(false),
            granting: Lock::new(()),
            relieved_at: AtomicU64::new(0),
            was_filtered: sys::is_filtered(),
        }
    }

    /// Takes the lock, to hold it across a fork.
    pub(super) fn hold_for_fork(&self) {
        self.granting.hold_for_fork();
    }
}

// ORDERING: relaxed; it is a hint how much to keep.

impl Heap {
    /// Whether memory is short, so that nothing should be kept for later.
    pub(crate) fn is_tight(&self) -> bool {
        self.bounds.is_tight.load(Relaxed)
    }

    /// Takes something of `bytes` by `take`, and looks at the limit again if that is refused.
    pub(crate) fn take_within<T>(
        &self,
        asker: Asker,
        bytes: usize,
        take: impl Fn() -> Option<T>,
    ) -> Option<T> {
        // What was granted another thread may have taken.
        for _ in 0..ATTEMPTS {
            if let Some(taken) = take() {
                return Some(taken);
            }
            if !self.may_take(asker, bytes) {
                return None;
            }
        }
        take()
    }

    /// Looks at the limit again because `bytes` were refused; whether that much may be taken now. What
    /// waits unused goes back first if memory is short. `false` without a limit.
    #[cold]
    #[inline(never)]
    fn may_take(&self, asker: Asker, bytes: usize) -> bool {
        // Who is about to abort holds locks, perhaps.
        if self.bounds.limit.is_off() || sys::is_ending() {
            return false;
        }
        let fits = self.grant(asker, bytes);
        let now = sys::milliseconds();
        let is_time = now >= self.bounds.relieved_at.load(Relaxed) + RELIEF_MS;
        if fits && !(self.is_tight() && is_time) {
            return true;
        }
        self.bounds.relieved_at.store(now, Relaxed);
        self.decay(Elapsed::FOR_EVER);
        self.grant(asker, bytes)
    }

    /// Takes note of the limit at the start.
    pub(super) fn obey(&self) {
        if !self.bounds.limit.is_off() {
            self.grant(Asker::Arenas, 0);
        }
    }

    /// Divides what may be taken among the arenas and mappings; `false` if it is too little.
    fn grant(&self, asker: Asker, bytes: usize) -> bool {
        // What two threads see left is there once; and what was granted before must not be taken between the
        // look and the next grant.
        let _granting = self.bounds.granting.lock();
        self.allow(0, 0);
        let own = self.resident_bytes();
        let limit = &self.bounds.limit;
        // A program that locked itself in may be killed for opening a file.
        let may_read = limit.is_shared() && (self.bounds.was_filtered || !sys::is_filtered());
        let mut usage = match may_read {
            true => limit.usage(own, limit::read_file),
            false => Usage::of(own),
        };
        if may_read {
            // What was lent and not written to yet is in no group's numbers.
            let promised = own.saturating_sub(own_resident_bytes().unwrap_or(own));
            usage.hard = usage.hard.saturating_add(promised);
        }
        let grant = self.bounds.limit.grant(usage, bytes);
        self.bounds.is_tight.store(grant.is_tight, Relaxed);
        let askers = self.nodes().count() + 1;
        let share = grant.allowance.saturating_sub(bytes);
        let share = share.checked_div(askers).unwrap_or(0);
        let (mut arenas, mut mappings) = (share, share);
        if grant.allowance > 0 {
            match asker {
                Asker::Arenas => arenas += bytes,
                Asker::Mapping => mappings += bytes,
            }
        }
        self.allow(arenas, mappings);
        grant.allowance >= bytes.max(1)
    }

    /// Lets each arena lend, and mappings have, so many bytes from now on.
    fn allow(&self, arenas: usize, mappings: usize) {
        for node in self.nodes() {
            node.arena().allow(arenas / PAGE_SIZE);
        }
        self.huge.allow(mappings);
    }

    /// Bytes that are resident, or may become so without anybody asking again.
    fn resident_bytes(&self) -> usize {
        let of_node = |node: &Node| {
            let counts = node.arena().counts();
            let used = counts.committed_pages - counts.free_pages + counts.dirty_pages;
            used as usize * PAGE_SIZE + node.table_bytes()
        };
        let huge = self.huge.counts();
        self.nodes().map(of_node).sum::<usize>() + huge.bytes + huge.kept_bytes
    }
}

/// The process's memory without its files, in bytes: the second number of `/proc/self/statm` less the
/// third, see proc_pid_statm(5).
fn own_resident_bytes() -> Option<usize> {
    let mut text = [0; 96];
    let text = sys::read_file(cstr::cstr!("/proc/self/statm"), &mut text)?;
    let mut numbers = text.split(|byte| *byte == b' ').map(|word| {
        let digit = |sum: usize, byte: &u8| sum * 10 + usize::from(byte.wrapping_sub(b'0') & 15);
        word.iter().fold(0, digit)
    });
    let resident = numbers.nth(1)?;
    Some(resident.saturating_sub(numbers.next()?) * sys::page_size())
}
