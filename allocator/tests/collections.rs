//! Collections of other crates in pools and in the heap of a program whose `malloc` is another one.
#![expect(
    clippy::disallowed_macros,
    reason = "proptest's macros panic when a law is broken"
)]

use std::hash::RandomState;
use std::sync::mpsc;
use std::thread;

use allocator_api2::alloc::{Allocator, Layout};
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use hashbrown::HashMap;
use proptest::prelude::*;
use slubmalloc::{LocalPool, Pool};
use slubmalloc_allocator::{Heap, PoolAllocator};

/// What is done with a list.
#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    Pop,
    Extend(usize),
    Truncate(usize),
    Shrink,
    Reserve(usize),
    Again,
}

fn steps() -> impl Strategy<Value = std::vec::Vec<Step>> {
    let step = prop_oneof![
        any::<u32>().prop_map(Step::Push),
        Just(Step::Pop),
        (0_usize..20_000).prop_map(Step::Extend),
        (0_usize..20_000).prop_map(Step::Truncate),
        Just(Step::Shrink),
        (0_usize..50_000).prop_map(Step::Reserve),
        Just(Step::Again),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_list_is_what_one_of_the_standard_library_is(steps in steps()) {
        let (shared, local) = (Pool::new().unwrap(), LocalPool::new_local().unwrap());
        follow(PoolAllocator::new(&shared), &steps);
        follow(PoolAllocator::new(&local), &steps);
        follow(Heap, &steps);
        assert_eq!((shared.used(), local.used()), (0, 0));
        slubmalloc::raw::validate();
    }
}

fn follow<A: Allocator + Copy>(allocator: A, steps: &[Step]) {
    let (mut list, mut same) = (Vec::new_in(allocator), std::vec::Vec::new());
    for step in steps {
        match *step {
            Step::Push(number) => {
                list.push(number);
                same.push(number);
            }
            Step::Pop => assert_eq!(list.pop(), same.pop()),
            Step::Extend(count) => {
                list.extend(0..count as u32);
                same.extend(0..count as u32);
            }
            Step::Truncate(count) => {
                list.truncate(count);
                same.truncate(count);
            }
            Step::Shrink => list.shrink_to_fit(),
            Step::Reserve(count) => list.reserve(count),
            Step::Again => list = list.clone(),
        }
        assert_eq!(list.as_slice(), same.as_slice());
    }
}

#[test]
fn a_map_lives_in_a_pool_until_the_scope_ends() {
    type Text<'pool> = Box<[u8], PoolAllocator<'pool>>;
    type Map<'pool> = HashMap<u64, Text<'pool>, RandomState, PoolAllocator<'pool>>;
    let mut pool = Pool::builder().name("request").build().unwrap();
    for _ in 0..3 {
        let found = pool.scope(|pool| {
            let allocator = PoolAllocator::new(pool);
            let mut map = Map::with_hasher_in(RandomState::new(), allocator);
            for number in 0..10_000 {
                let mut text = Vec::new_in(allocator);
                text.extend_from_slice(number.to_string().as_bytes());
                let text = text.into_boxed_slice();
                map.insert(number, text);
            }
            map.retain(|_, text| !text.ends_with(b"7"));
            assert!(pool.used() > 9_000 * 16);
            let found = map.get(&4_321).map(|text| text.len());
            // What is forgotten goes with the scope.
            core::mem::forget(map);
            found
        });
        assert_eq!((found, pool.used()), (Some(4), 0));
    }
}

#[test]
fn a_limit_is_an_error_of_try_reserve() {
    let pool = Pool::builder().limit(100_000).build().unwrap();
    let mut list = Vec::new_in(PoolAllocator::new(&pool));
    assert!(list.try_reserve_exact(30_000_usize).is_err());
    list.try_reserve_exact(5_000).unwrap();
    list.extend(0..5_000);
    assert!(list.try_reserve(22_000).is_err());
    assert!(list.iter().copied().eq(0..5_000));
}

#[test]
fn every_alignment_grows_and_shrinks() {
    fn all(allocator: impl Allocator) {
        for align in (0..13).map(|shift| 1_usize << shift) {
            for other in [align, 8, 8_192] {
                let layout = |size, align| Layout::from_size_align(size, align).unwrap();
                let block = allocator.allocate_zeroed(layout(1_000, align)).unwrap();
                // SAFETY: the block's own layout.
                let block = unsafe {
                    allocator.grow(block.cast(), layout(1_000, align), layout(70_000, other))
                }
                .unwrap();
                assert!(block.addr().get().is_multiple_of(other));
                // SAFETY: as long.
                let bytes =
                    unsafe { core::slice::from_raw_parts(block.cast::<u8>().as_ptr(), 1_000) };
                assert!(bytes.iter().all(|byte| *byte == 0));
                // SAFETY: as above.
                let block = unsafe {
                    allocator.shrink(block.cast(), layout(70_000, other), layout(0, align))
                }
                .unwrap();
                // SAFETY: as above.
                unsafe { allocator.deallocate(block.cast(), layout(0, align)) };
            }
        }
    }
    let pool = Pool::new().unwrap();
    all(PoolAllocator::new(&pool));
    assert_eq!(pool.used(), 0);
    all(Heap);
}

#[test]
fn what_one_thread_fills_another_drops() {
    let pool = Pool::new().unwrap();
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        for maker in 0..4_u8 {
            let (send, pool) = (send.clone(), &pool);
            scope.spawn(move || {
                for size in 0..2_000 {
                    let mut bytes = Vec::new_in(PoolAllocator::new(pool));
                    bytes.resize(size, maker);
                    send.send(bytes).unwrap();
                }
            });
        }
        drop(send);
        let sum: usize = receive.into_iter().map(|bytes| bytes.len()).sum();
        assert_eq!(sum, 4 * 2_000 * 1_999 / 2);
    });
    assert_eq!(pool.used(), 0);
}
