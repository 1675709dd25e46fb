//! Where a heap's memory is, in bytes: the sums that every view shows.

use serde::{Deserialize, Serialize};

use crate::snapshot::{Class, Heap, Snapshot};

/// Bytes by what they are; together they are the committed arenas and the huge mappings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Objects of slabs that the program holds.
    pub small: u64,
    /// Objects of pools' slabs that the program holds.
    #[serde(default)]
    pub in_pools: u64,
    /// Large blocks that the program holds.
    pub large: u64,
    /// Huge blocks that the program holds.
    pub huge: u64,
    /// Objects of slabs in threads' sheaves.
    pub in_sheaves: u64,
    /// Large blocks in threads' sheaves.
    pub in_sheaves_large: u64,
    /// Objects in barns.
    pub in_barns: u64,
    /// Objects on their way to another node.
    pub in_aliens: u64,
    /// Free objects in slabs with others in use.
    pub in_partial: u64,
    /// Slabs without an object in use.
    pub in_empty: u64,
    /// Objects that pools have at hand.
    #[serde(default)]
    pub at_hand: u64,
    /// What is left over at the ends of slabs.
    pub slab_ends: u64,
    /// Of these three, what has no memory, and is none of them here.
    #[serde(default)]
    pub slabs_clean: u64,
    /// Free pages that still have memory.
    pub dirty: u64,
    /// Free pages without memory.
    pub clean: u64,
    /// Freed huge mappings that are kept.
    pub huge_kept: u64,
    /// Blocks that the program sealed.
    pub lost: u64,
}

impl Totals {
    /// The sums of one heap.
    pub fn of(heap: &Heap) -> Self {
        let mut it = Self {
            huge: heap.huge.bytes,
            huge_kept: heap.huge.kept_bytes,
            lost: heap.huge.lost_bytes,
            ..Self::default()
        };
        let mut slabs = 0;
        for class in &heap.classes {
            if class.is_span {
                it.in_sheaves_large += class.size * class.in_sheaves;
                continue;
            }
            slabs += class.slabs.saturating_mul(class.slab_bytes);
            let (in_use, cached) = match class.is_pools {
                true => (&mut it.in_pools, &mut it.at_hand),
                false => (&mut it.small, &mut it.in_sheaves),
            };
            *in_use += class.size.saturating_mul(class.in_use);
            *cached += class.size.saturating_mul(class.in_sheaves);
            it.in_barns += class.size.saturating_mul(class.in_barns);
            it.in_aliens += class.size.saturating_mul(class.in_aliens);
            let free = free_of(class);
            it.in_partial += free.in_partial;
            it.in_empty += free.in_empty;
            it.slab_ends += free.slab_ends;
            it.slabs_clean = it.slabs_clean.saturating_add(free.slabs_clean);
        }
        let used: u64 = heap.nodes.iter().map(|it| it.used_bytes).sum();
        it.large = used.saturating_sub(slabs + it.in_sheaves_large);
        it.dirty = heap.nodes.iter().map(|it| it.dirty_bytes).sum();
        let committed: u64 = heap.nodes.iter().map(|it| it.committed_bytes).sum();
        it.clean = committed.saturating_sub(used).saturating_sub(it.dirty);
        it
    }

    /// The sums of all copies in a process.
    pub fn of_all(snapshot: &Snapshot) -> Self {
        snapshot
            .heaps
            .iter()
            .map(Self::of)
            .fold(Self::default(), |all, it| Self {
                small: all.small + it.small,
                in_pools: all.in_pools + it.in_pools,
                at_hand: all.at_hand + it.at_hand,
                large: all.large + it.large,
                huge: all.huge + it.huge,
                in_sheaves: all.in_sheaves + it.in_sheaves,
                in_sheaves_large: all.in_sheaves_large + it.in_sheaves_large,
                in_barns: all.in_barns + it.in_barns,
                in_aliens: all.in_aliens + it.in_aliens,
                in_partial: all.in_partial + it.in_partial,
                in_empty: all.in_empty + it.in_empty,
                slab_ends: all.slab_ends + it.slab_ends,
                slabs_clean: all.slabs_clean + it.slabs_clean,
                dirty: all.dirty + it.dirty,
                clean: all.clean + it.clean,
                huge_kept: all.huge_kept + it.huge_kept,
                lost: all.lost + it.lost,
            })
    }

