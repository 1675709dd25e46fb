//! The layout of an arena, for readers outside of the process.
#![forbid(unsafe_code)]

use super::buddy::Buddy;
use super::kind::KINDS;
use super::page_map::PageMap;
use super::record::{BlockRecord, LARGE_BIT};
use super::summary::{Summary, Words};
use super::{Arena, State};
use crate::layout::{Row, Value, fields};
use crate::sync::Lock;
use crate::sys::Table;

/// The structures of this room.
pub(crate) const ROWS: &[&[Row]] = &[
    fields!(Arena as "arena" {
        data, map, dirty, used, lost_pages,
        state as state in Lock::<State>::VALUE,
    }),
    fields!(State as "arena_state" { buddy, committed, excess }),
    fields!(Buddy as "buddy" { free_blocks }),
    fields!(PageMap as "page_map" {
        summary,
        records as records in Table::<BlockRecord>::ENTRIES,
        records as ready in Table::<BlockRecord>::READY,
    }),
    Summary::LAYOUT,
    fields!(Words as "summary_words" {}),
    fields!(BlockRecord as "block_record" { free, dirty, heads, kind }),
];

/// The numbers of this room.
pub(crate) const VALUES: &[Value] = &[
    Value::new("kinds", KINDS as u64),
    Value::new("head_large_bit", LARGE_BIT as u64),
];
