//! An arena of 64 pages, and what it promises.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_macros,
    reason = "proptest reports a failure by a panic"
)]

extern crate std;
use super::*;
use crate::units::BLOCK_PAGES;
use proptest::prelude::*;
use std::vec::Vec;

pub(super) fn arena(pages: usize) -> Arena {
    let bytes = pages * PAGE_SIZE;
    let data = Region::reserve(bytes, 0, BLOCK_PAGES as usize * PAGE_SIZE).unwrap();
    let map = Region::reserve(Arena::map_bytes_for(bytes), 0, 1 << 16).unwrap();
    Arena::new(data, map, false)
}

const SINGLE: Order = Order::new(0);

#[test]
fn nine_pages_take_nine_pages() {
    let arena = arena(64);
    let span = arena.take(9, SINGLE, Use::Large).unwrap();
    assert_eq!((span.first, span.pages, span.zero), (PageIndex(0), 9, true));
    assert_eq!(arena.counts().free_pages, 55);
    assert_eq!(
        arena.take(1, SINGLE, Use::Large).unwrap().first,
        PageIndex(9)
    );
    arena.validate();
}

#[test]
fn an_exhausted_arena_refuses_and_recovers() {
    let arena = arena(64);
    let spans: Vec<Span> = core::iter::from_fn(|| arena.take(16, SINGLE, Use::Slab)).collect();
    assert_eq!(spans.len(), 4);
    assert!(arena.take(1, SINGLE, Use::Large).is_none());
    spans.into_iter().for_each(|span| arena.give(span));
    assert_eq!(arena.counts().free_blocks[6], 1);
    arena.validate();
}

#[test]
fn a_large_span_grows_and_shrinks_where_it_is() {
    let arena = arena(64);
    let page = arena.take(5, SINGLE, Use::Large).unwrap().first;
    assert!(arena.resize(page, 40));
    assert_eq!(arena.large_pages(page), Ok(40));
    assert!(arena.resize(page, 3));
    let after = arena.take(1, SINGLE, Use::Large).unwrap().first;
    assert_eq!(after, PageIndex(3));
    assert!(!arena.resize(page, 4));
    arena.validate();
    assert_eq!(arena.give_large(page), Ok(3));
    assert_eq!(arena.give_large(after), Ok(1));
    assert_eq!(arena.counts().free_blocks[6], 1);
    arena.validate();
}

#[test]
fn what_is_no_span_is_told_apart() {
    let arena = arena(64);
    let span = arena.take(4, SINGLE, Use::Large).unwrap();
    assert_eq!(arena.give_large(span.first.plus(1)), Err(NotASpan::Inside));
    assert_eq!(arena.give_large(PageIndex(10)), Err(NotASpan::Free));
    assert_eq!(arena.give_large(PageIndex(64)), Err(NotASpan::Beyond));
    assert_eq!(arena.give_large(span.first), Ok(4));
    assert_eq!(arena.give_large(span.first), Err(NotASpan::Free));
}

#[test]
fn alignment_costs_no_pages() {
    let arena = arena(64);
    let odd = arena.take(1, SINGLE, Use::Large).unwrap();
    let span = arena.take(3, Order::new(5), Use::Large).unwrap();
    assert_eq!((odd.first, span.first), (PageIndex(0), PageIndex(32)));
    assert_eq!(arena.counts().free_pages, 60);
    arena.validate();
}

#[test]
fn decommitting_gives_up_what_is_free_at_the_end() {
    let arena = arena(4096);
    let low = arena.take(20, SINGLE, Use::Large).unwrap();
    let high = arena.take(1000, SINGLE, Use::Large).unwrap();
    arena.give(high);
    arena.decommit_end();
    arena.validate();
    assert_eq!(arena.counts().committed_pages, 32);
    assert_eq!(arena.unused_bytes(), (4096 - 32) * PAGE_SIZE);
    assert!(arena.shrink());
    assert_eq!(arena.bytes(), BLOCK_SIZE);
    assert!(!arena.shrink());
    let again = arena.take(1000, SINGLE, Use::Large).unwrap();
    assert!(again.zero);
    arena.give(again);
    arena.give(low);
    assert!(arena.decommit_end() > 1000);
    assert!(arena.shrink());
    arena.validate();
    assert_eq!(arena.counts().committed_pages, 0);
    assert_eq!(arena.bytes(), 0);
}

#[test]
fn a_purged_page_is_known_to_be_zero() {
    let arena = arena(64);
    let span = arena.take(16, SINGLE, Use::Large).unwrap();
    arena.give(span);
    assert_eq!(arena.counts().dirty_pages, 16);
    let span = arena.take(16, SINGLE, Use::Large).unwrap();
    assert!(!span.zero);
    arena.give(span);
    assert_eq!(arena.purge(), 16);
    assert_eq!(arena.counts().dirty_pages, 0);
    assert!(arena.take(64, SINGLE, Use::Large).unwrap().zero);
    arena.validate();
}

proptest! {
    #[test]
    fn any_sequence_of_takes_and_gives_leaves_the_arena_whole(
        steps in prop::collection::vec((1_u32..200, 0_u32..11, any::<prop::sample::Index>()), 1..100)
    ) {
        let arena = arena(2048);
        let mut held: Vec<Span> = Vec::new();
        for (pages, align, which) in steps {
            if pages % 3 == 0 && !held.is_empty() {
                arena.give(held.swap_remove(which.index(held.len())));
            } else if let Some(span) = arena.take(pages, Order::new(align), Use::Slab) {
                prop_assert_eq!(span.first.0 % (1 << align), 0);
                for other in &held {
                    prop_assert!(
                        span.first.plus(span.pages) <= other.first
                            || other.first.plus(other.pages) <= span.first
                    );
                }
                held.push(span);
            }
            arena.validate();
        }
        held.into_iter().for_each(|span| arena.give(span));
        arena.validate();
        prop_assert_eq!(arena.counts().free_pages, arena.counts().committed_pages);
    }
}
