//! One node's memory: a reservation, the tables that describe it, and the cache nodes cut from it.
//!
//! # Invariant
//!
//! A node lives for ever, inside its own reservation. Locks are taken in the order of the fields,
//! and cache nodes before the arena.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Settings;
use super::metadata::Metadata;
use crate::arena::Arena;
use crate::decay::{Budget, Elapsed};
use crate::limit;
use crate::slab::{
    CacheNode, CacheNodeCounts, CacheNodes, Owner, Place, Sampled, SheafStack, SlabTables, class,
};
use crate::sync::{CachePadded, Lock, Once};
use crate::sys::{Policy, Region};
use crate::units::{ClassId, ClusterId, NodeId};

/// One node's memory.
#[derive(Debug)]
pub(crate) struct Node {
    pub(super) id: NodeId,
    /// Where its memory comes from.
    policy: Option<Policy>,
    /// Held while the kernel takes pages of a slab, which is on no list meanwhile.
    releasing: CachePadded<Lock<()>>,
    pub(super) cache_nodes: CacheNodes,
    /// Slabs of sampled objects, once there was one.
    pub(super) sampled: Once<&'static Sampled>,
    pub(super) tables: SlabTables,
    /// Empty small sheaves, for any class, by their two sizes.
    small_sheaves: CachePadded<Lock<[SheafStack; 2]>>,
    pub(super) arena: CachePadded<Arena>,
    pub(super) metadata: CachePadded<Metadata>,
    /// Whether addresses of it were given back.
    has_shrunk: AtomicBool,
    /// What is charged to the limit of the heap whose first node this is.
    pub(super) charges: limit::Budget,
}

/// The parts of a node's reservation.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) home: Region,
    pub(super) first: Region,
    pub(super) cache_nodes: Region,
    pub(super) granules: Region,
    pub(super) map: Region,
    pub(super) records: Region,
    pub(super) metadata: Region,
    pub(super) data: Region,
}

