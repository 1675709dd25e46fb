//! The layout of what is known of huge blocks, for readers outside of the process.
#![forbid(unsafe_code)]

use super::Huge;
use super::extents::{Extents, Kind};
use super::node::{FIRST, HEADS, Node, Nodes};
use super::recent::{FLAGS, PAGE_SHIFT, PARKED, Recent};
use super::state::State;
use crate::layout::{Row, Value, fields};
use crate::sync::Lock;
use crate::sys::Table;

/// The structures of this room.
pub(crate) const ROWS: &[&[Row]] = &[
    fields!(Huge as "huge" { state as state in Lock::<State>::VALUE, recent }),
    fields!(State as "huge_state" { extents, lost_bytes }),
    fields!(Extents as "extents" { nodes, blocks, used_bytes, kept_bytes, vacant_bytes }),
    fields!(Nodes as "extent_nodes" { chunks, ready, fresh }),
    // There is room for no tag, so that a chunk that exists is at its beginning.
    fields!(Option<Table<Node>> as "extent_chunk" {}),
    fields!(Node as "extent" { cell, kind, after, before }),
    fields!(Recent as "recent" { entries }),
];

const _: () = assert!(size_of::<Option<Table<Node>>>() == size_of::<Table<Node>>());

/// The numbers of this room.
pub(crate) const VALUES: &[Value] = &[
    Value::new("extent_chunk_entries", Table::<Node>::ENTRIES.offset as u64),
    Value::new("extent_first_chunk", FIRST as u64),
    Value::new("extent_heads", HEADS as u64),
    Value::new("extent_used", Kind::Used as u64),
    Value::new("extent_changed", Kind::Changed as u64),
    Value::new("extent_noted", Kind::Noted as u64),
    Value::new("extent_kept", Kind::Kept as u64),
    Value::new("extent_vacant", Kind::Vacant as u64),
    Value::new("recent_parked_bit", PARKED),
    Value::new("recent_flag_bits", FLAGS as u64),
    Value::new("recent_page_shift", PAGE_SHIFT as u64),
];
