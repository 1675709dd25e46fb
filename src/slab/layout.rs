//! The layout of slabs, cache nodes and sheaves, for readers outside of the process.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, AtomicU32};

use super::barn::Barn;
use super::cache_node::{CacheNode, PARTIAL_LISTS};
use super::cache_nodes::{CacheNodes, Entry};
use super::class::{ALL_CLASSES, CLASSES, ClassInfo, MAX_OBJECTS};
use super::list::SlabList;
use super::named::NAMED;
use super::owner::{NUMBER_SHIFT, Owner};
use super::pooled::{self, PoolClass};
use super::record::{self, SlabRecord};
use super::sampled::Sampled;
use super::sheaf::{Header, SheafStack};
use super::table::{NEAR, SlabTables};
use crate::layout::{Row, Value, fields};
use crate::sync::{CachePadded, Lock, Once};
use crate::sys::Table;

type Owners = Table<AtomicU32>;

/// The structures of this room.
pub(crate) const ROWS: &[&[Row]] = &[
    fields!(ClassInfo as "class" { size, objects, granules }),
    record::LAYOUT,
    fields!(SlabTables as "slab_tables" {
        classes as classes in Table::<AtomicU8>::ENTRIES,
        classes as classes_ready in Table::<AtomicU8>::READY,
        near as near in Table::<SlabRecord>::ENTRIES,
        near as near_ready in Table::<SlabRecord>::READY,
        records as records in Table::<SlabRecord>::ENTRIES,
        records as records_ready in Table::<SlabRecord>::READY,
        granules, owners,
    }),
    fields!(Once<Owners> as "owners_once" {}),
    &[
        Row::new("owners_once", "state", Once::<Owners>::STATE),
        Row::new("owners_once", "value", Once::<Owners>::VALUE),
    ],
    fields!(Owners as "owners" {}),
    &[
        Row::new("owners", "entries", Owners::ENTRIES),
        Row::new("owners", "ready", Owners::READY),
    ],
    fields!(CacheNodes as "cache_nodes" {
        entries as entries in Table::<CachePadded<Entry>>::ENTRIES,
        clusters,
        used,
    }),
    fields!(CachePadded<Entry> as "cache_node_padded" {}),
    fields!(Entry as "cache_node_entry" { cache_node as cache_node in Lock::<CacheNode>::VALUE }),
    fields!(Sampled as "sampled" { cache_nodes }),
    fields!(Lock<CacheNode> as "cache_node_locked" {}),
    &[Row::new(
        "cache_node_locked",
        "cache_node",
        Lock::<CacheNode>::VALUE,
    )],
    fields!(CacheNode as "cache_node" { lists, slabs, out, barn }),
    fields!(SlabList as "slab_list" { first, count }),
    fields!(Barn as "barn" { full, count, empty, open, taken }),
    fields!(SheafStack as "sheaf_stack" {}),
    fields!(Header as "sheaf" { next, count }),
    PoolClass::LAYOUT,
];

/// The numbers of this room.
pub(crate) const VALUES: &[Value] = &[
    Value::new("classes", CLASSES as u64),
    Value::new("all_classes", ALL_CLASSES as u64),
    Value::new("max_objects", MAX_OBJECTS as u64),
    Value::new("partial_lists", PARTIAL_LISTS as u64),
    Value::new("near_records", NEAR as u64),
    Value::new("named_class", NAMED.0 as u64),
    Value::new("owner_number_shift", NUMBER_SHIFT as u64),
    Value::new("first_pool_number", Owner::MOST as u64 + 1),
    Value::new(
        "profile_number",
        (Owner::MOST + Owner::MOST_POOLS) as u64 + 1,
    ),
    Value::new("slab_skipped_bit", record::SKIPPED as u64),
    Value::new("pool_partial_list", pooled::PARTIAL as u64),
    Value::new("pool_full_list", pooled::FULL as u64),
];