impl Node {
    /// The node with arena `data`, in its own reservation. No system call that could be refused is made.
    pub(super) fn build(
        id: NodeId,
        policy: Option<Policy>,
        parts: Parts,
        settings: &Settings,
    ) -> &'static Self {
        let bytes = parts.data.bytes();
        let node = Self {
            id,
            policy,
            releasing: CachePadded::new(Lock::new(())),
            cache_nodes: CacheNodes::new(parts.cache_nodes, settings.clusters),
            sampled: Once::new(),
            tables: SlabTables::new(parts.granules, parts.records, bytes, settings.is_tiny),
            small_sheaves: CachePadded::new(Lock::new(Default::default())),
            arena: CachePadded::new(Arena::new(parts.data, parts.map, settings.is_eager)),
            metadata: CachePadded::new(Metadata::new(parts.first, parts.metadata)),
            has_shrunk: AtomicBool::new(false),
            charges: limit::Budget::empty(),
        };
        Metadata::settle(parts.home, node)
    }

    /// The node's number.
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// Where its memory comes from.
    pub(crate) fn policy(&self) -> Option<Policy> {
        self.policy
    }

    /// Whether all its memory is on this node, as far as that had any.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.policy, Some(Policy::Prefer(_) | Policy::Bind { .. }))
    }

    /// Whether its memory is spread over nodes by page.
    pub(crate) fn is_spread(&self) -> bool {
        matches!(self.policy, Some(Policy::Interleave { .. }))
    }

    /// The node's pages.
    pub(crate) fn arena(&self) -> &Arena {
        &self.arena
    }

    /// The node's class map and slab table.
    pub(crate) fn tables(&self) -> &SlabTables {
        &self.tables
    }

    /// The lock under which pages of slabs go back, one slab at a time.
    pub(super) fn releasing(&self) -> &Lock<()> {
        &self.releasing
    }

    /// Memory for tables.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Bytes of our own tables.
    pub(crate) fn table_bytes(&self) -> usize {
        let map = self.arena.counts().map_bytes;
        self.metadata.committed_bytes() + self.tables.committed_bytes() + map
    }

    /// Where the slabs of a cluster's cache nodes lie.
    #[inline]
    pub(crate) fn place(&self, cluster: ClusterId) -> Place<'_> {
        Place {
            arena: &self.arena,
            tables: &self.tables,
            cluster,
            owner: Owner::MALLOC,
        }
    }

    /// A cluster's cache node of a class.
    #[inline]
    pub(crate) fn cache_node(&self, cluster: ClusterId, id: ClassId) -> &Lock<CacheNode> {
        self.cache_nodes.get(cluster, id)
    }

    /// The lock that is held while a slab is made for that cache node.
    pub(super) fn growing(&self, cluster: ClusterId, id: ClassId) -> &Lock<()> {
        self.cache_nodes.growing(cluster, id)
    }

    /// The cluster whose cache node has the slab of the object of class `id` at `address`, which is out.
    #[inline]
    pub(crate) fn cluster_of(&self, address: usize, id: ClassId) -> ClusterId {
        let offset = address.wrapping_sub(self.arena.base());
        self.tables.cluster_of(offset, id)
    }

    /// The slabs of sampled objects, if there ever was one.
    pub(super) fn sampled(&self) -> Option<&'static Sampled> {
        self.sampled.get().copied()
    }

    /// The same, made now if need be; `None` where there is no memory for that.
    pub(super) fn make_sampled(&self) -> Option<&'static Sampled> {
        let make = || self.metadata().zeroed();
        self.sampled.get_or_try_make(make).copied()
    }

    /// The cache nodes of a class that were ever used.
    pub(crate) fn used_cache_nodes(
        &self,
        id: ClassId,
    ) -> impl Iterator<Item = (ClusterId, &Lock<CacheNode>)> {
        let used = move |cluster| Some((cluster, self.cache_nodes.used(cluster, id)?));
        self.cache_nodes.clusters().filter_map(used)
    }

    /// The numbers of a class, where full sheaves have as many objects as that.
    pub(crate) fn counts(&self, id: ClassId, capacity: usize) -> CacheNodeCounts {
        let mut sum = self.sampled().map(|it| it.counts(id)).unwrap_or_default();
        for (_, cache_node) in self.used_cache_nodes(id) {
            let counts = cache_node.lock().counts(capacity);
            sum.slabs += counts.slabs;
            sum.out += counts.out;
            sum.in_barn += counts.in_barn;
        }
        sum
    }

    /// Gives slabs of a class without an object in use up.
    pub(super) fn trim_class(&self, id: ClassId) {
        for (cluster, cache_node) in self.used_cache_nodes(id) {
            cache_node.lock().trim(self.place(cluster), id, 0);
        }
        if let Some(sampled) = self.sampled() {
            sampled.trim(self.place(ClusterId::default()), id);
        }
    }

    /// Gives slabs without an object in use up.
    pub(super) fn trim_cache_nodes(&self) {
        class::all().for_each(|id| self.trim_class(id));
    }

    /// Empty small sheaves, the smallest first.
    pub(crate) fn small_sheaves(&self) -> &Lock<[SheafStack; 2]> {
        &self.small_sheaves
    }

    /// Whether `address` lies in the node's reservation.
    #[inline]
    pub(crate) fn owns(&self, address: usize) -> bool {
        address.wrapping_sub(self.arena.base()) < self.arena.bytes()
    }

    /// Takes all locks from the top down, to hold them across a fork; those of cache nodes that nobody may use stay untouched.
    pub(crate) fn hold_for_fork(&self, clusters: impl Iterator<Item = ClusterId> + Clone) {
        let cache_nodes = || {
            clusters
                .clone()
                .flat_map(|it| class::all().map(move |id| (it, id)))
        };
        // Who has no cache, which the caller has locked, uses the first cluster's.
        let may_be_used = |(cluster, id): &(ClusterId, ClassId)| {
            cluster.0 == 0 || self.cache_nodes.used(*cluster, *id).is_some()
        };
        let cache_nodes = || cache_nodes().filter(may_be_used);
        cache_nodes()
            .for_each(|(cluster, id)| self.cache_nodes.growing(cluster, id).hold_for_fork());
        self.releasing.hold_for_fork();
        cache_nodes().for_each(|(cluster, id)| self.cache_nodes.any(cluster, id).hold_for_fork());
        self.sampled().inspect(|sampled| sampled.hold_for_fork());
        self.tables.growth().hold_for_fork();
        self.small_sheaves.hold_for_fork();
        self.arena.hold_for_fork();
        self.metadata.hold_for_fork();
    }

    /// Whether nobody holds any of these locks at this moment.
    pub(crate) fn is_quiet(&self) -> bool {
        let is_free = |id: ClassId| {
            self.used_cache_nodes(id).all(|(cluster, cache_node)| {
                cache_node.is_free() && self.cache_nodes.growing(cluster, id).is_free()
            })
        };
        class::all().all(is_free)
            && self.sampled().is_none_or(Sampled::is_quiet)
            && self.releasing.is_free()
            && self.tables.growth().is_free()
            && self.small_sheaves.is_free()
            && self.arena.is_quiet()
            && self.metadata.is_quiet()
    }

    /// Gives empty slabs and the memory of free pages back; returns whether there was any.
    pub(crate) fn trim(&self) -> bool {
        self.trim_cache_nodes();
        let outside = self.arena.purge();
        let (inside, _) = self.sweep(Elapsed::FOR_EVER, &mut 0, &mut Budget::unlimited());
        inside + outside > 0
    }

    /// Gives the address space that nothing was put into yet back and returns `true` if the arena had any.
    pub(crate) fn shrink(&self) -> bool {
        // ORDERING: relaxed, read when nobody uses the node any more.
        self.has_shrunk.store(true, Relaxed);
        let is_shrunk = self.arena.shrink();
        if is_shrunk {
            self.tables.shrink(self.arena.bytes());
            self.metadata.shrink();
        }
        is_shrunk
    }

    /// Whether addresses of it were given back.
    pub(super) fn has_shrunk(&self) -> bool {
        // ORDERING: as above.
        self.has_shrunk.load(Relaxed)
    }

    /// Checks everything; aborts if something contradicts itself.
    pub(crate) fn validate(&self) {
        for id in class::all() {
            for (cluster, cache_node) in self.used_cache_nodes(id) {
                cache_node.lock().validate(self.place(cluster), id);
            }
            if let Some(sampled) = self.sampled() {
                sampled.validate(self.place(ClusterId::default()), id);
            }
        }
        self.arena.validate();
    }
}
