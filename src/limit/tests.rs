//! Laws of what is granted.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_macros,
    reason = "proptest's macros panic, which is how a test fails"
)]

extern crate std;
use proptest::prelude::*;

use super::*;

const MIB: usize = 1 << 20;

/// What is granted if what is needed fits, else 0.
fn granted(limit: &Numbers, used: usize, needed: usize) -> usize {
    let grant = limit.grant(Usage::of(used), needed);
    if grant.fits { grant.bytes } else { 0 }
}

fn is_tight(limit: &Numbers, used: usize, needed: usize) -> bool {
    limit.grant(Usage::of(used), needed).is_tight
}

#[test]
fn without_a_limit_everything_is_granted() {
    let all = Grant {
        bytes: usize::MAX,
        fits: true,
        is_tight: false,
    };
    assert_eq!(Numbers::NONE.grant(Usage::of(usize::MAX), usize::MAX), all);
    assert!(Limit::off().is_off() && !Limit::of(64 * MIB).is_off());
}

#[test]
fn the_reserve_is_a_share_between_one_and_sixteen_mebibytes() {
    for (hard, reserve) in [(16, 1), (64, 1), (512, 8), (1024, 16), (1 << 20, 16)] {
        assert_eq!(Numbers::of(hard * MIB).ceiling(), (hard - reserve) * MIB);
    }
    assert_eq!(Numbers::of(MIB / 2).ceiling(), 0);
}

#[test]
fn a_quarter_of_what_is_left_is_granted_or_what_is_needed() {
    let limit = Numbers::of(64 * MIB);
    assert_eq!(granted(&limit, 0, 1), 63 * MIB / 4);
    assert_eq!(granted(&limit, 23 * MIB, 1), 10 * MIB);
    assert_eq!(granted(&limit, 23 * MIB, 20 * MIB), 20 * MIB);
    assert_eq!(granted(&limit, 23 * MIB, 40 * MIB), 40 * MIB);
    assert_eq!(granted(&limit, 23 * MIB, 40 * MIB + 1), 0);
    assert_eq!(granted(&limit, 63 * MIB, 1), 0);
    assert_eq!(granted(&limit, 99 * MIB, 1), 0);
}

#[test]
fn grants_end_at_the_soft_limit_and_are_small_above_it() {
    let limit = Numbers {
        hard: UNLIMITED,
        soft: 64 * MIB,
    };
    assert_eq!(granted(&limit, 0, 1), 64 * MIB);
    assert_eq!(granted(&limit, 60 * MIB, 1), 4 * MIB);
    assert_eq!(granted(&limit, 64 * MIB, 1), MIB);
    assert_eq!(granted(&limit, 99 * MIB, 1), MIB);
    assert_eq!(granted(&limit, 99 * MIB, 7 * MIB), 7 * MIB);
}

#[test]
fn memory_is_tight_above_the_soft_limit() {
    let limit = Numbers::of(64 * MIB);
    assert!(!is_tight(&limit, 55 * MIB, MIB));
    assert!(is_tight(&limit, 55 * MIB, MIB + 1));
    assert!(is_tight(&limit, 55 * MIB, 64 * MIB));
    let usage = Usage {
        hard: 60 * MIB,
        soft: 10 * MIB,
    };
    assert!(!limit.grant(usage, MIB).is_tight);
}

#[test]
fn looks_are_few_on_the_way_to_the_limit() {
    let limit = Numbers::of(1024 * MIB);
    let (mut used, mut looks) = (0, 0);
    loop {
        match granted(&limit, used, 65_536) {
            0 => break,
            granted => used += granted,
        }
        looks += 1;
    }
    assert!(used > 1007 * MIB && used <= 1008 * MIB);
    assert!((30..=60).contains(&looks), "{looks}");
}

#[test]
fn a_choice_becomes_a_limit() {
    let nothing = |_: &CStr, _: &mut Show<'_>| None;
    for (choice, hard) in [
        (LimitChoice::Off, UNLIMITED),
        (LimitChoice::Found, UNLIMITED),
        (LimitChoice::Auto, UNLIMITED),
        (LimitChoice::Bytes(5 * MIB), 5 * MIB),
    ] {
        let limit = Limit::chosen(choice, 0, nothing);
        assert_eq!(limit.numbers(), Numbers::of(hard));
        let look = limit.read(limit.numbers(), 7, nothing);
        assert_eq!(look, (Numbers::of(hard), Usage::of(7)));
    }
}

#[test]
fn this_machine_can_be_read() {
    let limit = Limit::chosen(LimitChoice::Auto, sys::total_ram_bytes(), read_file);
    assert!(limit.is_off() || limit.group.is_some());
    assert!(limit.read(limit.numbers(), 1, read_file).1.hard > 0);
}

proptest! {
    #[test]
    fn what_is_granted_suffices_and_fits(
        hard in 0..1_usize << 50,
        soft in 0..1_usize << 50,
        hard_used: usize,
        soft_used: usize,
        needed in 0..1_usize << 50,
    ) {
        let limit = Numbers { hard, soft };
        for shift in [0, 14, 30] {
            let usage = Usage { hard: hard_used >> shift, soft: soft_used >> shift };
            let grant = limit.grant(usage, needed);
            let left = limit.ceiling().saturating_sub(usage.hard);
            prop_assert_eq!(grant.fits, needed <= left);
            prop_assert!(grant.bytes <= left && (grant.bytes >= needed || !grant.fits));
            prop_assert!(grant.is_tight || usage.soft + needed <= soft);
        }
    }
}
