//! What a slab hands out first, and what it takes back.
#![forbid(unsafe_code)]

extern crate std;
use super::*;
use crate::slab::bits::each_bit;
use crate::slab::class::{class_of, info};
use crate::slab::row::{ROW, Row};
use std::vec::Vec;

fn record() -> SlabRecord {
    SlabRecord {
        out: AtomicU16::new(0),
        carved: AtomicU16::new(0),
        hint: AtomicU8::new(0),
        list: AtomicU8::new(0),
        visits: AtomicU8::new(0),
        fresh: AtomicU8::new(0),
        next: AtomicU32::new(0),
        previous: AtomicU32::new(0),
        gone: [const { AtomicU64::new(0) }; 2],
        bits: [const { AtomicU64::new(0) }; MAX_OBJECTS / 64],
    }
}

fn run(first: u32, count: u32) -> Row {
    Row { first, count }
}

/// Records of neighbours.
fn row() -> Vec<SlabRecord> {
    core::iter::repeat_with(record).take(16).collect()
}

#[test]
fn objects_are_carved_in_order_and_come_back_lowest_first() {
    let (record, info) = (record(), info(class_of(4096)));
    let mut taken = Vec::new();
    let take = |count, taken: &mut Vec<u32>| {
        record.take(info, count, |first, bits| {
            each_bit(bits, |bit| taken.push(first + bit));
        })
    };
    assert_eq!(take(5, &mut taken), 5);
    assert_eq!(taken, [0, 1, 2, 3, 4]);
    record.give(info, run(3, 1)).unwrap();
    record.give(info, run(1, 1)).unwrap();
    record.validate(info);
    taken.clear();
    assert_eq!(take(20, &mut taken), 13);
    assert_eq!(taken, [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    assert_eq!(record.available(info), 0);
    record.validate(info);
}

#[test]
fn neighbours_begin_elsewhere_in_a_page_and_use_all_of_it_first() {
    let records = row();
    let info = info(class_of(64));
    let mut firsts: Vec<u32> = Vec::new();
    for record in records.iter() {
        record.reset(info);
        assert_eq!(record.available(info), info.objects);
        let mut taken = Vec::new();
        let mut take = |count| {
            record.take(info, count, |first, bits| {
                each_bit(bits, |bit| taken.push(first + bit));
            });
        };
        take(1);
        record.validate(info);
        take(info.objects);
        record.validate(info);
        assert_eq!(record.available(info), 0);
        firsts.push(taken[0]);
        let (page, rest) = taken.split_at_mut(PAGE_SIZE / 64);
        page.sort_unstable();
        assert!(page.iter().copied().eq(0..64));
        assert!(rest.iter().copied().eq(64..info.objects));
    }
    firsts.sort_unstable();
    firsts.dedup();
    assert_eq!(firsts.len(), 16);
}

#[test]
fn what_was_skipped_does_not_come_back() {
    let records = row();
    let info = info(class_of(16));
    let record = records
        .iter()
        // One whose objects before and after share a row with it.
        .find(|record| (1..ROW - 2).contains(&(record.colour(info) % ROW)))
        .unwrap();
    record.reset(info);
    let colour = record.colour(info);
    record.take(info, 2, |first, _| assert_eq!(first, colour));
    let give = |first, count| record.give(info, run(first, count));
    assert_eq!(give(colour - 1, 1), Err(BadObject::Unknown));
    assert_eq!(give(colour - 1, 2), Err(BadObject::Unknown));
    assert_eq!(give(colour + 2, 1), Err(BadObject::Unknown));
    assert_eq!(give(colour, 2), Ok(()));
}

#[test]
fn what_is_not_out_does_not_come_back() {
    let (record, info) = (record(), info(class_of(16)));
    assert_eq!(record.give(info, run(0, 1)), Err(BadObject::Unknown));
    assert_eq!(
        record.take(info, MAX_OBJECTS as u32 + 9, |_, _| ()),
        info.objects
    );
    assert_eq!(record.give(info, run(704, 64)), Ok(()));
    assert_eq!(record.give(info, run(705, 2)), Err(BadObject::Free));
    let beyond = record.give(info, run(info.objects, 1));
    assert_eq!(beyond, Err(BadObject::Unknown));
    record.validate(info);
}
