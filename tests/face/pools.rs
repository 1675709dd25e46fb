//! Pools.
#![expect(
    clippy::disallowed_macros,
    reason = "proptest's macros panic when a law is broken"
)]

use core::alloc::Layout;
use core::mem::{ManuallyDrop, forget};
use core::ops::Range;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::mpsc;
use std::thread;

use proptest::prelude::*;
use slubmalloc::{AllocError, CreateError, LocalPool, Pool, PoolBox};

use super::{Census, Counted};

#[repr(align(4096))]
struct Page([u8; 4096]);

struct Link<'pool> {
    number: usize,
    next: Option<&'pool Link<'pool>>,
}

/// What is done with a pool: a number says to which of the values.
#[derive(Clone, Debug)]
enum Step {
    Make(u64),
    Drop(usize),
    TakeOut(usize),
    Change(usize, u64),
    Forget(usize),
    Slice(usize),
    Refuse,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u64>().prop_map(Step::Make),
        2 => any::<usize>().prop_map(Step::Drop),
        1 => any::<usize>().prop_map(Step::TakeOut),
        1 => (any::<usize>(), any::<u64>()).prop_map(|(at, number)| Step::Change(at, number)),
        1 => any::<usize>().prop_map(Step::Forget),
        1 => (0_usize..3_000).prop_map(Step::Slice),
        1 => Just(Step::Refuse),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn values_are_what_they_were_until_they_are_dropped(steps in steps()) {
        follow(&mut Pool::new().unwrap(), &steps);
        follow(&mut LocalPool::new_local().unwrap(), &steps);
    }
}

/// Runs the steps against a list, twice: after a reset a pool is as new.
fn follow<M>(pool: &mut Pool<'_, M>, steps: &[Step]) {
    for _ in 0..2 {
        let census = Census::default();
        let forgotten = run(pool, &census, steps);
        assert_eq!(census.living(), forgotten);
        pool.reset().unwrap();
        assert_eq!(pool.used(), 0);
    }
    slubmalloc::raw::validate();
}

/// Returns how many values were forgotten.
fn run<M>(pool: &Pool<'_, M>, census: &Census, steps: &[Step]) -> usize {
    let mut boxes: Vec<(u64, PoolBox<'_, Counted, M>)> = Vec::new();
    let mut slices: Vec<(&mut [usize], Range<usize>)> = Vec::new();
    let mut forgotten = 0;
    for step in steps {
        let at = |at: usize| at.checked_rem(boxes.len());
        match *step {
            Step::Make(number) => boxes.push((number, pool.make(census.one(number)).unwrap())),
            Step::Drop(which) => drop(at(which).map(|at| boxes.swap_remove(at))),
            Step::TakeOut(which) => {
                if let Some(at) = at(which) {
                    let (number, owned) = boxes.swap_remove(at);
                    assert_eq!(*PoolBox::into_inner(owned).number, number);
                }
            }
            Step::Change(which, number) => {
                if let Some(at) = at(which) {
                    *boxes[at].1.number = number;
                    boxes[at].0 = number;
                }
            }
            Step::Forget(which) => {
                if let Some(at) = at(which) {
                    forget(boxes.swap_remove(at));
                    forgotten += 1;
                }
            }
            Step::Slice(count) => {
                let range = boxes.len()..boxes.len() + count;
                let slice = pool.alloc_slice(count, |index| range.start + index);
                slices.push((slice.unwrap(), range));
            }
            Step::Refuse => {
                pool.set_limit(Some(0));
                // Room that is counted already may serve one class once more; a large block has none.
                assert_eq!(pool.alloc_slice(1 << 20, |_| 0_u8).err(), Some(AllocError));
                pool.set_limit(None);
            }
        }
        assert_eq!(census.living(), boxes.len() + forgotten);
    }
    assert!(boxes.iter().all(|(number, it)| *it.number == *number));
    assert!(
        slices
            .iter()
            .all(|(slice, range)| slice.iter().copied().eq(range.clone()))
    );
    forgotten
}

#[test]
fn a_value_that_is_refused_is_dropped_or_not_made() {
    let census = Census::default();
    let pool = Pool::builder().limit(0).build().unwrap();
    assert_eq!(pool.make(census.one(1)).err(), Some(AllocError));
    assert_eq!(pool.alloc(1_u64).err(), Some(AllocError));
    assert_eq!(pool.alloc_str("text").err(), Some(AllocError));
    let mut is_made = false;
    assert!(
        pool.make_with(|| is_made = true).is_ok(),
        "it needs no memory"
    );
    assert!(is_made);
    let made = pool.make_with(|| census.one(2));
    assert_eq!((made.err(), census.living()), (Some(AllocError), 0));
    let endless = pool.alloc_slice(usize::MAX / 4, |_| 0_u64);
    assert_eq!(endless.err(), Some(AllocError));
}

#[test]
fn a_panic_leaves_no_memory_and_no_value_behind() {
    let census = Census::default();
    let mut pool = Pool::new().unwrap();
    let before = pool.used();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let _ = pool.make_with::<Counted>(|| panic!("on purpose"));
    }));
    assert!(failed.is_err());
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let _ = pool.alloc_with::<[u8; 100]>(|| panic!("on purpose"));
    }));
    assert!(failed.is_err());
    assert_eq!(pool.used(), before);

    struct Loud(#[expect(dead_code, reason = "it is dropped")] Counted);
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let loud = pool.make(Loud(census.one(1))).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(loud))).is_err());
    assert_eq!((pool.used(), census.living()), (before, 0));

    let failed = catch_unwind(AssertUnwindSafe(|| {
        pool.scope(|pool| {
            let _kept = pool.alloc([1_u8; 1_000]);
            let _owned = pool.make(census.one(2));
            panic!("on purpose");
        })
    }));
    assert!(failed.is_err());
    assert_eq!((pool.used(), census.living()), (0, 0));
}

