//! Blocks as a heap takes and gives them.
#![forbid(unsafe_code)]

use super::*;

const MIB: usize = 1 << 20;

fn request(mebibytes: usize) -> Request {
    Request {
        bytes: mebibytes * MIB,
        align: 16,
        zeroed: Zeroed::No,
        policy: None,
        mark: 0,
        huge_pages: HugePages::System,
    }
}

#[test]
fn a_block_is_known_by_its_start_alone() {
    let huge = Huge::new(0);
    let address = huge.take(request(5)).unwrap().as_ptr() as usize;
    assert_eq!(huge.bytes_at(address), Ok(5 * MIB));
    assert_eq!(huge.bytes_at(address + 4096), Err(NotHuge::Inside));
    assert_eq!(huge.bytes_at(address + 5 * MIB), Err(NotHuge::Unknown));
    assert_eq!(huge.give(address), Ok(()));
    assert_eq!(huge.give(address), Err(NotHuge::Freed));
    assert_eq!(huge.counts().blocks, 0);
}

#[test]
fn a_freed_block_is_used_again_unless_zeroes_are_wanted() {
    let huge = Huge::new(32 * MIB);
    let first = huge.take(request(8)).unwrap();
    huge.give(first.as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, 8 * MIB);
    let zeroed = huge
        .take(Request {
            zeroed: Zeroed::Yes,
            ..request(8)
        })
        .unwrap();
    assert_ne!(zeroed, first);
    assert_eq!(huge.take(request(8)), Some(first));
    huge.give(first.as_ptr() as usize).unwrap();
    assert_eq!(huge.trim(), 8 * MIB);
}

#[test]
fn a_block_grows_and_shrinks_without_losing_its_place_in_the_registry() {
    let huge = Huge::new(0);
    let start = huge.take(request(5)).unwrap();
    let moved = huge.resize(start, 500 * MIB).unwrap();
    assert_eq!(huge.bytes_at(moved.as_ptr() as usize), Ok(500 * MIB));
    assert_eq!(huge.resize(moved, usize::MAX / 2), None);
    let shrunk = huge.resize(moved, 6 * MIB).unwrap();
    assert_eq!(huge.counts().bytes, 6 * MIB);
    huge.give(shrunk.as_ptr() as usize).unwrap();
}

#[test]
fn a_growing_block_takes_what_is_kept_behind_it() {
    let huge = Huge::new(64 * MIB);
    let whole = huge.take(request(40)).unwrap();
    huge.give(whole.as_ptr() as usize).unwrap();
    let start = huge.take(request(8)).unwrap();
    assert_eq!(start, whole);
    assert_eq!(huge.counts().kept_bytes, 32 * MIB);
    assert_eq!(huge.resize(start, 32 * MIB), Some(start));
    assert_eq!(huge.counts().kept_bytes, 8 * MIB);
    huge.give(start.as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, 40 * MIB);
    huge.trim();
}

#[test]
fn what_was_needed_a_moment_ago_is_kept() {
    let huge = Huge::new(8 * MIB);
    let blocks = [20, 20, 20].map(|bytes| huge.take(request(bytes)).unwrap());
    huge.give(blocks[1].as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, 20 * MIB);
    huge.give(blocks[0].as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, 40 * MIB);
    // Beside nothing in use no more is kept than the limit.
    huge.give(blocks[2].as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, 8 * MIB);
    huge.trim();
}

#[test]
fn the_impossible_is_refused() {
    let huge = Huge::new(0);
    assert_eq!(
        huge.take(Request {
            bytes: usize::MAX / 2,
            ..request(1)
        }),
        None
    );
    assert_eq!(
        huge.take(Request {
            align: 1 << 62,
            ..request(8)
        }),
        None
    );
}
