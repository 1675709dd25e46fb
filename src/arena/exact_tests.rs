//! Every length at every alignment, one after the other.
#![forbid(unsafe_code)]

use super::tests::arena;
use super::*;
use crate::units::BLOCK_PAGES;
use crate::units::MAX_ORDER;

/// An arena of one pageblock, all of it committed and free.
fn one_block() -> Arena {
    let arena = arena(BLOCK_PAGES as usize);
    let all = arena.take(BLOCK_PAGES, Order::new(0), Use::Large).unwrap();
    arena.give(all);
    assert_eq!(arena.counts().free_blocks[MAX_ORDER], 1);
    arena
}

/// Beside a span at the block's start, what is free has one block for each bit of its length.
fn assert_exact(arena: &Arena, pages: u32) {
    let left = BLOCK_PAGES - pages;
    for (order, count) in (0..).zip(arena.counts().free_blocks) {
        assert_eq!(
            count,
            left >> order & 1,
            "order {order} beside {pages} pages"
        );
    }
}

#[test]
fn every_length_at_every_alignment_takes_and_gives_back_precisely_itself() {
    let arena = one_block();
    for pages in 1..=BLOCK_PAGES {
        for align in (0..=MAX_ORDER as u32).map(Order::new) {
            let span = arena.take(pages, align, Use::Large).unwrap();
            assert_eq!((span.first, span.pages), (PageIndex(0), pages));
            assert_exact(&arena, pages);
            assert_eq!(arena.large_pages(span.first), Ok(pages));
            assert_eq!(arena.give_large(span.first), Ok(pages));
            assert_exact(&arena, 0);
        }
        arena.validate();
    }
}

#[test]
fn every_alignment_is_kept_behind_a_span_of_every_length() {
    let arena = one_block();
    for pages in 1..BLOCK_PAGES {
        let first = arena.take(pages, Order::new(0), Use::Large).unwrap();
        for align in (0..=MAX_ORDER as u32).map(Order::new) {
            let start = pages.next_multiple_of(align.pages());
            let span = arena.take(1, align, Use::Slab);
            assert_eq!(
                span.is_some(),
                start < BLOCK_PAGES,
                "{align:?} after {pages}"
            );
            if let Some(span) = span {
                assert!(span.first.0 >= pages && span.first.0 % align.pages() == 0);
                arena.give(span);
            }
        }
        assert_exact(&arena, pages);
        arena.give(first);
    }
    arena.validate();
}

#[test]
fn a_span_shrinks_to_every_length_and_grows_back() {
    let arena = one_block();
    for pages in 1..=BLOCK_PAGES {
        let page = arena
            .take(BLOCK_PAGES, Order::new(0), Use::Large)
            .unwrap()
            .first;
        assert!(arena.resize(page, pages));
        assert_exact(&arena, pages);
        let more = pages + (BLOCK_PAGES - pages) / 2;
        assert!(arena.resize(page, more));
        assert_exact(&arena, more);
        assert!(arena.resize(page, BLOCK_PAGES));
        assert_exact(&arena, BLOCK_PAGES);
        assert_eq!(arena.give_large(page), Ok(BLOCK_PAGES));
    }
    arena.validate();
}