#[test]
fn a_scope_is_empty_afterwards() {
    let mut pool = LocalPool::new_local().unwrap();
    for round in 0..100 {
        let sum = pool.scope(|pool| {
            let mut list = None;
            for number in 0..100 {
                list = Some(&*pool.alloc(Link { number, next: list }).unwrap());
            }
            let sum: usize = core::iter::successors(list, |link| link.next)
                .map(|it| it.number)
                .sum();
            forget(pool.make([round; 5_000]).unwrap());
            sum
        });
        assert_eq!((sum, pool.used()), (4_950, 0));
    }
}

#[test]
fn any_size_and_alignment_is_served() {
    let pool = Pool::new().unwrap();
    let page = pool.alloc_with(|| Page([7; 4096])).unwrap();
    assert!((&raw const *page).addr().is_multiple_of(4096));
    let owned = pool.make(Page([8; 4096])).unwrap();
    assert!((&raw const *owned).addr().is_multiple_of(4096));
    assert!(page.0 == [7; 4096] && owned.0 == [8; 4096]);
    let before = pool.used();
    let nothing: &mut [u64; 0] = pool.alloc([]).unwrap();
    assert!((&raw const *nothing).addr().is_multiple_of(8));
    assert_eq!(pool.alloc_slice(0, |index| index).unwrap(), &[0; 0]);
    assert_eq!(pool.alloc_str("").unwrap(), "");
    drop(pool.make(()).unwrap());
    assert_eq!(pool.used(), before);
    let huge = pool.alloc_slice(9 << 20, |index| index as u8).unwrap();
    assert!(
        huge.iter()
            .zip(0_usize..)
            .all(|(byte, index)| *byte == index as u8)
    );
    // A type that needs dropping, as the caller says it does not.
    let text = pool.alloc(ManuallyDrop::new(String::from("text"))).unwrap();
    assert_eq!(text.as_str(), "text");
    // SAFETY: once.
    unsafe { ManuallyDrop::drop(text) };
}

