//! Giving back what was not needed for some time: sheaves of barns, empty slabs, free pages inside and
//! outside of slabs, freed mappings.
//!
//! # Invariant
//!
//! A round looks only at what may have something to give back, whatever the size of the heap, and goes on later where its
//! budget was spent. No lock that `malloc` or `free` may need is held while the kernel takes memory of slabs and arenas.
#![forbid(unsafe_code)]

use super::{Heap, Node};
use crate::arena::Pass;
use crate::decay::{Budget, Elapsed};
use crate::slab::{Barn, NAMED, SlabTables, class};
use crate::sys::HugePages;
use crate::units::{ClassId, ClusterId, GRANULE_SIZE, GranuleIndex, PAGE_SIZE};

/// A purge: what it accounts for, and how far it has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// The time that it accounts for.
    pub(crate) elapsed: Elapsed,
    /// The number of the stage that is next, and a place in it.
    pub(crate) stage: usize,
    pub(crate) place: usize,
}

/// The place at which every stage begins.
const START: usize = usize::MAX;

/// What a round does one after the other.
enum Stage {
    /// Freed mappings.
    Mappings,
    /// Sheaves and empty slabs of a class.
    CacheNodes(&'static Node, ClassId),
    /// Pages inside of slabs.
    Slabs(&'static Node),
    /// Free pages.
    Pages(&'static Node, Pass),
}

/// Stages of a node: its cache nodes, its slabs, and two for its pages.
const STAGES: usize = class::CLASSES + 3;

impl Round {
    /// A round that begins.
    pub(crate) fn new(elapsed: Elapsed) -> Self {
        Self {
            elapsed,
            stage: 0,
            place: START,
        }
    }
}

impl Heap {
    /// Gives memory back that was not needed for some time; returns how many bytes.
    pub(crate) fn decay(&self, elapsed: Elapsed) -> usize {
        self.decay_some(&mut Round::new(elapsed), &mut Budget::unlimited())
    }

    /// Goes on with a round until it is over or the budget is spent; returns how many bytes went. One thread at a time does so with
    /// a round.
    pub(crate) fn decay_some(&self, round: &mut Round, budget: &mut Budget) -> usize {
        let kept = match round.elapsed.is_for_ever() {
            true => 0,
            false => self.kept_bytes(),
        };
        let mut bytes = 0;
        while let Some(stage) = self.stage(round.stage).filter(|_| kept != usize::MAX) {
            if budget.is_spent() {
                return bytes;
            }
            let (gone, is_over) = self.run(stage, round, kept, budget);
            bytes += gone;
            if is_over {
                (round.stage, round.place) = (round.stage + 1, START);
            }
        }
        round.stage = usize::MAX;
        bytes
    }

    /// Whether a round has nothing more to do.
    pub(crate) fn is_over(&self, round: Round) -> bool {
        self.stage(round.stage).is_none()
    }

    /// The stage with a number.
    fn stage(&self, number: usize) -> Option<Stage> {
        let Some(number) = number.checked_sub(1) else {
            return Some(Stage::Mappings);
        };
        let node = self.nodes().nth(number / STAGES)?;
        let step = number % STAGES;
        Some(match class::all().nth(step) {
            Some(id) => Stage::CacheNodes(node, id),
            None if step == class::CLASSES => Stage::Slabs(node),
            None if step == class::CLASSES + 1 => Stage::Pages(node, Pass::Whole),
            None => Stage::Pages(node, Pass::Pieces),
        })
    }

    /// Runs a stage from the round's place on; the bytes that went, and whether the stage is over.
    fn run(
        &self,
        stage: Stage,
        round: &mut Round,
        kept: usize,
        budget: &mut Budget,
    ) -> (usize, bool) {
        let elapsed = round.elapsed;
        match stage {
            Stage::Mappings => {
                if round.place == START {
                    self.huge.begin_decay(elapsed, kept);
                    round.place = 0;
                }
                self.huge.decay(kept, budget)
            }
            Stage::CacheNodes(node, id) => {
                if round.place == START {
                    round.place = 0;
                }
                let is_over = self.decay_cache_nodes(node, id, elapsed, &mut round.place, budget);
                (0, is_over)
            }
            // Pages inside of slabs are parts of huge pages there.
            Stage::Slabs(_)
                if self.settings.huge_pages == HugePages::Always && !elapsed.is_long() =>
            {
                (0, true)
            }
            Stage::Slabs(node) => {
                if round.place == START {
                    round.place = 0;
                }
                node.sweep(elapsed, &mut round.place, budget)
            }
            Stage::Pages(node, pass) => {
                let (arena, kept) = (node.arena(), kept / PAGE_SIZE);
                let kept = match pass {
                    Pass::Pieces if !elapsed.is_long() => kept.max(arena.waste_pages()),
                    _ => kept,
                };
                if pass == Pass::Whole && round.place == START {
                    arena.begin_decay(elapsed, kept);
                }
                let (pages, is_over) = arena.decay(pass, kept, &mut round.place, budget);
                if pass == Pass::Pieces && is_over {
                    arena.end_decay();
                }
                (pages * PAGE_SIZE, is_over)
            }
        }
    }

    /// Bytes of free pages and mappings that have memory and may go back; read without a lock.
    pub(crate) fn free_bytes(&self) -> usize {
        let kept = self.kept_bytes();
        let dirty = |node: &Node| (node.arena().dirty_pages() * PAGE_SIZE).saturating_sub(kept);
        let mappings = self.huge.kept_bytes().saturating_sub(kept);
        self.nodes().map(dirty).sum::<usize>() + mappings
    }

    /// Bytes that have memory, in use or not; read without a lock.
    pub(crate) fn touched_bytes(&self) -> usize {
        let pages = self.nodes().map(|node| node.arena().touched_pages());
        pages.sum::<usize>() * PAGE_SIZE + self.huge.touched_bytes()
    }

    /// Goes through the cache nodes of a class from the cluster `place` on, which it moves; returns whether it came to the end.
    fn decay_cache_nodes(
        &self,
        node: &Node,
        id: ClassId,
        elapsed: Elapsed,
        place: &mut usize,
        budget: &mut Budget,
    ) -> bool {
        let is_left = |cluster: ClusterId| usize::from(cluster.0) >= *place;
        for (cluster, cache_node) in node.used_cache_nodes(id).filter(|(it, _)| is_left(*it)) {
            if budget.is_spent() {
                *place = usize::from(cluster.0);
                return false;
            }
            budget.visit();
            let excess = cache_node.lock().barn.excess(elapsed);
            for _ in 0..excess {
                let Some(count) = self.flush_from_barn(node, cluster, id, Barn::take_idle) else {
                    break;
                };
                budget.flush(count);
            }
            cache_node.lock().decay(node.place(cluster), id, elapsed);
        }
        true
    }
}

impl Node {
    /// Gives pages inside of slabs back that hold nothing in use, and records of slabs that are gone, from the granule
    /// `place` on, which it moves; returns how many bytes, and whether it came to the end.
    pub(super) fn sweep(
        &self,
        elapsed: Elapsed,
        place: &mut usize,
        budget: &mut Budget,
    ) -> (usize, bool) {
        let end = self.tables().covered_bytes() / GRANULE_SIZE;
        let mut bytes = 0;
        while let Some(due) = self.tables().next_due(*place, end) {
            if budget.is_spent() {
                return (bytes, false);
            }
            budget.visit();
            *place = due.index() + 1;
            let id = self.tables().class_at(due);
            let is_slab = id != NAMED && id != ClassId::NONE && !class::is_span(id);
            let gone = if !is_slab || SlabTables::slab_of(due, class::info(id)) != due {
                self.tables().clear_due(due);
                Some(self.tables().forget_record(due))
            } else {
                self.release_slab(id, due, elapsed, budget)
            };
            match gone {
                Some(gone) => bytes += gone,
                // What is locked into memory stays.
                None => break,
            }
        }
        (bytes, true)
    }

    /// Gives the pages of a slab back that hold nothing in use, if nobody has taken an object recently; returns how many bytes.
    /// `None` if the kernel takes none.
    pub(crate) fn release_slab(
        &self,
        id: ClassId,
        slab: GranuleIndex,
        elapsed: Elapsed,
        budget: &mut Budget,
    ) -> Option<usize> {
        // A fork waits for that: in the child nobody would let go of the slab.
        let _releasing = self.releasing().lock();
        let cluster = self.cluster_of(self.arena().base() + slab.offset(), id);
        let (cache_node, place) = (|| self.cache_node(cluster, id).lock(), self.place(cluster));
        let Some(release) = cache_node().begin_release(place, id, slab, elapsed) else {
            return Some(0);
        };
        let bytes = release.run(place, budget);
        cache_node().end_release(place, id, release, bytes.is_some());
        bytes
    }
}
