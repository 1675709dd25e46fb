//! Blocks as a heap takes and gives them.

#![forbid(unsafe_code)]

extern crate std;
use super::*;
#[cfg(not(simulated))]
use crate::decay::{Budget, Elapsed};

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

fn take(huge: &Huge, request: Request) -> Option<NonNull<u8>> {
    huge.take(request).map(|taken| taken.start)
}

#[test]
fn a_block_is_known_by_its_start_alone() {
    let huge = Huge::new(0);
    let address = take(&huge, request(5)).unwrap().as_ptr() as usize;
    assert_eq!(huge.bytes_at(address), Ok(5 * MIB));
    assert_eq!(huge.bytes_at(address + 4096), Err(NotHuge::Inside));
    assert_eq!(
        huge.bytes_at(address + 5 * MIB + page_size()),
        Err(NotHuge::Unknown)
    );
    assert_eq!(huge.give(address), Ok(()));
    assert_eq!(huge.give(address), Err(NotHuge::Freed));
    assert_eq!(huge.counts().blocks, 0);
}

#[test]
fn a_freed_block_is_used_again_and_what_is_to_be_cleared_is_told() {
    let huge = Huge::new(64 * MIB);
    let zeroed = |mebibytes| Request {
        zeroed: Zeroed::Yes,
        ..request(mebibytes)
    };
    let first = huge.take(zeroed(8)).unwrap();
    assert_eq!(first.dirty_bytes, 0);
    huge.give(first.start.as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, padded(8 * MIB).unwrap());
    let again = huge.take(zeroed(8)).unwrap();
    assert_eq!((again.start, again.dirty_bytes), (first.start, 8 * MIB));
    huge.give(again.start.as_ptr() as usize).unwrap();
    let longer = huge.take(zeroed(20)).unwrap();
    assert_eq!(longer.dirty_bytes, padded(8 * MIB).unwrap());
    huge.give(longer.start.as_ptr() as usize).unwrap();
    assert_eq!(take(&huge, request(20)), Some(longer.start));
    huge.give(longer.start.as_ptr() as usize).unwrap();
    assert_eq!(huge.trim(), padded(20 * MIB).unwrap());
}

#[test]
fn long_blocks_of_zeroes_are_fresh() {
    let huge = Huge::new(64 * MIB);
    let first = take(&huge, request(40)).unwrap();
    huge.give(first.as_ptr() as usize).unwrap();
    let zeroed = Request {
        zeroed: Zeroed::Yes,
        ..request(40)
    };
    let fresh = huge.take(zeroed).unwrap();
    assert_eq!(fresh.dirty_bytes, 0);
    assert_ne!(fresh.start, first);
    huge.give(fresh.start.as_ptr() as usize).unwrap();
}

#[test]
fn a_block_grows_and_shrinks_without_losing_its_place_in_the_registry() {
    let huge = Huge::new(0);
    let start = take(&huge, request(5)).unwrap();
    let moved = huge.resize(start, 500 * MIB).unwrap();
    assert_eq!(huge.bytes_at(moved.as_ptr() as usize), Ok(500 * MIB));
    assert_eq!(huge.resize(moved, usize::MAX / 2), None);
    let shrunk = huge.resize(moved, 6 * MIB).unwrap();
    assert_eq!(huge.counts().bytes, 6 * MIB);
    huge.give(shrunk.as_ptr() as usize).unwrap();
}

#[test]
fn a_block_that_needs_no_change_is_known_until_it_changes_or_ends() {
    let huge = Huge::new(64 * MIB);
    let whole = take(&huge, request(16)).unwrap();
    assert!(!huge.is_right(whole.as_ptr(), 16 * MIB));
    assert_eq!(huge.resize(whole, 15 * MIB), Some(whole));
    assert!(huge.is_right(whole.as_ptr(), 16 * MIB));
    assert!(!huge.is_right(whole.as_ptr(), 16 * MIB + 1));
    assert!(!huge.is_right(whole.as_ptr(), 8 * MIB));
    assert_eq!(huge.resize(whole, 8 * MIB), Some(whole));
    assert!(!huge.is_right(whole.as_ptr(), 16 * MIB));
    assert_eq!(huge.resize(whole, 8 * MIB - 9), Some(whole));
    assert!(huge.is_right(whole.as_ptr(), 8 * MIB));
    huge.give(whole.as_ptr() as usize).unwrap();
    assert!(!huge.is_right(whole.as_ptr(), 8 * MIB));
    huge.trim();
}

#[test]
fn a_growing_block_takes_what_is_kept_behind_it() {
    let huge = Huge::new(64 * MIB);
    let whole = take(&huge, request(40)).unwrap();
    huge.give(whole.as_ptr() as usize).unwrap();
    let start = take(&huge, request(8)).unwrap();
    assert_eq!(start, whole);
    assert_eq!(huge.counts().kept_bytes, 32 * MIB);
    assert_eq!(huge.resize(start, 32 * MIB), Some(start));
    assert_eq!(huge.counts().kept_bytes, 8 * MIB);
    huge.give(start.as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, padded(40 * MIB).unwrap());
    huge.trim();
}

#[test]
fn what_was_needed_a_moment_ago_is_kept() {
    let huge = Huge::new(8 * MIB);
    let blocks = [20, 20, 20].map(|bytes| take(&huge, request(bytes)).unwrap());
    huge.give(blocks[1].as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, padded(20 * MIB).unwrap());
    huge.give(blocks[0].as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, 2 * padded(20 * MIB).unwrap());
    // Beside nothing in use no more is kept than the limit.
    huge.give(blocks[2].as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, 8 * MIB);
    huge.trim();
}