#[test]
fn layouts_grow_and_shrink() {
    fn all<M>(pool: &Pool<'_, M>) {
        for align in (0..13).map(|shift| 1 << shift) {
            let layout = |size| Layout::from_size_align(size, align).unwrap();
            let mut size = 0;
            let mut block = pool.allocate_zeroed(layout(size)).unwrap();
            for next in [1, 17, 1_000, 100_000, 6 << 20, 50_000, 40, 0, 5, 0] {
                // SAFETY: the block's own layout.
                block = unsafe { pool.reallocate(block, layout(size), next) }.unwrap();
                assert!(block.addr().get().is_multiple_of(align), "{align}");
                // The first bytes and each page.
                for offset in (0..next.min(2_000)).chain((0..next).step_by(4096)) {
                    // SAFETY: inside of the block.
                    let place = unsafe { block.add(offset) };
                    if offset < size {
                        // SAFETY: it was written below.
                        assert_eq!(unsafe { place.read() }, offset as u8);
                    }
                    // SAFETY: as above.
                    unsafe { place.write(offset as u8) };
                }
                size = next;
            }
            let zeroes = pool.allocate_zeroed(layout(3_000)).unwrap();
            // SAFETY: as long.
            let bytes = unsafe { core::slice::from_raw_parts(zeroes.as_ptr(), 3_000) };
            assert!(bytes.iter().all(|byte| *byte == 0));
            // SAFETY: its layout.
            unsafe { pool.deallocate(zeroes, layout(3_000)) };
        }
        assert_eq!(pool.used(), 0);
    }
    all(&Pool::new().unwrap());
    all(&LocalPool::new_local().unwrap());
}

#[test]
fn what_one_thread_makes_another_drops() {
    let census = Census::default();
    let pool = Pool::new().unwrap();
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        for maker in 0..4 {
            let (send, pool, census) = (send.clone(), &pool, &census);
            scope.spawn(move || {
                for number in 0..5_000 {
                    let owned = pool.make(census.one(maker * 5_000 + number)).unwrap();
                    send.send(owned).unwrap();
                }
            });
        }
        drop(send);
        let sum: u64 = receive.into_iter().map(|it| *it.number).sum();
        assert_eq!(sum, 20_000 * 19_999 / 2);
    });
    assert_eq!((pool.used(), census.living()), (0, 0));
}

#[test]
fn limits_of_parents_count() {
    let top = Pool::builder()
        .name("top")
        .limit(100 << 10)
        .build()
        .unwrap();
    let middle = Pool::builder().parent(&top).build_local().unwrap();
    let loose = {
        let below = Pool::builder()
            .limit(10 << 10)
            .loose_parent(&top)
            .build()
            .unwrap();
        let loose = Pool::builder().loose_parent(&below).build().unwrap();
        assert_eq!(loose.alloc([0_u8; 20_000]).err(), Some(AllocError));
        loose
    };
    // Its parent is gone, the one above is not.
    loose.alloc([0_u8; 40_000]).unwrap();
    middle.alloc([0_u8; 40_000]).unwrap();
    assert_eq!(middle.alloc([0_u8; 40_000]).err(), Some(AllocError));
    assert!((80_000..100 << 10).contains(&top.used()));
    drop(loose);
    middle.alloc([0_u8; 40_000]).unwrap();
    top.set_limit(None);
    middle.alloc([0_u8; 400_000]).unwrap();
    drop(middle);
    assert_eq!(top.used(), 0);
}

#[test]
fn wrong_options_are_refused() {
    let refused = Pool::builder().node(u32::MAX).build();
    assert_eq!(refused.err(), Some(CreateError::Invalid));
    let refused = Pool::builder().node(63).build_local();
    assert_eq!(refused.err(), Some(CreateError::Invalid));
    assert_eq!(
        CreateError::Invalid.to_string(),
        "an argument is out of its range"
    );
    assert_eq!(
        AllocError.to_string(),
        "there is no memory, or a limit is reached"
    );
}

#[test]
fn pools_come_and_go() {
    for _ in 0..200 {
        let pools: Vec<_> = (0..20).map(|_| LocalPool::new_local().unwrap()).collect();
        for pool in &pools {
            pool.alloc_str("a word").unwrap();
        }
    }
    slubmalloc::raw::validate();
}

#[test]
fn threads_get_what_their_types_allow() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<Pool<'_>>();
    is_sync::<Pool<'_>>();
    is_send::<LocalPool<'_>>();
    is_send::<PoolBox<'_, u8>>();
    is_sync::<PoolBox<'_, u8>>();
}
