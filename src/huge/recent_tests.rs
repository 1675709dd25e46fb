//! Blocks that are known by their addresses, and parked ones.
#![forbid(unsafe_code)]

use super::*;

const START: usize = 0x7fff_1234_5000;
const MIB: usize = 1 << 20;

#[test]
fn a_block_is_known_until_it_is_forgotten() {
    let recent = Recent::new(64 * MIB);
    assert_eq!(recent.bytes(START), None);
    recent.enter(START, 5 * MIB, false);
    assert_eq!(recent.bytes(START), Some(5 * MIB));
    assert_eq!(recent.bytes(START + 1), None);
    assert_eq!(recent.bytes(START + PAGE_SIZE), None);
    assert!(recent.forget(START + PAGE_SIZE));
    assert_eq!(recent.bytes(START), Some(5 * MIB));
    assert!(recent.forget(START));
    assert_eq!(recent.bytes(START), None);
}

#[test]
fn null_is_never_known() {
    assert_eq!(Recent::new(0).bytes(0), None);
}

#[test]
fn what_fits_no_word_stays_unknown() {
    let recent = Recent::new(64 * MIB);
    recent.enter(START, PAGE_SIZE << (PAGE_SHIFT - FLAGS), true);
    assert_eq!(recent.bytes(START), None);
    recent.enter(1 << 48, 5 * MIB, true);
    assert_eq!(recent.bytes(1 << 48), None);
}

#[test]
fn a_parked_block_serves_what_it_fits() {
    let recent = Recent::new(64 * MIB);
    recent.enter(START, 8 * MIB, true);
    assert_eq!(recent.take(8 * MIB, 16), None);
    assert!(recent.park(START, 0) && !recent.park(START, 0));
    assert!(!recent.forget(START));
    assert_eq!(
        (recent.bytes(START), recent.parked_bytes()),
        (None, 8 * MIB)
    );
    assert_eq!(recent.take(8 * MIB + 1, 16), None);
    assert_eq!(recent.take(usize::MAX, 16), None);
    assert_eq!(recent.take(7 * MIB, 16), None);
    assert_eq!(recent.take(8 * MIB, 2 * PAGE_SIZE), None);
    assert_eq!(
        recent.take(8 * MIB - 100, PAGE_SIZE),
        Some((START, 8 * MIB))
    );
    assert_eq!(
        (recent.bytes(START), recent.parked_bytes()),
        (Some(8 * MIB), 0)
    );
    assert!(recent.park(START, 0));
    assert_eq!((recent.unpark(), recent.unpark()), (Some(START), None));
    assert!(!recent.park(START, 0));
}

#[test]
fn no_more_is_parked_than_may_be_kept() {
    for (reuse, kept, count) in [
        (64 * MIB, 0, 4),
        (64 * MIB, 40 * MIB, 3),
        (15 * MIB, 0, 1),
        (15 * MIB, 15 * MIB, 0),
        (0, 0, 0),
    ] {
        let recent = Recent::new(reuse);
        let blocks = (0..KNOWN).map(|index| START + index * BLOCK_SIZE);
        let park = |block: &usize| {
            recent.enter(*block, 8 * MIB, true);
            recent.park(*block, kept)
        };
        assert_eq!(blocks.filter(park).count(), count);
    }
}

#[test]
fn what_is_changed_is_not_parked() {
    let recent = Recent::new(64 * MIB);
    recent.enter(START, 8 * MIB, false);
    assert!(!recent.park(START, 0));
    recent.enter(START, 8 * MIB, true);
    recent.forget_between(START + 8 * MIB, START + 9 * MIB);
    recent.forget_between(START - MIB, START);
    assert_eq!(recent.bytes(START), Some(8 * MIB));
    recent.forget_between(START + MIB, START + 2 * MIB);
    assert!(!recent.park(START, 0));
}

#[test]
fn nobody_takes_the_place_of_a_parked_block() {
    let recent = Recent::new(64 * MIB);
    recent.enter(START, 8 * MIB, true);
    assert!(recent.park(START, 0));
    let other = START + KNOWN * BLOCK_SIZE;
    recent.enter(other, 8 * MIB, true);
    assert_eq!((recent.bytes(other), recent.unpark()), (None, Some(START)));
    recent.enter(other, 8 * MIB, true);
    assert_eq!(recent.bytes(other), Some(8 * MIB));
}
