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

/// How far the slabs of a node were looked at.
#[derive(Debug, Default)]
pub(super) struct Sweep(AtomicUsize);

impl Heap {
    /// Gives memory back that was not needed for some time; how many bytes. One thread at a time calls
    /// this.
    pub(crate) fn decay(&self, elapsed: Elapsed) -> usize {
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
                bytes += node.sweep(elapsed);
            }
            bytes += node.arena().decay(elapsed, kept / PAGE_SIZE) * PAGE_SIZE;
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

    /// Bytes that wait where no program needs them, without what is in threads' caches; of objects in
    /// slabs nobody knows whether their pages can go.
    pub(crate) fn idle_bytes(&self) -> usize {
        let in_pool = |node: &Node, id: ClassId| {
            let counts = node.pool(id).lock().counts(0);
            let info = class::info(id);
            let total = counts.slabs * info.objects as usize;
            total.saturating_sub(counts.out) * info.size as usize
        };
        let in_slabs = |node: &Node| class::all().map(|id| in_pool(node, id)).sum::<usize>();
        self.free_bytes() + self.nodes().map(in_slabs).sum::<usize>()
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
    pub(super) fn sweep(&self, elapsed: Elapsed) -> usize {
        let end = self.tables().covered_bytes() / GRANULE_SIZE;
        let steps = elapsed.steps.max(elapsed.quiet) as usize;
        let most = SWEEP.max(end / SWEEP_STEPS).saturating_mul(steps);
        let mut calls = CALLS.saturating_mul(steps);
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
