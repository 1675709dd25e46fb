//! Looks at everything, changes nothing: the sums of every room's numbers, and their text.
#![forbid(unsafe_code)]

mod named;
mod nodes;

use crate::arena::ArenaCounts;
use crate::cache::{Registry, sheaf_capacity};
use crate::heap::Heap;
use crate::kmem::Kmem;
use crate::numa::NUMASTAT_NAMES;
use crate::pool::Pools;
use crate::report::Line;
use crate::slab::class;
use crate::units::{ClassId, NodeId, ORDERS, PAGE_SIZE};
use nodes::{NODES_IN_LINE, buddyinfo, numastat, unusable_index};

/// Longest line of a report.
const LINE: usize = 160;

/// What a heap holds, in bytes unless said otherwise.
///
/// Numbers are true at one moment each; while other threads allocate they need not agree. Freed
/// objects on their way to another node count as in use until they arrive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Memory of the arenas.
    pub arena: usize,
    /// Bytes of the arenas that the program holds.
    pub in_use: usize,
    /// Objects that wait in sheaves.
    pub cached_objects: usize,
    /// Bytes of the objects that wait in sheaves.
    pub cached: usize,
    /// Free blocks of the buddy system.
    pub free_blocks: usize,
    /// Bytes of free pages that still have memory.
    pub purgeable: usize,
    /// Huge blocks that the program holds.
    pub huge_blocks: usize,
    /// Bytes of the huge blocks that the program holds.
    pub huge: usize,
    /// Bytes of freed huge blocks that are kept for reuse.
    pub huge_kept: usize,
    /// Bytes of freed blocks that serve no more, since the program sealed them.
    pub lost: usize,
    /// Memory of our own tables.
    pub tables: usize,
    /// Thread caches that a thread owns.
    pub threads: usize,
}

impl Stats {
    /// Bytes of the arenas that are free.
    pub fn free(&self) -> usize {
        self.arena.saturating_sub(self.in_use)
    }
}

/// One class's numbers over all nodes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClassStats {
    /// Bytes of an object.
    pub size: usize,
    /// Objects that the program holds.
    pub in_use: usize,
    /// Objects that wait in sheaves.
    pub cached: usize,
    /// Slabs.
    pub slabs: usize,
    /// Objects that the slabs hold.
    pub total: usize,
    /// Bytes of the slabs.
    pub held: usize,
}

impl ClassStats {
    /// The share of the slabs that the program's objects take, in percent.
    pub fn used_percent(&self) -> usize {
        let used = self.in_use * self.size * 100;
        used.checked_div(self.held).unwrap_or(0)
    }
}

/// One node's free memory, by order.
#[derive(Clone, Copy, Debug)]
pub struct NodeStats {
    /// The node's number.
    pub node: u8,
    /// Free blocks of each order.
    pub free_blocks: [u32; ORDERS],
    /// For each order the share of the free pages that cannot serve a block of it, because they lie in
    /// smaller ones, in thousandths: the kernel's unusable free space index.
    pub unusable: [usize; ORDERS],
}

/// A heap and its thread caches, to be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'heap> {
    /// The heap.
    pub(crate) heap: &'heap Heap,
    /// Its thread caches.
    pub(crate) caches: &'heap Registry,
    /// Its named caches, if there are any.
    pub(crate) kmem: Option<&'heap Kmem>,
    /// Its pools, if there are any.
    pub(crate) pools: Option<&'static Pools>,
}

