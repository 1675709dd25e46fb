//! What was seen of a process: numbers only, which can be stored, compared and shown.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::named_json::{blocks_by_kind, kinds, numastat};
use crate::named_json::{classes, counts, limit};
pub use crate::pool::{Pool, PoolClass};

/// One look at a process or a core file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The process's number, 0 for a core file.
    pub pid: i32,
    /// The process's name.
    pub command: String,
    /// Its copies of the library, of which some may not have allocated yet.
    pub heaps: Vec<Heap>,
    /// Why other copies could not be read.
    #[serde(default)]
    pub unread: Vec<String>,
}

impl Snapshot {
    /// Threads that have a cache, of whichever copy: one may have one of each.
    pub fn threads(&self) -> u64 {
        let caches = self.heaps.iter().flat_map(|heap| &heap.caches);
        let known: HashSet<i32> = caches.map(|it| it.tid).filter(|it| *it != 0).collect();
        let most = self.heaps.iter().map(|heap| heap.threads).max();
        most.unwrap_or_default().max(known.len() as u64)
    }
}

/// The heap of one copy of the library.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heap {
    /// The library's version.
    pub release: String,
    /// The file that the copy is in.
    pub file: String,
    /// Whether there is a heap: the copy has allocated.
    pub is_made: bool,
    /// Whether numbers still moved when they were read for the last time.
    pub is_approximate: bool,
    /// What it was asked for and has not answered yet.
    #[serde(default)]
    pub pending: Option<String>,
    /// How it was configured.
    pub settings: Settings,
    /// Threads that have a cache.
    pub threads: u64,
    /// Threads that ever had one.
    pub births: u64,
    /// The arenas.
    pub nodes: Vec<Node>,
    /// The classes by number: those of slabs, those of spans, the named caches, and those of pools; the first is none.
    #[serde(with = "classes")]
    pub classes: Vec<Class>,
    /// The cache nodes that hold slabs.
    pub cache_nodes: Vec<CacheNode>,
    /// Mappings of blocks above the largest class.
    pub huge: Huge,
    /// The threads' caches.
    pub caches: Vec<Cache>,
    /// The pools, also closed ones of which blocks are left.
    #[serde(default)]
    pub pools: Vec<Pool>,
    /// What of all that is resident, where that was asked for and can be known.
    pub resident: Option<Resident>,
    /// Where the copy says what lies where.
    #[serde(skip)]
    pub directory: u64,
}

/// How a heap was configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Address space of an arena.
    pub arena_bytes: u64,
    /// Freed huge mappings that are kept at most.
    pub reuse_bytes: u64,
    /// Whether less memory is worth more time.
    pub is_tiny: bool,
    /// Milliseconds in which unused memory goes back, 0 for never.
    pub purge_ms: u64,
    /// Whether there is a thread that gives it back while the program sleeps, where that is known.
    #[serde(default)]
    pub has_purge_thread: Option<bool>,
    /// The limit on resident memory when it was last looked at; none if it is `u64::MAX`.
    #[serde(with = "limit")]
    pub limit_bytes: u64,
}

/// One arena.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The node's number.
    pub id: u64,
    /// Where its reservation begins, which is the metadata's first byte.
    pub start: u64,
    /// Where its arena begins.
    pub base: u64,
    /// Bytes of the arena's address space.
    pub reserved_bytes: u64,
    /// Bytes from the base on that were committed.
    pub committed_bytes: u64,
    /// Bytes of pages in use, by slabs or large blocks.
    pub used_bytes: u64,
    /// Bytes of free pages that still have memory.
    pub dirty_bytes: u64,
    /// Free blocks by kind of pageblock and order.
    #[serde(with = "blocks_by_kind")]
    pub free_blocks: Vec<Vec<u64>>,
    /// Pageblocks of each kind.
    #[serde(with = "kinds")]
    pub pageblocks: Vec<u64>,
    /// The columns of numastat.
    #[serde(with = "numastat")]
    pub numastat: Vec<u64>,
}