#[test]
fn the_impossible_is_refused() {
    let huge = Huge::new(0);
    assert_eq!(
        take(
            &huge,
            Request {
                bytes: usize::MAX / 2,
                ..request(1)
            }
        ),
        None
    );
    assert_eq!(
        take(
            &huge,
            Request {
                align: 1 << 62,
                ..request(8)
            }
        ),
        None
    );
}

/// Where the mappings of the process begin and end.
#[cfg(not(simulated))]
fn maps() -> std::vec::Vec<(usize, usize)> {
    let text = std::fs::read_to_string("/proc/self/maps").unwrap();
    let hex = |text: &str| usize::from_str_radix(text, 16).unwrap();
    text.lines()
        .filter_map(|line| line.split_once(' ')?.0.split_once('-'))
        .map(|(start, end)| (hex(start), hex(end)))
        .collect()
}

// Simulated mappings do not lie side by side.
#[cfg(not(simulated))]
#[test]
fn with_a_budget_every_other_block_leaves_no_gap() {
    // In a process of its own: what other tests map lies between the blocks else.
    const OWN_PROCESS: &str = "SLUBTEST_OWN_PROCESS";
    const NAME: &str = "huge::tests::with_a_budget_every_other_block_leaves_no_gap";
    if std::env::var_os(OWN_PROCESS).is_none() {
        let program = std::env::current_exe().unwrap();
        let mut alone = std::process::Command::new(program);
        let output = alone
            .args([NAME, "--exact"])
            .env(OWN_PROCESS, "1")
            .output()
            .unwrap();
        let text = std::string::String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
        return;
    }
    let huge = Huge::new(0);
    huge.state.lock().set_budget(40);
    let blocks: std::vec::Vec<_> = (0..400)
        .map(|_| take(&huge, request(5)).unwrap().as_ptr() as usize)
        .collect();
    for block in blocks.iter().step_by(2) {
        huge.give(*block).unwrap();
    }
    let (lowest, highest) = (blocks.iter().min().unwrap(), blocks.iter().max().unwrap());
    let ours = maps()
        .iter()
        .filter(|(start, end)| start <= highest && lowest < end)
        .count();
    assert!(huge.state.lock().extents.runs() <= 41);
    // Other tests map something, too.
    assert!(ours < 180, "{ours} mappings");
    let vacant = huge.state.lock().extents.vacant_bytes();
    assert!(vacant >= 150 * padded(5 * MIB).unwrap(), "{vacant} bytes");
    // What is vacant serves before anything fresh, and holds zeroes.
    let zeroed = take(
        &huge,
        Request {
            zeroed: Zeroed::Yes,
            ..request(5)
        },
    )
    .unwrap();
    assert!(blocks.contains(&(zeroed.as_ptr() as usize)));
    // When there is room again, it goes.
    for block in blocks.iter().skip(1).step_by(2) {
        huge.give(*block).unwrap();
    }
    huge.give(zeroed.as_ptr() as usize).unwrap();
    huge.trim();
    let state = huge.state.lock();
    assert_eq!((state.extents.vacant_bytes(), state.extents.runs()), (0, 0));
}

#[cfg(not(simulated))]
#[test]
fn no_mapping_is_changed_under_the_lock() {
    use crate::sys::faults::Plan;
    use core::sync::atomic::Ordering::Relaxed;
    static HUGE: Huge = Huge::new(16 * MIB);
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static HELD: AtomicUsize = AtomicUsize::new(0);
    // The first block brings the tables.
    let first = take(&HUGE, request(5)).unwrap();
    let plan = Plan::new(|event| {
        if event.changes_mappings() {
            CALLS.fetch_add(1, Relaxed);
            HELD.fetch_add(usize::from(HUGE.state.is_own()), Relaxed);
        }
        None
    });
    plan.during(|| {
        let blocks = [40, 5, 60].map(|size| take(&HUGE, request(size)).unwrap());
        let grown = HUGE.resize(blocks[0], 300 * MIB).unwrap();
        let shrunk = HUGE.resize(grown, 30 * MIB).unwrap();
        for block in [blocks[1], shrunk, blocks[2]] {
            HUGE.give(block.as_ptr() as usize).unwrap();
        }
        let longer = take(&HUGE, request(20)).unwrap();
        HUGE.give(longer.as_ptr() as usize).unwrap();
        HUGE.begin_decay(Elapsed::FOR_EVER, 0);
        HUGE.decay(0, &mut Budget::unlimited());
        HUGE.trim();
    });
    let (calls, held) = (CALLS.load(Relaxed), HELD.load(Relaxed));
    assert!(calls > 20 && held == 0, "{held} of {calls} calls");
    HUGE.give(first.as_ptr() as usize).unwrap();
}

// A simulated mapping has no properties.
#[cfg(not(simulated))]
#[test]
fn a_block_with_other_properties_serves_nobody_again() {
    let huge = Huge::new(64 * MIB);
    let block = take(&huge, request(8)).unwrap();
    assert!(crate::sys::keep_from_children(block, 8 * MIB));
    // The whole block as the program knows it, or what is left of it.
    let block = huge.resize(block, 5 * MIB).unwrap();
    huge.give(block.as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, 0);
    let block = take(&huge, request(8)).unwrap();
    huge.give(block.as_ptr() as usize).unwrap();
    assert_eq!(huge.counts().kept_bytes, padded(8 * MIB).unwrap());
    huge.trim();
}