    /// What the program holds.
    pub fn in_use(&self) -> u64 {
        self.small + self.in_pools + self.large + self.huge
    }

    /// What is cached for the next allocations.
    pub fn cached(&self) -> u64 {
        self.in_sheaves + self.in_sheaves_large + self.in_barns + self.in_aliens + self.at_hand
    }

    /// What is free and has memory, or may have.
    pub fn free(&self) -> u64 {
        self.in_partial + self.in_empty + self.slab_ends + self.dirty + self.huge_kept
    }

    /// What the process holds: all of that.
    pub fn held(&self) -> u64 {
        self.in_use() + self.cached() + self.free()
    }

    /// The share of what is held that is free in slabs with objects in use.
    pub fn fragmented(&self) -> f64 {
        let held = self.held();
        match held {
            0 => 0.0,
            _ => self.in_partial as f64 / held as f64,
        }
    }

    /// The sums by name, in the order in which they are shown.
    pub fn rows(&self) -> [(&'static str, &'static str, u64); 17] {
        [
            ("in use", "small objects", self.small),
            ("in use", "objects of pools", self.in_pools),
            ("in use", "large blocks", self.large),
            ("in use", "huge blocks", self.huge),
            ("cached", "in threads' sheaves", self.in_sheaves),
            (
                "cached",
                "large, in threads' sheaves",
                self.in_sheaves_large,
            ),
            ("cached", "in barns", self.in_barns),
            ("cached", "on the way to other nodes", self.in_aliens),
            ("cached", "at hand in pools", self.at_hand),
            ("free", "in partial slabs", self.in_partial),
            ("free", "empty slabs", self.in_empty),
            ("free", "ends of slabs", self.slab_ends),
            ("free", "in slabs, without memory", self.slabs_clean),
            ("free", "pages with memory", self.dirty),
            ("free", "pages without memory", self.clean),
            ("free", "huge mappings kept", self.huge_kept),
            ("lost", "sealed by the program", self.lost),
        ]
    }
}

/// What is free in a class's slabs. Where it is known what is resident, no more of it has memory than is left when all objects
/// that are out of the slabs have theirs.
pub(crate) fn free_of(class: &Class) -> Totals {
    let bytes = |objects: u64| class.size.saturating_mul(objects);
    let end = (class.slab_bytes).saturating_sub(bytes(class.slab_objects));
    let in_empty = class.empty_slabs.saturating_mul(class.slab_bytes);
    let others = class.slabs.saturating_sub(class.empty_slabs);
    let free = [
        in_empty,
        bytes(class.in_partial),
        others.saturating_mul(end),
    ];
    let out = [
        class.in_use,
        class.in_sheaves,
        class.in_barns,
        class.in_aliens,
    ];
    let out = out.into_iter().fold(0, u64::saturating_add);
    let resident = class.resident_bytes.unwrap_or(u64::MAX);
    let mut left = resident.saturating_sub(bytes(out));
    let [in_empty, in_partial, slab_ends] = free.map(|bytes| {
        let with_memory = bytes.min(left);
        left -= with_memory;
        with_memory
    });
    let all = free.into_iter().fold(0, u64::saturating_add);
    Totals {
        in_empty,
        in_partial,
        slab_ends,
        slabs_clean: all
            .saturating_sub(in_empty)
            .saturating_sub(in_partial)
            .saturating_sub(slab_ends),
        ..Totals::default()
    }
}
