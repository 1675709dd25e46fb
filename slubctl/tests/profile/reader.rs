//! Tables as the library has them, and damaged ones.

use std::cell::Cell;

use anyhow::Result;
use proptest::prelude::*;
use slubctl::memory::{Bytes, Mapping, Memory, Page};
use slubctl::profile::{self, Amount, Label, Names, Values};

use crate::made::{CACHE_OWNER, Made, ONE, POOL_OWNER, Sample, Stack, TABLES};

/// Two stacks of malloc's, one of them at its peak before, one of a cache and one of a pool.
pub(crate) fn known() -> Made {
    let stack = |frames: &[u64], label, blocks: u64| Stack {
        frames: frames.to_vec(),
        label,
        live: (blocks * ONE, blocks * 64),
        all: (blocks * 3 * ONE, blocks * 192),
        ..Stack::default()
    };
    let mut peaked = stack(&[0x1001, 0x2001], 0, 10);
    (peaked.epoch, peaked.peak) = (5, (20 * ONE + ONE / 2, 1312));
    let mut old = stack(&[0x3001], 0, 5);
    (old.epoch, old.peak) = (4, (99 * ONE, 9_999));
    Made {
        rate: 512 << 10,
        change: 8,
        peak_epoch: 5,
        dropped: (3, 4),
        lifetimes: vec![0, 2 * ONE, ONE / 2],
        stacks: vec![
            Stack::default(),
            peaked,
            old,
            stack(&[0x1001], CACHE_OWNER, 2),
            stack(&[0x1001], POOL_OWNER, 1),
        ],
        samples: vec![
            Sample {
                address: 0xaaa0,
                bytes: 64,
                count: 10 * ONE,
                at: 500,
                stack: 1,
            },
            Sample::default(),
            Sample {
                address: 0xbbb0,
                bytes: 64,
                count: 5 * ONE,
                at: 2_500,
                stack: 2,
            },
        ],
        was_on: true,
        without: "",
    }
}

#[test]
fn tables_are_read_as_they_are_described() {
    let profile = profile::of_target(&known().memory(), Some(4_000), "it").expect("a profile");
    assert!(profile.is_on && !profile.is_approximate);
    assert_eq!((profile.rate, profile.on_for_ms), (512 << 10, Some(3_000)));
    assert_eq!((profile.dropped_samples, profile.dropped_stacks), (3, 4));
    assert_eq!(profile.lifetimes[..3], [0.0, 2.0, 0.5]);
    assert_eq!(profile.lifetimes.len(), 32);
    let amount = |count, bytes| Amount { count, bytes };
    // The one that nothing was counted for is left out.
    assert_eq!(profile.stacks.len(), 4);
    let first = &profile.stacks[0];
    assert_eq!(first.frames, [0x1001, 0x2001]);
    assert_eq!(first.live, amount(10.0, 640));
    assert_eq!(first.all, amount(30.0, 1920));
    assert_eq!(first.peak, amount(20.5, 1312));
    // Of an epoch before: it has not changed since the peak.
    assert_eq!(profile.stacks[1].peak, amount(5.0, 320));
    let labels = profile.stacks.iter().map(|it| it.label.clone());
    let cache = Label::Cache("inode_cache".to_owned());
    let pool = Label::Pool("request".to_owned());
    assert_eq!(
        labels.collect::<Vec<_>>(),
        [None, None, Some(cache), Some(pool)]
    );
    assert_eq!(profile.sum(Values::Live), amount(18.0, 1152));
    let ages = profile
        .samples
        .iter()
        .map(|it| (it.address, it.age_ms, it.stack));
    assert_eq!(
        ages.collect::<Vec<_>>(),
        [(0xaaa0, 2_500, 0), (0xbbb0, 500, 1)]
    );
    assert_eq!(profile.samples[0].weight(), 640.0);
}

#[test]
fn ages_in_a_core_are_those_before_its_youngest_block_and_wrap_around() {
    let profile = profile::of_target(&known().memory(), None, "it").expect("a profile");
    let ages = profile.samples.iter().map(|it| it.age_ms);
    assert_eq!(ages.collect::<Vec<_>>(), [2_000, 0]);
    assert_eq!(profile.on_for_ms, None);
    let mut made = known();
    made.samples[0].at = u64::from(u32::MAX) - 99;
    // A block that was allocated after the clock was read.
    made.samples[2].at = 1_100;
    let now = Some((1 << 32) + 2_000);
    let profile = profile::of_target(&made.memory(), now, "it").expect("a profile");
    let ages = profile.samples.iter().map(|it| it.age_ms);
    assert_eq!(ages.collect::<Vec<_>>(), [1_100, 0]);
}

