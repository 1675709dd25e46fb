//! All nodes together: routing by size, fallback by distance, and what needs no thread cache.
//!
//! # Invariant
//!
//! A block lives in exactly one place: a slab, a span of a node's arena, or a mapping in the
//! registry; its address tells which.

mod abandon;
mod barns;
mod beyond;
mod clusters;
mod flush;
mod fork;
mod growth;
mod large;
pub(crate) mod layout;
mod limits;
mod locate;
mod metadata;
mod node;
mod numa;
mod onnode;
mod pressure;
mod purge;
mod refill;
mod refusals;
mod resize;
mod sampled;
mod settings;
mod site;
mod soon;
mod spans;
mod tune;
mod violations;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use clusters::Clusters;
use limits::Bounds;
pub(crate) use locate::Home;
pub(crate) use node::Node;
pub(crate) use purge::Round;
pub use refusals::LimitStats;
use refusals::Refusals;
pub(crate) use resize::Resized;
pub(crate) use settings::Settings;
use site::Site;
use tune::Tuning;
use violations::violation_of_huge;

pub(crate) use crate::huge::longest_growth;
use crate::huge::{Huge, HugeCounts};
use crate::numa::{NodeSet, NumaStat, Topology};
use crate::report::{Context, report_violation};
use crate::slab::{Object, class};
use crate::sys::Policy;
use crate::units::{ClassId, ClusterId, MAX_NODES, NodeId, PAGE_SIZE};

/// All memory of a program.
#[derive(Debug)]
pub(crate) struct Heap {
    topology: Topology,
    /// The nodes that threads take memory from.
    homes: NodeSet,
    /// Those nodes, one after the other, and then the arena for what is spread by page.
    nodes: [Option<&'static Node>; MAX_NODES + 1],
    huge: Huge,
    bounds: Bounds,
    tuning: Tuning,
    settings: Settings,
    numastat: NumaStat,
    refusals: Refusals,
    /// Threads that have a cache.
    threads: AtomicUsize,
    clusters: Clusters,
}

impl Heap {
    /// A heap on the nodes of `topology`; `None` where not even one node's memory can be reserved.
    #[cold]
    #[inline(never)]
    pub(crate) fn new(topology: Topology, settings: Settings) -> Option<Self> {
        let choice = settings.choice;
        let homes = choice.homes(&topology);
        let spread = choice.spreads(&topology).then(|| homes.iter().next());
        let policy = |id| choice.arena(&topology, id);
        let arenas = homes.iter().map(|id| (id, policy(id)));
        let spread = spread.flatten();
        let spread = spread.map(|id| (id, choice.block(&topology, id)));
        let mut nodes = [None; MAX_NODES + 1];
        if !build_nodes(&mut arenas.chain(spread), &settings, &mut nodes) {
            return None;
        }
        let heap = Self {
            topology,
            homes,
            nodes,
            huge: Huge::new(settings.reuse_bytes),
            bounds: Bounds::new(settings.limit.clone()),
            tuning: Tuning::new(),
            clusters: Clusters::new(&settings),
            settings,
            numastat: NumaStat::new(),
            refusals: Refusals::new(),
            threads: AtomicUsize::new(0),
        };
        heap.obey();
        Some(heap)
    }

    /// All arenas with what belongs to them.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &'static Node> {
        self.nodes.iter().copied().map_while(|node| node)
    }

    /// Whether threads of several nodes have different homes.
    pub(crate) fn is_numa(&self) -> bool {
        self.homes.len() > 1
    }

    /// Whether it matters where a thread runs.
    #[inline]
    pub(crate) fn has_places(&self) -> bool {
        self.is_numa() || self.clusters.are_several()
    }

    /// Records how many threads have a cache.
    pub(crate) fn note_threads(&self, threads: usize) {
        // ORDERING: relaxed, a number that decides how much to keep.
        self.threads.store(threads, Relaxed);
    }

    /// How many threads have a cache.
    pub(crate) fn threads(&self) -> usize {
        // ORDERING: relaxed, as above.
        self.threads.load(Relaxed)
    }

    /// The clusters of processors.
    pub(crate) fn clusters(&self) -> &Clusters {
        &self.clusters
    }

    /// Whether less memory is worth more time.
    pub(crate) fn is_tiny(&self) -> bool {
        self.settings.is_tiny
    }

    /// Whether sizes that a thread rarely asks for share the bins of larger ones.
    pub(crate) fn shares_bins(&self) -> bool {
        self.settings.shares_bins
    }

    /// The machine.
    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// How much memory came from which node.
    pub(crate) fn numastat(&self) -> &NumaStat {
        &self.numastat
    }