/// One size class over all nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// Its number, by which cache nodes and caches know it.
    #[serde(default)]
    pub id: u64,
    /// Its name, which no other class of the heap has.
    #[serde(default)]
    pub name: String,
    /// Whether it is a cache that the program created.
    #[serde(default)]
    pub is_named: bool,
    /// Whether it is the objects of all pools of one size.
    #[serde(default)]
    pub is_pools: bool,
    /// Bytes of an object.
    pub size: u64,
    /// Whether its objects are spans of pages and come from no slab.
    pub is_span: bool,
    /// Objects of a slab.
    pub slab_objects: u64,
    /// Bytes of a slab.
    pub slab_bytes: u64,
    /// Objects of a full-size sheaf.
    pub sheaf_objects: u64,
    /// Slabs.
    pub slabs: u64,
    /// Objects that the program holds; unknown for spans.
    pub in_use: u64,
    /// Objects in threads' sheaves; of pools, those that they have at hand.
    pub in_sheaves: u64,
    /// Objects in barns.
    pub in_barns: u64,
    /// Objects on their way to another node.
    pub in_aliens: u64,
    /// Free objects in slabs with others in use.
    pub in_partial: u64,
    /// Slabs without an object in use.
    pub empty_slabs: u64,
    /// Bytes of its slabs that are resident, where that was asked for and can be known.
    #[serde(default)]
    pub resident_bytes: Option<u64>,
}

/// The slabs of one class on one node, for the processors of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CacheNode {
    /// The node's number.
    pub node: u64,
    /// The class's number.
    pub class: u64,
    /// The cluster's number.
    pub cluster: u64,
    /// Slabs.
    pub slabs: u64,
    /// Slabs without an object in use.
    pub empty_slabs: u64,
    /// Slabs on a list of partial ones.
    pub partial_slabs: u64,
    /// Objects that are out of the slabs.
    pub out: u64,
    /// Objects in the barn.
    pub in_barn: u64,
    /// Full sheaves in the barn.
    pub full_sheaves: u64,
    /// Objects that threads ever took from it.
    pub taken: u64,
    /// Where the target has it; nowhere if it is of pools.
    #[serde(skip)]
    pub address: u64,
}

impl CacheNode {
    /// Whether it has anything.
    pub(crate) fn is_used(&self) -> bool {
        [
            self.slabs,
            self.out,
            self.empty_slabs,
            self.partial_slabs,
            self.in_barn,
        ]
        .iter()
        .any(|it| *it > 0)
    }
}

/// Huge blocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Huge {
    /// Blocks in use.
    pub blocks: u64,
    /// Bytes in use, without the page after each.
    pub bytes: u64,
    /// Bytes of freed mappings that are kept for reuse.
    pub kept_bytes: u64,
    /// Bytes of kept address space without memory.
    pub vacant_bytes: u64,
    /// Bytes that the kernel did not take back.
    pub lost_bytes: u64,
    /// The mappings by address: start, bytes, kind.
    #[serde(skip)]
    pub extents: Vec<Extent>,
}

/// A mapping for huge blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Its address.
    pub start: u64,
    /// Its length.
    pub bytes: u64,
    /// Whether the program holds it.
    pub is_used: bool,
}

/// A thread's cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cache {
    /// Its address.
    pub address: u64,
    /// Whether a thread owns it.
    pub is_owned: bool,
    /// The library's own number of the thread, 0 if nothing counts threads.
    pub thread: u64,
    /// The kernel's number of the thread, 0 if it is not known.
    #[serde(default)]
    pub tid: i32,
    /// The thread's name.
    #[serde(default)]
    pub name: String,
    /// The node that the thread takes memory from.
    pub node: u64,
    /// Objects in its sheaves, by class, where there are any.
    #[serde(with = "counts")]
    pub objects: Vec<(u64, u64)>,
    /// Objects on their way to other nodes.
    #[serde(with = "counts")]
    pub aliens: Vec<(u64, u64)>,
}

/// Resident bytes by what lies there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resident {
    /// Slabs.
    pub slabs: u64,
    /// Large blocks, in use or cached.
    pub large: u64,
    /// Free pages.
    pub free: u64,
    /// Huge blocks in use.
    pub huge: u64,
    /// Freed huge mappings.
    pub huge_kept: u64,
    /// Tables, cache nodes, sheaves and thread caches.
    pub metadata: u64,
    /// What was swapped out of all that, and is not resident.
    #[serde(default)]
    pub swapped: u64,
}

impl Resident {
    /// The bytes by name.
    pub fn rows(&self) -> [(&'static str, u64); 6] {
        [
            ("slabs", self.slabs),
            ("large blocks", self.large),
            ("free pages", self.free),
            ("huge blocks", self.huge),
            ("huge mappings kept", self.huge_kept),
            ("metadata", self.metadata),
        ]
    }

    /// All of it.
    pub fn sum(&self) -> u64 {
        self.slabs + self.large + self.free + self.huge + self.huge_kept + self.metadata
    }
}
