//! The layout of thread caches and their registry, for readers outside of the process.
#![forbid(unsafe_code)]

use super::alien::{Alien, Aliens, Sheaves};
use super::bin::Bin;
use super::bounds::Bounds;
use super::lists::{Lists, WARM};
use super::named::{NamedBins, Notes};
use super::registry::Registry;
use super::{ThreadCache, sizing};
use crate::layout::{Row, Value, fields};
use crate::slab::class::ALL_CLASSES;
use crate::sync::Lock;

/// The structures of this room.
pub(crate) const ROWS: &[&[Row]] = &[
    fields!(Registry as "registry" {
        owned, births, generation,
        lists as lists in Lock::<Lists>::VALUE,
    }),
    fields!(Lists as "cache_lists" { all, free }),
    fields!(ThreadCache as "cache" {
        bins, spares, home, owned, next, next_free, aliens, detached, thread,
        named as named_bins in NamedBins::BINS,
        named as named_bytes in NamedBins::BYTES,
    }),
    fields!(Bin as "bin" { bounds }),
    fields!(Notes as "named_notes" { spare, detached }),
    fields!(Bounds as "sheaf_bounds" { top, floor, limit }),
    fields!(Aliens as "aliens" { nodes }),
    fields!(Alien as "alien" { sheaves }),
    fields!(Sheaves as "alien_sheaves" {}),
];

/// The numbers of this room.
pub(crate) const VALUES: &[Value] = &[Value::new("cache_warm", WARM as u64)];

/// Objects of a full-size sheaf, by class.
pub(crate) const SHEAF_OBJECTS: &[u8; ALL_CLASSES + 1] = &sizing::CAPACITY;
