//! Keeping to a limit: memory that is not resident yet is lent out of allowances, and whoever finds his
//! used up has the limit looked at again.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{Heap, Node};
use crate::decay::Elapsed;
use crate::limit::{self, Limit};
use crate::units::PAGE_SIZE;

/// The limit, and whether it is near.
#[derive(Debug)]
pub(crate) struct Bounds {
    limit: Limit,
    is_tight: AtomicBool,
}

/// Who needs memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// The arenas, for whatever class or length.
    Arenas,
    /// A mapping of its own.
    Mapping,
}

impl Bounds {
    pub(super) const fn new(limit: Limit) -> Self {
        Self {
            limit,
            is_tight: AtomicBool::new(false),
        }
    }
}

// ORDERING: relaxed; it is a hint how much to keep.

impl Heap {
    /// Whether memory is short, so that nothing should be kept for later.
    pub(crate) fn is_tight(&self) -> bool {
        self.bounds.is_tight.load(Relaxed)
    }

    /// Looks at the limit again because `bytes` were refused; whether that much may be taken now. What
    /// waits unused goes back first if that is what it takes. `false` without a limit.
    #[cold]
    pub(crate) fn may_take(&self, asker: Asker, bytes: usize) -> bool {
        if self.bounds.limit.is_off() {
            return false;
        }
        if self.grant(asker, bytes, false) {
            return true;
        }
        self.decay(Elapsed::FOR_EVER);
        self.grant(asker, bytes, true)
    }

    /// Takes note of the limit at the start.
    pub(super) fn obey(&self) {
        if !self.bounds.limit.is_off() {
            self.grant(Asker::Arenas, 0, true);
        }
    }

    /// Divides what may be taken among the arenas and mappings; `false` if it is too little, or if memory
    /// is short and the answer is not to be `final`.
    fn grant(&self, asker: Asker, bytes: usize, is_final: bool) -> bool {
        let usage = self
            .bounds
            .limit
            .usage(self.resident_bytes(), limit::read_file);
        let grant = self.bounds.limit.grant(usage, bytes);
        self.bounds.is_tight.store(grant.is_tight, Relaxed);
        if grant.is_tight && !is_final {
            return false;
        }
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
        for node in self.nodes() {
            node.arena().allow(arenas / PAGE_SIZE);
        }
        self.huge.allow(mappings);
        grant.allowance >= bytes.max(1)
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