impl View<'_> {
    /// The numbers of every class that has a slab, by size.
    pub(crate) fn classes(&self) -> impl Iterator<Item = ClassStats> {
        class::all()
            .map(|id| self.class(id))
            .filter(|class| class.slabs > 0)
    }

    #[inline(never)]
    fn class(&self, id: ClassId) -> ClassStats {
        let info = class::info(id);
        let mut stats = ClassStats {
            size: info.size as usize,
            ..ClassStats::default()
        };
        let mut out = 0;
        for node in self.heap.nodes() {
            let counts = node.counts(id, sheaf_capacity(id));
            stats.slabs += counts.slabs;
            stats.cached += counts.in_barn;
            out += counts.out;
        }
        stats.total = stats.slabs * info.objects as usize;
        stats.held = stats.slabs * info.slab_bytes();
        self.caches
            .for_each(|cache| stats.cached += cache.cached(id));
        stats.in_use = out.saturating_sub(stats.cached);
        stats
    }

    /// The sums.
    #[inline(never)]
    pub(crate) fn sums(&self) -> Stats {
        let huge = self.heap.huge_counts();
        let mut stats = Stats {
            huge_blocks: huge.blocks,
            huge: huge.bytes,
            huge_kept: huge.kept_bytes,
            lost: huge.lost_bytes,
            threads: self.caches.count(),
            ..Stats::default()
        };
        let mut slab_bytes = 0;
        for id in class::all() {
            let class = self.class(id);
            slab_bytes += class.slabs * class::info(id).slab_bytes();
            stats.in_use += class.in_use * class.size;
            stats.cached_objects += class.cached;
            stats.cached += class.cached * class.size;
        }
        let named = self.named_sums();
        slab_bytes += named.held + named.own;
        let (pool_slabs, pool_objects) = self.pools.map_or((0, 0), Pools::slab_sums);
        slab_bytes += pool_slabs;
        stats.in_use += named.in_use + pool_objects;
        stats.cached_objects += named.cached_objects;
        stats.cached += named.cached;
        stats.tables += named.own;
        for node in self.heap.nodes() {
            let counts = node.arena().counts();
            stats.arena += counts.committed_pages as usize * PAGE_SIZE;
            let used = counts.committed_pages - counts.free_pages;
            stats.in_use += used as usize * PAGE_SIZE;
            stats.free_blocks += counts.free_blocks.iter().sum::<u32>() as usize;
            stats.purgeable += counts.dirty_pages as usize * PAGE_SIZE;
            stats.tables += node.table_bytes();
            stats.lost += node.arena().lost_bytes();
        }
        // Slabs are used pages too, but what counts of them are their objects.
        stats.in_use = stats.in_use.saturating_sub(slab_bytes);
        self.caches.for_each(|cache| {
            let (spans, bytes) = cache.waiting_spans();
            stats.cached_objects += spans;
            stats.cached += bytes;
            stats.in_use = stats.in_use.saturating_sub(bytes);
        });
        stats
    }

    /// The whole report, a line at a time.
    pub(crate) fn print(&self, mut put: impl FnMut(&[u8])) {
        let mut line = |build: &dyn Fn(&mut Line<LINE>)| {
            let mut text = Line::new();
            build(&mut text);
            text.text("\n");
            put(text.as_bytes());
        };
        let sums = self.sums();
        line(&|it| {
            it.head().text("statistics of version ");
            it.text(env!("CARGO_PKG_VERSION")).text(", in KiB");
        });
        let mut row = |name: &str, number: usize| {
            line(&|it| _ = it.text("  ").text(name).column(32).padded(number, 12));
        };
        for (name, bytes) in [
            ("in use in arenas", sums.in_use),
            ("in use in huge mappings", sums.huge),
            ("arenas", sums.arena),
            ("waiting in sheaves", sums.cached),
            ("free pages with memory", sums.purgeable),
            ("huge mappings kept", sums.huge_kept),
            ("sealed and lost", sums.lost),
            ("own tables", sums.tables),
        ] {
            row(name, bytes.div_ceil(1024));
        }
        row("threads with a cache", sums.threads);
        self.heap.print_limit(&mut line);
        line(&|it| {
            it.text("cache              objsize   in use  waiting    total  slabs   used");
        });
        for class in self.classes() {
            line(&|it| {
                it.text("kmalloc-").number(class.size);
                columns(it, &class);
            });
        }
        self.print_named(&mut line);
        for node in self.heap.nodes() {
            let counts = node.arena().counts();
            line(&|it| buddyinfo(it, node, &counts));
            line(&|it| unusable_index(it, node, &counts));
        }
        let homes = self.heap.topology().homes();
        if homes.len() > 1 {
            for block in 0..homes.len().div_ceil(NODES_IN_LINE) {
                numastat(self.heap, block * NODES_IN_LINE, &mut line);
            }
        }
    }

    /// The free memory of every arena.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeStats> {
        self.heap.nodes().map(|node| {
            let counts = node.arena().counts();
            NodeStats {
                node: node.id().0,
                free_blocks: counts.free_blocks,
                unusable: core::array::from_fn(|order| unusable_thousandths(&counts, order)),
            }
        })
    }

    /// What each node of the machine gave, in pages; nothing where there is but one.
    pub(crate) fn numastat(&self) -> impl Iterator<Item = (NodeId, [u64; NUMASTAT_NAMES.len()])> {
        let homes = self.heap.topology().homes();
        let wanted = homes.iter().filter(move |_| homes.len() > 1);
        wanted.map(|node| (node, self.heap.numastat().of(node)))
    }
}

/// A class's or a cache's numbers, after its name.
fn columns(line: &mut Line<LINE>, class: &ClassStats) {
    line.column(18).padded(class.size, 8);
    line.padded(class.in_use, 9)
        .padded(class.cached, 9)
        .padded(class.total, 9);
    line.padded(class.slabs, 7)
        .padded(class.used_percent(), 6)
        .text("%");
}

/// Of the free pages, in thousandths, those that lie in blocks of a smaller order.
fn unusable_thousandths(counts: &ArenaCounts, order: usize) -> usize {
    let blocks = (0..).zip(counts.free_blocks).skip(order);
    let usable: u64 = blocks
        .map(|(order, count): (u32, u32)| u64::from(count) << order)
        .sum();
    let unusable = counts.free_pages.saturating_sub(usable) * 1000;
    unusable.checked_div(counts.free_pages).unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_in_blocks_that_are_too_small_cannot_serve() {
        let mut counts = ArenaCounts::default();
        assert_eq!(unusable_thousandths(&counts, 3), 0);
        (counts.free_blocks[0], counts.free_blocks[2]) = (4, 3);
        counts.free_pages = 16;
        assert_eq!(unusable_thousandths(&counts, 0), 0);
        assert_eq!(unusable_thousandths(&counts, 1), 250);
        assert_eq!(unusable_thousandths(&counts, 2), 250);
        assert_eq!(unusable_thousandths(&counts, 10), 1000);
    }
}