#[test]
fn a_library_without_a_profiler_and_one_that_was_never_on_are_told_apart() {
    let error = |made: Made| {
        let read = profile::of_target(&made.memory(), None, "process 7");
        format!("{:#}", read.expect_err("an error"))
    };
    let without = Made {
        without: "process.profile",
        ..known()
    };
    assert_eq!(
        error(without),
        "slubmalloc 9.9.9 in process 7 has no heap profiler"
    );
    let never = Made {
        was_on: false,
        ..known()
    };
    assert_eq!(error(never), "process 7 was never sampled");
    let none = profile::of_target(&Bytes::default(), None, "process 7");
    let error = format!("{:#}", none.expect_err("an error"));
    assert_eq!(error, "process 7 does not use slubmalloc");
}

/// Memory whose tables change while they are read, until they were read a number of times.
struct Changing {
    bytes: Bytes,
    reads: Cell<u32>,
    until: u32,
}

impl Memory for Changing {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        self.bytes.read(address, buffer)?;
        if address == TABLES {
            self.reads.set(self.reads.get() + 1);
            if self.reads.get() <= self.until {
                buffer[..4].copy_from_slice(&(2 * self.reads.get()).to_le_bytes());
            }
        }
        Ok(())
    }

    fn mappings(&self) -> Result<Vec<Mapping>> {
        self.bytes.mappings()
    }

    fn pages(&self, _: u64, _: usize) -> Option<Vec<Page>> {
        None
    }

    fn page_bytes(&self) -> u64 {
        4096
    }
}

#[test]
fn tables_that_change_are_read_again_and_called_approximate_in_the_end() {
    for (until, is_approximate, reads) in [(3, false, 6), (u32::MAX, true, 100)] {
        let memory = Changing {
            bytes: known().memory(),
            reads: Cell::new(0),
            until,
        };
        let profile = profile::of_target(&memory, None, "it").expect("a profile");
        assert_eq!(profile.is_approximate, is_approximate);
        assert_eq!(memory.reads.get(), reads);
        assert_eq!(profile.stacks.len(), 4);
    }
    // A thread that hangs in the middle of a change.
    let made = Made {
        change: 7,
        ..known()
    };
    let profile = profile::of_target(&made.memory(), None, "it").expect("a profile");
    assert!(profile.is_approximate);
}

#[test]
fn tables_that_say_too_much_are_errors_of_one_line() {
    let mut deep = known();
    deep.stacks[1].frames = vec![0x1001; 2_000];
    let error = profile::of_target(&deep.memory(), None, "it").expect_err("an error");
    let error = format!("{error:#}");
    assert!(
        error.contains("a stack of 2000 frames") && error.lines().count() == 1,
        "{error}"
    );
    let damage = |offset: usize, words: &str| {
        let mut bytes = known().memory();
        let tables = bytes.pieces.iter_mut().find(|it| it.0 == TABLES);
        tables.expect("tables").1[offset..offset + 4].fill(0xff);
        let error = profile::of_target(&bytes, None, "it").expect_err("an error");
        let error = format!("{error:#}");
        assert!(error.contains(words), "{error}");
    };
    damage(4, "4294967295 samples");
    damage(8, "4294967295 stacks");
    damage(12, "4294967295 frames");
    damage(32, "samples of the heap profile");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_tables_are_survived(
        damages in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u64>(), 1_usize..9),
            1..6,
        )
    ) {
        let mut bytes = known().memory();
        for (piece, place, word, length) in damages {
            let (_, piece) = piece.get_mut(&mut bytes.pieces);
            let first = place.index(piece.len()) & !3;
            for (at, byte) in piece.iter_mut().skip(first).take(length).zip(word.to_le_bytes()) {
                *at = byte;
            }
        }
        if let Ok(profile) = profile::of_target(&bytes, Some(4_000), "it") {
            let names = Names::default();
            let traces = profile::traces(&profile, &names);
            for values in [Values::Live, Values::All, Values::Peak] {
                let text = profile::text(&profile, &traces, values, "damaged");
                prop_assert!(text.len() < 1 << 20);
                prop_assert!(profile::folded(&traces, values).len() < 1 << 20);
                let file = profile::pprof(&profile, &names, values, "damaged");
                profile::stored(file.expect("a file").as_slice()).expect("a profile");
            }
            let found = profile::leaks(&profile, &profile, std::time::Duration::ZERO);
            prop_assert!(found.iter().all(|it| !it.is_growing()));
        }
    }
}
