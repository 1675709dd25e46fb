//! The directory: where a reader outside of the process finds the heap, and what lies where in it.
//!
//! # Invariant
//!
//! The directory is written by the compiler and the linker and never at run time; the library itself does not read it. A
//! reader finds it by the note that `global/life.rs` defines. What a number or a name means does not change within a version.
#![forbid(unsafe_code)]

use super::mail;
use super::pace::Pace;
use super::process::{PROCESS, Process};
use super::purge::Purge;
use super::purge_thread::PurgeThread;
use super::threads::CACHES;
use crate::cache::{self, Registry};
use crate::config::Config;
use crate::decay::STEPS;
use crate::heap;
use crate::kmem;
use crate::layout::{Row, Value, count, fields, join};
use crate::slab::class::{ALL_CLASSES, CLASSES, ClassInfo, INFO};
use crate::slab::{self, CACHE_NODE_PLACES};
use crate::sync::Once;
use crate::{arena, huge, pool, profile, sys};

/// What every directory begins with.
const MAGIC: [u8; 8] = *b"slubdir\0";
/// Raised when a reader of the version before would misread this one, or not find a row: the tests have a digest of the
/// names of each version. Rows and values may be added without.
const VERSION: u32 = 6;
/// Bytes for the package's version.
const RELEASE: usize = 24;

/// What the note points to.
#[repr(C)]
pub(super) struct Directory {
    magic: [u8; 8],
    version: u32,
    /// Bytes of this structure; a later one is longer.
    bytes: u32,
    /// The package's version as text, filled up with zeroes.
    release: [u8; RELEASE],
    rows: &'static [Row; ROWS],
    row_count: u32,
    row_bytes: u32,
    values: &'static [Value; VALUES],
    value_count: u32,
    value_bytes: u32,
    // The roots, from which everything else is found.
    process: &'static Once<Process>,
    caches: &'static Registry,
    classes: &'static [ClassInfo; ALL_CLASSES + 1],
    sheaf_objects: &'static [u8; ALL_CLASSES + 1],
    cache_node_places: &'static [u8; CLASSES + 1],
}

/// The directory.
pub(super) static DIRECTORY: Directory = Directory {
    magic: MAGIC,
    version: VERSION,
    bytes: size_of::<Directory>() as u32,
    release: release(),
    rows: &ALL_ROWS,
    row_count: ROWS as u32,
    row_bytes: size_of::<Row>() as u32,
    values: &ALL_VALUES,
    value_count: VALUES as u32,
    value_bytes: size_of::<Value>() as u32,
    process: &PROCESS,
    caches: &CACHES,
    classes: &INFO,
    sheaf_objects: cache::layout::SHEAF_OBJECTS,
    cache_node_places: &CACHE_NODE_PLACES,
};

/// The structures of this room.
const OWN_ROWS: &[&[Row]] = &[
    fields!(Once<Process> as "process_once" {}),
    fields!(Process as "process" { heap, config, purge, thread, kmem, pools, profile }),
    fields!(Config as "config" { only_warn }),
    fields!(Purge as "purge" { pace as step in Pace::STEP, stats_at_exit, mail }),
    fields!(PurgeThread as "purge_thread" { bell }),
    mail::layout::ROWS,
    &[
        Row::new("process_once", "state", Once::<Process>::STATE),
        Row::new("process_once", "value", Once::<Process>::VALUE),
    ],
];

/// The numbers of this room.
const OWN_VALUES: &[Value] = &[
    Value::new("process_made", Once::<Process>::MADE as u64),
    Value::new("purge_steps", STEPS as u64),
];

/// All structures.
const STRUCTURES: &[&[&[Row]]] = &[
    OWN_ROWS,
    sys::layout::ROWS,
    arena::layout::ROWS,
    slab::layout::ROWS,
    huge::layout::ROWS,
    heap::layout::ROWS,
    cache::layout::ROWS,
    kmem::layout::ROWS,
    pool::layout::ROWS,
    profile::layout::ROWS,
];

/// All numbers.
const NUMBERS: &[&[&[Value]]] = &[&[
    OWN_VALUES,
    mail::layout::VALUES,
    arena::layout::VALUES,
    slab::layout::VALUES,
    huge::layout::VALUES,
    heap::layout::VALUES,
    cache::layout::VALUES,
    kmem::layout::VALUES,
    pool::layout::VALUES,
    profile::layout::VALUES,
]];

const ROWS: usize = count(STRUCTURES);
const VALUES: usize = count(NUMBERS);
static ALL_ROWS: [Row; ROWS] = join(STRUCTURES);
static ALL_VALUES: [Value; VALUES] = join(NUMBERS);

const fn release() -> [u8; RELEASE] {
    let text = env!("CARGO_PKG_VERSION").as_bytes();
    let (mut release, mut at) = ([0; RELEASE], 0);
    while at < text.len() {
        release[at] = text[at];
        at += 1;
    }
    release
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
