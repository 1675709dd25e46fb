//! Slabs and large blocks lie in pageblocks of their own, as far as there are some.
#![forbid(unsafe_code)]

extern crate std;
use std::collections::BTreeSet;
use std::vec::Vec;

use super::tests::arena;
use super::*;
use crate::units::BLOCK_PAGES;

const BLOCKS: usize = 24;
const SINGLE: Order = Order::new(0);

fn block(span: &Span) -> usize {
    span.first.block()
}

fn blocks(spans: &[Span]) -> BTreeSet<usize> {
    spans.iter().map(block).collect()
}

/// Takes a granule for each use in turn, `count` times.
fn take_in_turn(arena: &Arena, count: usize) -> [Vec<Span>; 2] {
    let mut spans = [Vec::new(), Vec::new()];
    for _ in 0..count {
        spans[0].push(arena.take(16, Order::new(4), Use::Slab).unwrap());
        spans[1].push(arena.take(16, SINGLE, Use::Large).unwrap());
    }
    spans
}

/// Eight pageblocks that are full: from here on there are kinds.
fn filled() -> (Arena, Vec<Span>) {
    let arena = arena(BLOCKS * BLOCK_PAGES as usize);
    let take = |_| arena.take(BLOCK_PAGES, SINGLE, Use::Large).unwrap();
    let spans: Vec<_> = (0..8).map(take).collect();
    assert_eq!(arena.counts().free_pages, 0);
    (arena, spans)
}

fn give_all(arena: &Arena, spans: impl IntoIterator<Item = Span>) {
    spans.into_iter().for_each(|span| arena.give(span));
}

#[test]
fn they_lie_apart_where_there_are_more_than_eight_pageblocks() {
    let (arena, first) = filled();
    let spans = take_in_turn(&arena, 256);
    let [slabs, large] = spans.each_ref().map(|it| blocks(it));
    assert!(slabs.is_disjoint(&large), "{slabs:?}, {large:?}");
    assert_eq!((slabs.len(), large.len()), (4, 4));
    arena.validate();
    // What is large goes: its pageblocks are free as a whole, and serve slabs.
    let [kept, gone] = spans;
    give_all(&arena, gone);
    assert!(arena.counts().free_blocks[10] >= 4);
    let committed = arena.counts().committed_pages;
    let more: Vec<_> = (0..256)
        .map(|_| arena.take(16, Order::new(4), Use::Slab).unwrap())
        .collect();
    assert_eq!(arena.counts().committed_pages, committed);
    arena.validate();
    give_all(&arena, first.into_iter().chain(kept).chain(more));
    arena.validate();
}

#[test]
fn a_pageblock_that_is_half_free_changes_hands_before_the_arena_grows() {
    let (arena, first) = filled();
    let [slabs, mut large] = take_in_turn(&arena, 64);
    assert_eq!(blocks(&large).len(), 1);
    // Its upper half is free now, and two slabs' pageblocks are full.
    give_all(&arena, large.split_off(32));
    let committed = arena.counts().committed_pages;
    let more: Vec<_> = (0..32)
        .map(|_| arena.take(16, Order::new(4), Use::Slab).unwrap())
        .collect();
    assert!(more.iter().all(|span| block(span) == block(&large[0])));
    assert_eq!(arena.counts().committed_pages, committed);
    arena.validate();
    give_all(
        &arena,
        first.into_iter().chain(slabs).chain(large).chain(more),
    );
    arena.validate();
}

#[test]
fn what_is_left_of_the_other_kind_serves_at_the_end() {
    for uses in [[Use::Slab, Use::Large], [Use::Large, Use::Slab]] {
        let arena = arena(BLOCKS * BLOCK_PAGES as usize);
        let take = |used_for| arena.take(16, SINGLE, used_for);
        let mut spans: Vec<_> = core::iter::from_fn(|| take(uses[0])).collect();
        assert_eq!(spans.len(), BLOCKS * 64);
        // Every fourth granule of each pageblock comes free.
        let mut turn = 0;
        let gone: Vec<_> = spans
            .extract_if(.., |_| {
                turn += 1;
                turn % 4 == 0
            })
            .collect();
        give_all(&arena, gone);
        arena.validate();
        let others: Vec<_> = core::iter::from_fn(|| take(uses[1])).collect();
        assert_eq!(others.len(), BLOCKS * 16);
        arena.validate();
        give_all(&arena, spans.into_iter().chain(others));
        assert_eq!(arena.counts().free_blocks[10] as usize, BLOCKS);
        arena.validate();
    }
}

#[test]
fn an_arena_that_went_back_grows_again_as_far_as_it_must() {
    let (arena, first) = filled();
    let [slabs, large] = take_in_turn(&arena, 128);
    let committed = arena.counts().committed_pages;
    give_all(&arena, large);
    assert!(arena.decommit_end() > 0);
    arena.validate();
    // The other way round this time.
    let more: Vec<_> = (0..128)
        .map(|_| arena.take(16, SINGLE, Use::Slab).unwrap())
        .collect();
    assert!(arena.counts().committed_pages <= committed + u64::from(BLOCK_PAGES));
    arena.validate();
    give_all(&arena, first.into_iter().chain(slabs).chain(more));
    arena.validate();
}
