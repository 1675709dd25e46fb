//! The layout of regions, tables and mappings, for readers outside of the process.
#![forbid(unsafe_code)]

use super::{Bell, MappingCell, Region, Table};
use crate::layout::{Part, Row, fields, part};

impl<T> Table<T> {
    /// The address of the first entry.
    pub(crate) const ENTRIES: Part = part!(Self, entries);
    /// The number of usable entries.
    pub(crate) const READY: Part = part!(Self, ready);
}

/// The structures of this room.
pub(crate) const ROWS: &[&[Row]] = &[
    fields!(Region as "region" { base, bytes }),
    MappingCell::ROWS,
    fields!(Bell as "bell" { shared }),
];
