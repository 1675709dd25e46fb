//! Extents that meet, part and are found again.
#![forbid(unsafe_code)]

extern crate std;
use super::*;
use std::vec::Vec;

const MIB: usize = 1 << 20;

fn extents() -> Extents {
    let mut extents = Extents::new();
    assert!(extents.make_room());
    extents
}

/// Mappings of `mebibytes`, next to each other.
fn row(mebibytes: &[usize]) -> Vec<Mapping> {
    let mut rest = Mapping::new(mebibytes.iter().sum::<usize>() * MIB, 1).unwrap();
    let mut parts = Vec::new();
    for part in mebibytes {
        let (first, left) = rest.split(part * MIB);
        parts.push(first);
        rest = left;
    }
    parts
}

#[test]
fn a_thousand_mappings_come_and_go_in_any_order() {
    let mut extents = extents();
    let mut starts = Vec::new();
    for mapping in row(&[1; 1_000]) {
        assert!(extents.make_room());
        starts.push(mapping.address());
        extents.insert(mapping, Kind::Used).unwrap();
    }
    assert_eq!((extents.blocks(), extents.runs()), (1_000, 1));
    starts.sort_by_key(|start| start.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for (done, start) in starts.iter().enumerate() {
        assert!(extents.is_inside(start + 1) && !extents.is_inside(*start));
        let place = extents.block_at(*start).unwrap();
        extents.remove(place).unwrap().unmap();
        assert!(extents.block_at(*start).is_none());
        assert_eq!(extents.blocks(), 999 - done);
    }
    assert_eq!((extents.runs(), extents.used_bytes()), (0, 0));
}

#[test]
fn a_run_is_what_the_kernel_has_as_one() {
    let mut extents = extents();
    let mut parts = row(&[1, 1, 1]).into_iter();
    let (first, second, mut third) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let middle = second.address();
    third.set_group(7);
    extents.insert(first, Kind::Used).unwrap();
    extents.insert(second, Kind::Used).unwrap();
    extents.insert(third, Kind::Used).unwrap();
    assert_eq!(extents.runs(), 2);
    let place = extents.block_at(middle).unwrap();
    let second = extents.remove(place).unwrap();
    assert_eq!((extents.runs(), extents.joined_sides(&second)), (2, 1));
    second.unmap();
}

#[test]
fn free_neighbours_of_a_kind_are_one_and_the_shortest_that_fits_is_found() {
    let mut extents = extents();
    let parts = row(&[3, 1, 2, 1, 9, 1, 4]);
    let base = parts[0].address();
    for (index, part) in parts.into_iter().enumerate() {
        let kind = match index {
            0 | 2 | 4 | 6 => Kind::Kept,
            _ => Kind::Used,
        };
        assert!(extents.make_room());
        extents.insert(part, kind).unwrap();
    }
    assert_eq!((extents.kept_bytes(), extents.runs()), (18 * MIB, 1));
    let (place, lead) = extents.fitting(Kind::Kept, 3 * MIB, 1, 0).unwrap();
    assert_eq!((extents.bytes(place), lead), (3 * MIB, 0));
    assert!(extents.fitting(Kind::Vacant, 1, 1, 0).is_none());
    assert!(extents.fitting(Kind::Kept, 1, 1, 9).is_none());
    // What was put first leaves first, from its end on.
    let oldest = extents.oldest().unwrap();
    let tail = extents.cut_tail(oldest, MIB).unwrap();
    assert_eq!((tail.address(), extents.runs()), (base + 2 * MIB, 2));
    assert_eq!(extents.oldest(), Some(oldest));
    extents.insert(tail, Kind::Kept).unwrap();
    assert_eq!(extents.runs(), 1);
    // The block between the first two is freed.
    let block = extents.block_at(base + 3 * MIB).unwrap();
    let block = extents.remove(block).unwrap();
    extents.insert(block, Kind::Kept).unwrap();
    let (place, _) = extents.fitting(Kind::Kept, 5 * MIB, 1, 0).unwrap();
    assert_eq!(extents.bytes(place), 6 * MIB);
    assert_eq!(
        extents.longest_kept(0),
        extents.fitting(Kind::Kept, 9 * MIB, 1, 0).map(|it| it.0)
    );
}

#[test]
fn an_alignment_is_found_inside() {
    let mut extents = extents();
    let whole = Mapping::new(16 * MIB, 4 * MIB).unwrap();
    let (first, rest) = whole.split(MIB);
    let start = rest.address();
    extents.insert(rest, Kind::Vacant).unwrap();
    let (_, lead) = extents.fitting(Kind::Vacant, 12 * MIB, 4 * MIB, 0).unwrap();
    assert_eq!((start + lead) % (4 * MIB), 0);
    assert!(
        extents
            .fitting(Kind::Vacant, 13 * MIB, 4 * MIB, 0)
            .is_none()
    );
    first.unmap();
}

#[test]
fn only_blocks_that_a_range_meets_are_noted() {
    let mut extents = extents();
    let kinds = [
        Kind::Used,
        Kind::Used,
        Kind::Kept,
        Kind::Changed,
        Kind::Used,
        Kind::Used,
    ];
    let mut starts = Vec::new();
    for (mapping, kind) in row(&[1; 6]).into_iter().zip(kinds) {
        starts.push(mapping.address());
        assert!(extents.make_room());
        extents.insert(mapping, kind).unwrap();
    }
    extents.note_changed(starts[0] - MIB, starts[0]);
    extents.note_changed(starts[5] + MIB, usize::MAX);
    let seen = |extents: &Extents| {
        let kind = |start| extents.kind(extents.at(start).unwrap());
        starts.iter().copied().map(kind).collect::<Vec<_>>()
    };
    assert_eq!(seen(&extents), kinds);
    extents.note_changed(starts[1] + MIB - 1, starts[4] + 1);
    let noted = [
        Kind::Used,
        Kind::Noted,
        Kind::Kept,
        Kind::Changed,
        Kind::Noted,
        Kind::Used,
    ];
    assert_eq!(seen(&extents), noted);
    assert_eq!(extents.blocks(), 5);
    for start in starts {
        let place = extents.at(start).unwrap();
        extents.remove(place).unwrap().unmap();
    }
}
