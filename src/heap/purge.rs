//! Giving back what was not needed for some time: sheaves of barns, empty slabs, free pages inside and
//! outside of slabs, freed mappings.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Heap, Node};
use crate::decay::Elapsed;
use crate::slab::{SlabTables, class};
use crate::sys::HugePages;
use crate::units::{ClassId, GRANULE_SIZE, PAGE_SIZE};

/// Steps in which all slabs are looked at once.
const SWEEP_STEPS: usize = 2;
/// Slabs that are looked at in a step, at least.
const SWEEP: usize = 256;
/// System calls that a round makes for pages inside of slabs, for each step; a call takes about a
/// microsecond.
const CALLS: usize = 4_000;

/// Whether somebody waits for a round to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hurry {
    /// A thread of the program does.
    Yes,
    /// Nobody does.
    No,
}

/// What a round in a hurry gives back of free pages, and what it makes of system calls for slabs.
const HURRY_BYTES: usize = 64 << 20;
const HURRY_CALLS: usize = 8_000;

/// How far the slabs of a node were looked at.
#[derive(Debug, Default)]
pub(super) struct Sweep(AtomicUsize);

impl Heap {
    /// Gives memory back that was not needed for some time; how many bytes. One thread at a time calls
    /// this. In a `hurry` it does no more than a few milliseconds' work; `owes` tells whether there is more.
    pub(crate) fn decay(&self, elapsed: Elapsed, hurry: Hurry) -> usize {
        let (most, calls) = match hurry {
            Hurry::No => (usize::MAX, usize::MAX),
            Hurry::Yes => (HURRY_BYTES / PAGE_SIZE, HURRY_CALLS),
        };
        let kept = match elapsed.is_for_ever() {
            true => 0,
            false => self.kept_bytes(),
        };
        if kept == usize::MAX {
            return 0;
        }
        let mut bytes = self.huge.decay(elapsed, kept);
        for node in self.nodes() {
            for id in class::all() {
                self.decay_pool(node, id, elapsed);
            }
            // Pages inside of slabs are parts of huge pages there.
            if self.settings.huge_pages != HugePages::Always || elapsed.is_long() {
                bytes += node.sweep(elapsed, calls);
            }
            bytes += node.arena().decay(elapsed, kept / PAGE_SIZE, most) * PAGE_SIZE;
        }
        bytes
    }

    /// Bytes of free pages and mappings that have memory and may go back; read without a lock.
    pub(crate) fn free_bytes(&self) -> usize {
        let kept = self.kept_bytes();
        let dirty = |node: &Node| (node.arena().dirty_pages() * PAGE_SIZE).saturating_sub(kept);
        let mappings = self.huge.kept_bytes().saturating_sub(kept);
        self.nodes().map(dirty).sum::<usize>() + mappings
    }

    /// Bytes that have memory behind them, in use or not; read without a lock.
    pub(crate) fn touched_bytes(&self) -> usize {
        let pages = self.nodes().map(|node| node.arena().touched_pages());
        pages.sum::<usize>() * PAGE_SIZE + self.huge.touched_bytes()
    }

    /// Whether a round in a hurry left something to do.
    pub(crate) fn owes(&self) -> bool {
        self.nodes().any(|node| node.arena().owes())
    }

    fn decay_pool(&self, node: &Node, id: ClassId, elapsed: Elapsed) {
        let surplus = node.pool(id).lock().barn.surplus(elapsed);
        for _ in 0..surplus {
            let idle = node.pool(id).lock().barn.take_idle();
            let Some(mut sheaf) = idle else {
                break;
            };
            self.flush(node, id, &mut sheaf);
            node.pool(id).lock().barn.put_empty(sheaf);
        }
        node.pool(id).lock().decay(node.place(), id, elapsed);
    }
}

impl Node {
    /// Gives pages inside of slabs back that hold nothing in use, going through all slabs again and
    /// again; how many bytes.
    pub(super) fn sweep(&self, elapsed: Elapsed, most_calls: usize) -> usize {
        let end = self.tables().covered_bytes() / GRANULE_SIZE;
        let steps = elapsed.steps.max(elapsed.quiet) as usize;
        let most = SWEEP.max(end / SWEEP_STEPS).saturating_mul(steps);
        let mut calls = CALLS.saturating_mul(steps).min(most_calls);
        // ORDERING: relaxed, one thread at a time purges; another one that trims begins at 0.
        let mut granule = match elapsed.is_long() {
            true => 0,
            false => self.swept().0.load(Relaxed),
        };
        let mut bytes = 0;
        for _ in 0..most.min(end) {
            let found = self.tables().next_in_slab(granule, end);
            let free_end = found.map_or(end, |found| found.index());
            bytes += self.tables().forget_records(granule, free_end);
            let Some(found) = found else {
                granule = 0;
                break;
            };
            let id = self.tables().class_at(found);
            if id == ClassId::NONE {
                granule = found.index() + 1;
                continue;
            }
            let slab = SlabTables::slab_of(found, id);
            let purged = self
                .pool(id)
                .lock()
                .purge_slab(self.place(), id, slab, elapsed);
            granule = slab.index() + class::info(id).granules as usize;
            bytes += purged.bytes;
            calls = calls.saturating_sub(purged.calls);
            if calls == 0 {
                break;
            }
        }
        self.swept().0.store(granule, Relaxed);
        bytes
    }
}
