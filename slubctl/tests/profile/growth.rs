//! What grew between two profiles, and what looks like a leak.

use std::time::Duration;

use slubctl::profile::{self, Names, Profile, Values};

use crate::made::{Made, ONE, Sample, Stack};
use crate::reader::known;
use crate::support::{failure, scratch, text};

fn read(made: &Made, now: u64) -> Profile {
    profile::of_target(&made.memory(), Some(now), "it").expect("a profile")
}

/// A stack that keeps all, one that keeps nothing, and an old one, with a sample for each 10 blocks of 1,000 bytes.
fn looked(leaked: u64, passing: u64) -> Made {
    let stack = |frame: u64, live: u64, all: u64| Stack {
        frames: vec![frame],
        live: (live * 10 * ONE, live * 10_000),
        all: (all * 10 * ONE, all * 10_000),
        ..Stack::default()
    };
    let samples = |stack: u64, first: u64, count: u64, from: u64| {
        (first..first + count).map(move |index| Sample {
            address: (stack << 32) + (index + 1) * 1_024,
            bytes: 1_000,
            count: 10 * ONE,
            at: from + index,
            stack,
        })
    };
    let all = samples(1, 0, leaked, 0)
        // Others each time.
        .chain(samples(2, passing * 1_000, 20, 5_000 + passing * 1_000))
        .chain(samples(3, 0, 4, 100));
    Made {
        rate: 10_000,
        samples: all.collect(),
        stacks: vec![
            Stack::default(),
            stack(0x1001, leaked, leaked),
            stack(0x2001, 20, 20 + passing * 500),
            stack(0x3001, 4, 4),
        ],
        was_on: true,
        ..known()
    }
}

#[test]
fn a_stack_that_keeps_what_it_allocates_is_told_from_one_that_does_not() {
    let (before, after) = (read(&looked(50, 0), 11_000), read(&looked(150, 10), 21_000));
    let leaks = profile::leaks(&before, &after, Duration::from_secs(18));
    // Grown, then old; what passes is none.
    let stacks: Vec<u64> = leaks
        .iter()
        .map(|it| after.stacks[it.stack].frames[0])
        .collect();
    assert_eq!(stacks, [0x1001, 0x3001]);
    let leak = &leaks[0];
    assert!(leak.is_growing());
    assert_eq!(leak.grown, 1_000_000.0);
    // 100 samples of 10,000 bytes, of which each is there with probability 0.1.
    let error = 1.96 * (100.0 * 10_000.0_f64.powi(2) * 0.9).sqrt();
    assert!((leak.error - error).abs() < 1.0, "{}", leak.error);
    assert_eq!((leak.allocated, leak.kept()), (1_000_000, Some(1.0)));
    assert_eq!((leak.old.bytes, leak.oldest_ms), (1_500_000, 20_000));
    assert!(!leaks[1].is_growing());
    assert_eq!((leaks[1].grown, leaks[1].old.bytes), (0.0, 40_000));
    let traces = profile::traces(&after, &Names::default());
    let times = (Duration::from_secs(10), Duration::from_secs(18));
    let report = profile::report(&leaks, &traces, times, 1);
    let expected = "\
1 stack grew in 10.0 s; 1 other stack had blocks older than 18 s and did not grow
estimates by samples, with the interval that has the true value in 95 of 100 cases; growth need be no leak: \
whether something still points to a block is not known

+97.7 KiB/s (± 18.2 KiB/s): 0x1001
  1.4 MiB in 1500 blocks in use; 1.4 MiB in 1500 blocks older than 18 s, the oldest 20 s; \
of 976.6 KiB allocated between the looks 100 % are still in use
  backtrace:
    0x1001

1 other stack not shown
";
    assert_eq!(report, expected);
}

#[test]
fn growth_within_the_error_is_none() {
    let (before, after) = (read(&looked(50, 0), 11_000), read(&looked(53, 0), 21_000));
    let leaks = profile::leaks(&before, &after, Duration::from_secs(60));
    assert_eq!(leaks.len(), 0);
    let report = profile::report(
        &leaks,
        &[],
        (Duration::from_secs(10), Duration::from_secs(60)),
        5,
    );
    assert!(report.starts_with("no stack grew in 10.0 s; 0 other stacks had blocks older"));
    // A stack that was not there before has grown by all it has.
    let leaks = profile::leaks(&Profile::default(), &after, Duration::from_secs(60));
    assert_eq!(leaks[0].grown, 530_000.0);
}

#[test]
fn two_files_are_compared_by_stack() {
    let file = |name: &str, made: &Made| {
        let file = profile::pprof(&read(made, 11_000), &Names::default(), Values::Live, "");
        let path = scratch().join(name);
        std::fs::write(&path, file.expect("a file")).expect("a file");
        path.display().to_string()
    };
    let (before, after) = (
        file("before.pb.gz", &looked(50, 0)),
        file("after.pb.gz", &looked(150, 0)),
    );
    let diff = text(&["profile", "--diff", &before, &after]);
    let mut lines = diff.lines();
    let first = lines.next().expect("a line");
    assert!(
        first.starts_with("722.7 KiB in use before, 1.7 MiB after: +976.6 KiB in "),
        "{diff}"
    );
    let lines: Vec<&str> = lines.filter(|it| !it.is_empty()).collect();
    assert_eq!(lines.len(), 3, "{diff}");
    let fields: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(
        fields[..7],
        ["+976.6", "KiB", "488.3", "KiB", "1.4", "MiB", "+1000"]
    );
    let shrunk = text(&["profile", "--diff", &after, &before]);
    assert!(shrunk.contains("-976.6 KiB"), "{shrunk}");
    let error = failure(&["profile", "--diff", &before, "/dev/null"]);
    assert_eq!(
        error,
        "slubctl: /dev/null: no heap profile: it has no inuse_space\n"
    );
}
