//! The layout of the heap and its nodes, for readers outside of the process.
#![forbid(unsafe_code)]

use super::limits::Bounds;
use super::metadata::{Metadata, State};
use super::{Heap, Node, Settings};
use crate::layout::{Row, Value, fields};
use crate::slab::Sampled;
use crate::sync::{Lock, Once};
use crate::units::{BLOCK_SIZE, GRANULE_SIZE, MAX_NODES, ORDERS, PAGE_SIZE};

/// The structures of this room.
pub(crate) const ROWS: &[&[Row]] = &[
    fields!(Heap as "heap" { homes, nodes, huge, bounds, settings, numastat, threads }),
    fields!(Settings as "settings" {
        arena_bytes, reuse_bytes, is_tiny, is_eager, shares_bins,
    }),
    fields!(Bounds as "bounds" { hard }),
    // What is padded begins where its padding does.
    fields!(Node as "node" {
        id, cache_nodes, tables, arena, metadata,
        sampled as sampled_state in Once::<&Sampled>::STATE,
        sampled as sampled in Once::<&Sampled>::VALUE,
    }),
    fields!(Metadata as "metadata" { first, region, state as state in Lock::<State>::VALUE }),
    fields!(State as "metadata_state" { first_used, used, committed }),
];

/// The numbers of this room.
pub(crate) const VALUES: &[Value] = &[
    Value::new("page_bytes", PAGE_SIZE as u64),
    Value::new("granule_bytes", GRANULE_SIZE as u64),
    Value::new("block_bytes", BLOCK_SIZE as u64),
    Value::new("orders", ORDERS as u64),
    Value::new("max_nodes", MAX_NODES as u64),
];