    /// The node that runs the caller; as good as any where nobody knows.
    pub(crate) fn current_node(&self) -> Option<NodeId> {
        (self.settings.current_node)().map(NodeId)
    }

    /// The node that serves a thread on `node`.
    pub(crate) fn home_of(&self, node: NodeId) -> &'static Node {
        let home = self.topology.home_of(node, self.homes);
        match self.nodes().find(|node| node.id() == home) {
            Some(node) => node,
            None => crate::report::internal_error("a node without memory is a home"),
        }
    }

    /// The nodes to try for a thread of `home`, the nearest first.
    pub(crate) fn nearest_first(&self, home: &Node) -> impl Iterator<Item = &'static Node> + '_ {
        self.topology
            .nearest_first(home.id(), self.homes)
            .map(|id| self.home_of(id))
    }

    /// One small object past all sheaves, for a thread without.
    pub(crate) fn take_object(&self, home: &'static Node, id: ClassId) -> Option<Object> {
        let take = |node: &'static Node| {
            let object = node.take_one(ClusterId::default(), id);
            self.note_slabs(node, home, ClusterId::default(), id);
            object
        };
        let anywhere = || take(home).or_else(|| self.nearest_first(home).find_map(take));
        self.take_within(class::info(id).slab_bytes(), anywhere)
    }

    /// Takes back a block that no thread cache took; ends the process if it is none.
    #[cold]
    pub(crate) fn give(&self, block: NonNull<u8>) {
        let address = block.as_ptr() as usize;
        match self.locate(address) {
            Home::Slab {
                node,
                class,
                is_start: true,
            } if class::is_span(class) => self.give_span(node, class, address),
            Home::Slab {
                node,
                class,
                is_start: true,
            } => self.take_back(node, class, &mut [block.as_ptr()]),
            Home::Sampled {
                node,
                class,
                is_start: true,
            } => node.give_sampled(class, block),
            Home::Page {
                node,
                page,
                is_start: true,
            } => node.give_pages(page, address),
            Home::Outside => self.give_huge(address),
            _ => self.misplaced(address),
        }
    }

    /// As [`Self::give`], of what belongs to no node.
    pub(crate) fn give_huge(&self, address: usize) {
        if let Err(why) = self.huge.give(address) {
            report_violation(violation_of_huge(why), address, Context::Nowhere);
        }
    }

    /// The usable bytes of the block at `address`; `None` if there is none.
    pub(crate) fn usable_size(&self, address: usize) -> Option<usize> {
        match self.locate(address) {
            Home::Slab {
                class, is_start, ..
            }
            | Home::Sampled {
                class, is_start, ..
            } => is_start.then(|| class::info(class).size as usize),
            Home::Named {
                owner, is_start, ..
            } => is_start.then(|| class::info(owner.class()).size as usize),
            Home::Page {
                node,
                page,
                is_start: true,
            } => node
                .arena()
                .large_pages(page)
                .ok()
                .map(|pages| pages as usize * PAGE_SIZE),
            Home::Page { .. } => None,
            Home::Outside => self.huge.bytes_at(address).ok(),
        }
    }

    /// Gives all memory that is not in use back to the kernel; returns whether there was any.
    pub(crate) fn trim(&self) -> bool {
        let huge = self.huge.trim() > 0;
        self.empty_barns();
        self.nodes().fold(huge, |any, node| node.trim() || any)
    }

    /// Records that the program changes properties of what lies between two addresses.
    pub(crate) fn note_changed(&self, start: usize, end: usize) {
        let note = |any, node: &Node| node.note_changed(start, end) || any;
        if !self.nodes().fold(false, note) {
            self.huge.note_changed(start, end);
        }
    }

    /// Numbers about huge blocks.
    pub(crate) fn huge_counts(&self) -> HugeCounts {
        self.huge.counts()
    }

    /// Checks everything; aborts if something contradicts itself.
    pub(crate) fn validate(&self) {
        self.nodes().for_each(Node::validate);
    }
}

/// Nodes with these numbers in `places`, whose memory comes from where the policies say; all or none. Calls itself, since
/// room for what is reserved for all nodes that there may be is memory that every process would have to get.
#[cold]
#[inline(never)]
fn build_nodes(
    wanted: &mut dyn Iterator<Item = (NodeId, Option<Policy>)>,
    settings: &Settings,
    places: &mut [Option<&'static Node>],
) -> bool {
    let Some(((place, rest), (id, policy))) = places.split_first_mut().zip(wanted.next()) else {
        return true;
    };
    let Some(site) = Site::find(id, settings, policy) else {
        return false;
    };
    if !build_nodes(wanted, settings, rest) {
        site.leave();
        return false;
    }
    *place = Some(site.build(settings));
    true
}
