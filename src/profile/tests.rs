//! What a profile has after samples that began and ended.
#![forbid(unsafe_code)]

extern crate std;

use std::string::String;
use std::vec::Vec;

use super::*;

fn lines(profile: &Profile) -> Vec<String> {
    let mut text = Vec::new();
    assert!(profile.print(&mut |line| text.extend_from_slice(line)));
    let text = String::from_utf8(text).unwrap();
    let stacks = text.split("\nMAPPED_LIBRARIES:\n").next().unwrap();
    stacks.lines().map(String::from).collect()
}

fn started(rate: u64) -> Profile {
    let profile = Profile::new();
    assert!(!profile.print(&mut |_| {}) && profile.next_distance().is_none());
    assert!(profile.switch_on(rate));
    profile
}

#[test]
fn a_stack_has_what_is_in_use_and_what_ever_was() {
    let profile = started(1);
    profile.begin(0x1000, 100, 0, &[7, 8]);
    profile.begin(0x2000, 50, 0, &[7, 8]);
    profile.begin(0x3000, 1, 0, &[9]);
    profile.end(0x1000);
    // Not a second time, and none that is not known.
    profile.end(0x1000);
    profile.end(0x9000);
    assert_eq!(
        lines(&profile),
        [
            "heap profile: 2: 51 [3: 151] @ heapprofile",
            "1: 50 [2: 150] @ 0x7 0x8",
            "1: 1 [1: 1] @ 0x9",
        ]
    );
}

#[test]
fn what_was_sampled_ends_also_when_the_profile_is_off() {
    let profile = started(1);
    profile.begin(0x1000, 100, 0, &[7]);
    profile.switch_off();
    profile.begin(0x2000, 100, 0, &[7]);
    profile.end(0x1000);
    assert_eq!(lines(&profile)[1], "0: 0 [1: 100] @ 0x7");
}

#[test]
fn a_block_that_grows_has_its_new_length_and_place() {
    let profile = started(1);
    profile.begin(0x1000, 100, 0, &[7]);
    let lifted = profile.lift(0x1000).unwrap();
    assert!(profile.lift(0x1000).is_none());
    profile.put_back(lifted, 0x5000, Some(300));
    assert_eq!(lines(&profile)[1], "1: 300 [1: 300] @ 0x7");
    let lifted = profile.lift(0x5000).unwrap();
    profile.put_back(lifted, 0x5000, None);
    profile.end(0x1000);
    assert_eq!(lines(&profile)[1], "1: 300 [1: 300] @ 0x7");
    profile.end(0x5000);
    assert_eq!(lines(&profile)[1], "0: 0 [1: 300] @ 0x7");
}

#[test]
fn an_address_that_comes_again_ends_what_was_there() {
    let profile = started(1);
    profile.begin(0x1000, 100, 0, &[7]);
    profile.begin(0x1000, 10, 0, &[8]);
    assert_eq!(
        lines(&profile)[1..],
        ["0: 0 [1: 100] @ 0x7", "1: 10 [1: 10] @ 0x8"]
    );
}

/// Of each stack the numbers at the moment at which most was in use, whatever came later.
#[test]
fn the_peak_is_kept() {
    let profile = started(1);
    let tables = profile.tables.get().unwrap();
    let peak = |number: u32| {
        let stack = tables.stacks.get(number);
        match stack.epoch.load(Relaxed) == tables.peak_epoch.load(Relaxed) {
            true => stack.peak_bytes.load(Relaxed),
            false => stack.sums.live_bytes.load(Relaxed),
        }
    };
    profile.begin(0x1000, 100, 0, &[1]);
    profile.begin(0x2000, 200, 0, &[2]);
    profile.end(0x1000);
    profile.begin(0x3000, 50, 0, &[3]);
    assert_eq!([peak(1), peak(2), peak(3)], [100, 200, 0]);
    profile.begin(0x4000, 500, 0, &[1]);
    assert_eq!([peak(1), peak(2), peak(3)], [500, 200, 50]);
    profile.end(0x2000);
    profile.end(0x3000);
    profile.end(0x4000);
    assert_eq!([peak(1), peak(2), peak(3)], [500, 200, 50]);
    assert_eq!(tables.peak_bytes.load(Relaxed), 750);
}

#[test]
fn many_samples_of_many_stacks_are_found_again() {
    const BLOCKS: usize = 50_000;
    let profile = started(1);
    let address = |block: usize| 0x10_0000 + block * 48;
    for round in 0..2 {
        for block in 0..BLOCKS {
            profile.begin(address(block), block, 0, &[block % 1000, round]);
        }
        let tables = profile.tables.get().unwrap();
        assert_eq!(tables.samples.end.load(Relaxed) as usize, BLOCKS + 1);
        (0..BLOCKS)
            .rev()
            .for_each(|block| profile.end(address(block)));
        assert_eq!(tables.sums.live_bytes.load(Relaxed), 0);
        assert_eq!(tables.sums.live_count.load(Relaxed), 0);
        assert_eq!(
            tables.stacks.end.load(Relaxed) as usize,
            1000 * (round + 1) + 1
        );
        assert!((0..BLOCKS).all(|block| !tables.end(address(block))));
    }
}

#[test]
fn a_stack_without_room_is_counted_as_the_one_without_frames() {
    let profile = started(1);
    let most = 1 << 16;
    (1..=most).for_each(|frame| profile.begin(0x1000 + frame * 16, 1, 0, &[frame]));
    let tables = profile.tables.get().unwrap();
    assert_eq!(tables.dropped_stacks.load(Relaxed), 1);
    assert_eq!(lines(&profile)[1], "1: 1 [1: 1] @");
}
