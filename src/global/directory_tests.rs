//! The directory against the structures that it is about.
#![forbid(unsafe_code)]

extern crate std;

use super::*;
use crate::global::{process, threads};
use crate::heap::{Heap, Settings};
use crate::numa::Topology;
use crate::units::{ClassId, ClusterId};
use std::collections::HashSet;

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
fn the_rows_lead_to_the_heap_its_nodes_and_their_pools() {
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
    let stride = range("pool_entry_padded").len();
    let [first, second] = [1, 2].map(|id| address(node.pool(ClusterId(0), ClassId(id))));
    let [one, other] = [1, 2].map(|id| usize::from(DIRECTORY.pool_places[id]));
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
