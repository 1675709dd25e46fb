//! How far an arena commits its reservation at a time: constants and arithmetic alone.
#![forbid(unsafe_code)]

use super::kind::is_apart;
use crate::units::{BLOCK_PAGES, GRANULE_PAGES, Order};

/// The least that is committed at once: a tiny program stays tiny under `mlockall` and strict
/// overcommit.
const FIRST_STEP_PAGES: u32 = BLOCK_PAGES / 4;
/// The most: 8 MiB are 2,048 page faults, beside which the system calls do not count.
const LAST_STEP_PAGES: u32 = 2 * BLOCK_PAGES;
/// In between, an eighth of what there is.
const STEP_SHARE: u32 = 8;

/// The new frontier, in pages, after which a block of `order` is free; `None` beyond `limit`.
pub(super) fn needed(frontier: u32, limit: u32, order: Order) -> Option<u32> {
    let start = frontier.checked_next_multiple_of(order.pages())?;
    let end = start
        .checked_add(order.pages())?
        .checked_next_multiple_of(GRANULE_PAGES)?;
    (end <= limit).then_some(end)
}

/// The frontier to aim for, at least `needed`.
pub(super) fn wanted(frontier: u32, limit: u32, needed: u32) -> u32 {
    let step = (frontier / STEP_SHARE).clamp(FIRST_STEP_PAGES, LAST_STEP_PAGES);
    let aim = frontier.saturating_add(step) / GRANULE_PAGES * GRANULE_PAGES;
    let aim = match is_apart(aim) {
        true => aim.next_multiple_of(BLOCK_PAGES),
        false => aim,
    };
    aim.max(needed).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_lies_whole_behind_the_frontier() {
        assert_eq!(needed(0, 64, Order::new(4)), Some(16));
        assert_eq!(needed(16, 64, Order::new(5)), Some(64));
        assert_eq!(needed(48, 64, Order::new(5)), None);
        assert_eq!(needed(0, 64, Order::new(0)), Some(16));
        assert_eq!(needed(u32::MAX - 15, u32::MAX, Order::new(10)), None);
    }

    #[test]
    fn steps_grow_with_the_arena_and_end_at_its_limit() {
        assert_eq!(wanted(0, 1 << 24, 16), 256);
        assert_eq!(wanted(16_384, 1 << 24, 16_400), 16_384 + 2_048);
        assert_eq!(wanted(0, 64, 16), 64);
        assert_eq!(wanted(0, 1 << 24, 1_024), 1_024);
    }
}
