//! The directory against the structures that it is about.
#![forbid(unsafe_code)]

extern crate std;

use super::*;
use crate::global::{process, threads};
use crate::heap::{Heap, Settings};
use crate::numa::Topology;
use crate::units::{ClassId, ClusterId};
use core::mem::offset_of;
use std::collections::HashSet;
use std::vec::Vec;

fn offset(name: &str) -> usize {
    range(name).start
}

fn range(name: &str) -> core::ops::Range<usize> {
    let row = DIRECTORY.rows.iter().find(|row| row.name() == name);
    row.expect(name).range()
}

fn address<T>(it: &T) -> usize {
    core::ptr::from_ref(it).addr()
}

#[test]
fn the_directory_tells_its_own_length_and_version() {
    assert_eq!(&DIRECTORY.magic, b"slubdir\0");
    assert_eq!(DIRECTORY.bytes as usize, size_of::<Directory>());
    assert_eq!(DIRECTORY.rows.len(), DIRECTORY.row_count as usize);
    assert_eq!(DIRECTORY.values.len(), DIRECTORY.value_count as usize);
    assert_eq!(DIRECTORY.row_bytes, 40);
    assert_eq!(DIRECTORY.value_bytes, 40);
    let release = core::str::from_utf8(&DIRECTORY.release).unwrap();
    assert_eq!(release.trim_end_matches('\0'), env!("CARGO_PKG_VERSION"));
}

/// What the names of each version digest to. A change that takes a name away or gives it to something else raises `VERSION` and adds
/// the new digest; those of versions that are out stay as they are.
const DIGESTS: [u64; VERSION as usize] = [
    0x146d_56f9_e696_9754,
    0xed11_c771_9fda_0064,
    0x193a_e9ca_fcfb_6f31,
    0xaa03_24ec_1ad3_d17d,
    0xc526_3d4c_638b_0ae0,
    0xdd98_613c_30b9_96a0,
];
/// Names that came after the last digest was taken: readers of this version do without.
const LATER: [&str; 0] = [];

/// FNV-1a over what readers ask for by name, in alphabetical order: each name, and of a number how long it is. Where things lie may
/// change, since readers look that up.
fn digest() -> u64 {
    let rows = DIRECTORY.rows.iter().map(|row| {
        let bytes = row.range().len();
        (row.name(), if bytes <= 8 { bytes } else { 0 })
    });
    let values = DIRECTORY.values.iter().map(|value| (value.name(), 8));
    let mut names: Vec<_> = rows.chain(values).collect();
    names.retain(|(name, _)| !LATER.contains(name));
    names.sort_unstable();
    let bytes = names
        .iter()
        .flat_map(|(name, bytes)| name.bytes().chain([0, *bytes as u8]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn a_version_keeps_its_names() {
    let digest = digest();
    let last = DIGESTS.last().copied();
    assert_eq!(
        last,
        Some(digest),
        "names of version {VERSION} went or changed: raise VERSION and add the digest {digest:#x}; \
         names that are only new belong into LATER"
    );
    let different: HashSet<_> = DIGESTS.into_iter().collect();
    assert_eq!(different.len(), DIGESTS.len());
    assert!(LATER.iter().all(|name| {
        let mut rows = DIRECTORY.rows.iter().map(Row::name);
        rows.any(|row| row == *name) || DIRECTORY.values.iter().any(|it| it.name() == *name)
    }));
}

/// The parts of the directory itself, which readers know by heart.
#[test]
fn the_directory_lies_as_its_version_says() {
    let offsets = [
        offset_of!(Directory, magic),
        offset_of!(Directory, version),
        offset_of!(Directory, bytes),
        offset_of!(Directory, release),
        offset_of!(Directory, rows),
        offset_of!(Directory, row_count),
        offset_of!(Directory, row_bytes),
        offset_of!(Directory, values),
        offset_of!(Directory, value_count),
        offset_of!(Directory, value_bytes),
        offset_of!(Directory, process),
        offset_of!(Directory, caches),
        offset_of!(Directory, classes),
        offset_of!(Directory, sheaf_objects),
        offset_of!(Directory, cache_node_places),
    ];
    assert_eq!(
        offsets,
        [0, 8, 12, 16, 40, 48, 52, 56, 64, 68, 72, 80, 88, 96, 104]
    );
    assert!(size_of::<Directory>() >= 112);
}

#[test]
fn no_name_is_there_twice() {
    let rows: HashSet<_> = DIRECTORY.rows.iter().map(Row::name).collect();
    assert_eq!(rows.len(), DIRECTORY.rows.len());
    let values: HashSet<_> = DIRECTORY.values.iter().map(Value::name).collect();
    assert_eq!(values.len(), DIRECTORY.values.len());
}

#[test]
fn fields_lie_inside_of_their_structures() {
    for row in DIRECTORY.rows {
        if let Some((structure, _)) = row.name().split_once('.') {
            assert!(row.range().end <= range(structure).end, "{}", row.name());
        }
    }
}

// The process's own heap is other tests' to count.
#[test]
fn the_rows_lead_to_the_heap_its_nodes_and_their_cache_nodes() {
    assert_eq!(address(DIRECTORY.process), address(&process::PROCESS));
    assert_eq!(range("process.heap").len(), size_of::<Heap>());
    let heap = Heap::new(Topology::single(), Settings::TEST).expect("a heap");
    assert_eq!(
        address(&heap) + offset("heap.numastat"),
        address(heap.numastat())
    );
    let node = heap.nodes().next().expect("a node");
    let start = address(node);
    assert_eq!(start + offset("node.arena"), address(node.arena()));
    assert_eq!(start + offset("node.metadata"), address(node.metadata()));
    assert_eq!(start + offset("node.tables"), address(node.tables()));
    let stride = range("cache_node_padded").len();
    let [first, second] = [1, 2].map(|id| address(node.cache_node(ClusterId(0), ClassId(id))));
    let [one, other] = [1, 2].map(|id| usize::from(DIRECTORY.cache_node_places[id]));
    assert_eq!(
        second.wrapping_sub(first),
        other.wrapping_sub(one).wrapping_mul(stride)
    );
}

#[test]
fn the_rows_lead_to_the_caches_of_threads() {
    assert_eq!(address(DIRECTORY.caches), address(&threads::CACHES));
    // The fast paths count on that.
    assert_eq!(offset("cache.bins"), 0);
    // One more has room for nothing: slabs of named caches are its.
    assert_eq!(
        range("cache.bins").len(),
        (ALL_CLASSES + 2) * range("bin").len()
    );
    assert!(range("registry.lists").len() >= range("cache_lists.all").end);
    assert_eq!(range("cache.home").len(), size_of::<usize>());
}
