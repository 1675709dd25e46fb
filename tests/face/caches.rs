//! Caches.
#![expect(
    clippy::disallowed_macros,
    reason = "proptest's macros panic when a law is broken"
)]

use core::cell::Cell;
use core::mem::forget;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use proptest::prelude::*;
use slubmalloc::{AllocError, Cache, CacheBox, CacheBuilder, CreateError, Kept, KeptCache};

use super::{Census, Counted};

#[repr(align(256))]
struct Line([u8; 300]);

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn values_are_what_they_were_until_they_are_dropped(
        steps in proptest::collection::vec((0_u8..4, any::<u64>()), 0..400),
    ) {
        let census = Census::default();
        let cache = Cache::new("law").unwrap();
        let mut boxes: Vec<(u64, CacheBox<'_, Counted>)> = Vec::new();
        for (step, number) in steps {
            let at = (number as usize).checked_rem(boxes.len());
            match (step, at) {
                (0, Some(at)) => drop(boxes.swap_remove(at)),
                (1, Some(at)) => {
                    let (number, owned) = boxes.swap_remove(at);
                    assert_eq!(*CacheBox::into_inner(owned).number, number);
                }
                _ => boxes.push((number, cache.make(census.one(number)).unwrap())),
            }
            assert_eq!(census.living(), boxes.len());
        }
        assert_eq!(cache.used(), boxes.len());
        assert!(boxes.iter().all(|(number, it)| *it.number == *number));
        drop(boxes);
        assert_eq!((cache.used(), census.living()), (0, 0));
        drop(cache);
        slubmalloc::raw::validate();
    }

    /// A kept value is made once and is what its last user left.
    #[test]
    fn kept_values_are_what_they_were(
        steps in proptest::collection::vec((0_u8..8, any::<usize>()), 0..400),
    ) {
        let census = Census::default();
        let next = AtomicU64::new(0);
        let cache = {
            let census = census.clone();
            KeptCache::new("law of kept", move || census.one(next.fetch_add(1 << 32, Relaxed))).unwrap()
        };
        // What each value was left as, by which it was made as.
        let mut left = std::collections::BTreeMap::new();
        let mut out: Vec<Kept<'_, Counted>> = Vec::new();
        for (step, which) in steps {
            let at = which.checked_rem(out.len());
            match (step, at) {
                (0..3, Some(at)) => drop(out.swap_remove(at)),
                (3, Some(at)) => {
                    let kept = out.swap_remove(at);
                    left.remove(&(*kept.number >> 32));
                    Kept::discard(kept);
                }
                (4, _) => cache.shrink(),
                _ => {
                    let mut kept = cache.take().unwrap();
                    let made_as = *kept.number >> 32;
                    if let Some(was) = left.get(&made_as) {
                        assert_eq!(*kept.number, *was);
                    }
                    *kept.number += 1;
                    left.insert(made_as, *kept.number);
                    out.push(kept);
                }
            }
            assert!(census.living() <= left.len() && census.living() >= out.len());
        }
        assert_eq!(cache.used(), out.len());
        drop(out);
        drop(cache);
        assert_eq!(census.living(), 0);
        slubmalloc::raw::validate();
    }
}

#[test]
fn what_one_thread_makes_another_drops() {
    let census = Census::default();
    let cache = Cache::new("threads").unwrap();
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        for maker in 0..4 {
            let (send, cache, census) = (send.clone(), &cache, &census);
            scope.spawn(move || {
                for number in 0..5_000 {
                    let owned = cache.make(census.one(maker * 5_000 + number)).unwrap();
                    send.send(owned).unwrap();
                }
            });
        }
        drop(send);
        let sum: u64 = receive.into_iter().map(|it| *it.number).sum();
        assert_eq!(sum, 20_000 * 19_999 / 2);
    });
    assert_eq!((cache.used(), census.living()), (0, 0));
}

#[test]
fn kept_values_go_from_thread_to_thread_and_end_with_the_cache() {
    let (census, made) = (Census::default(), Arc::new(AtomicU64::new(0)));
    let make = {
        let (census, made) = (census.clone(), made.clone());
        move || census.one(made.fetch_add(1, Relaxed))
    };
    let cache = KeptCache::new("kept by threads", make).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let mut kept: Vec<_> = (0..20).map(|_| cache.take().unwrap()).collect();
                    kept.iter_mut().for_each(|it| *it.number += 1);
                }
            });
        }
    });
    let made = made.load(Relaxed);
    // A mode may keep what was used last from the next one.
    let most = match std::env::var_os("SLUBMALLOC_CONF") {
        None => 4_000,
        Some(_) => 40_000,
    };
    assert!((20..=most).contains(&made), "{made} made for 40,000 uses");
    assert_eq!(cache.used(), 0);
    drop(cache);
    assert_eq!(census.living(), 0);
}

#[test]
fn limits_refuse_and_drop() {
    let census = Census::default();
    let cache = CacheBuilder::new("limited")
        .limit(3)
        .sheaf_capacity(2)
        .build()
        .unwrap();
    let some: Vec<_> = (0..3)
        .map(|it| cache.make(census.one(it)).unwrap())
        .collect();
    assert_eq!(cache.make(census.one(3)).err(), Some(AllocError));
    assert_eq!(census.living(), 3);
    cache.set_limit(Some(4));
    drop(cache.make(census.one(3)).unwrap());
    cache.set_limit(None);
    drop(some);
    assert_eq!(census.living(), 0);
    let closed = CacheBuilder::new("closed").limit(0).build::<u8>().unwrap();
    assert_eq!(closed.make(1).err(), Some(AllocError));
    let kept = CacheBuilder::new("limited and kept")
        .limit(1)
        .build_kept(|| [0_u8; 64])
        .unwrap();
    let one = kept.take().unwrap();
    assert_eq!(kept.take().err(), Some(AllocError));
    drop(one);
    assert_eq!(kept.take().unwrap().len(), 64);
}

#[test]
fn any_type_is_served() {
    let lines = Cache::new("line").unwrap();
    let nothings = Cache::new("nothing").unwrap();
    let all: Vec<_> = (0..100_u8)
        .map(|mark| lines.make(Line([mark; 300])).unwrap())
        .collect();
    for (line, mark) in all.iter().zip(0..) {
        assert!((&raw const **line).addr().is_multiple_of(256) && line.0 == [mark; 300]);
    }
    assert_eq!(*nothings.make(()).unwrap(), ());
    let largest = Cache::new("largest").unwrap();
    assert_eq!(largest.make_with(|| [9_u8; 48 << 10]).unwrap()[1_000], 9);
    let text = Cache::new("text").unwrap();
    assert_eq!(format!("{:?}", text.make("text")), "Ok(\"text\")");
}

#[test]
fn wrong_arguments_are_refused() {
    assert_eq!(Cache::<u8>::new("").err(), Some(CreateError::Invalid));
    let long = "x".repeat(256);
    assert_eq!(Cache::<u8>::new(&long).err(), Some(CreateError::Invalid));
    let large = Cache::<[u8; (48 << 10) + 1]>::new("too large");
    assert_eq!(large.err(), Some(CreateError::Invalid));
    let kept = KeptCache::new("too large with its mark", || [0_u8; 48 << 10]);
    assert_eq!(kept.err(), Some(CreateError::Invalid));
    let many = CacheBuilder::new("too many").sheaf_capacity(1_023);
    assert_eq!(many.build::<u8>().err(), Some(CreateError::Invalid));
}

#[test]
fn a_panic_leaves_no_memory_and_no_value_behind() {
    let cache = Cache::<Counted>::new("panics").unwrap();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let _ = cache.make_with(|| panic!("on purpose"));
    }));
    assert!(failed.is_err());
    assert_eq!(cache.used(), 0);

    let census = Census::default();
    let tries = Cell::new(0);
    let make = {
        let census = census.clone();
        move || {
            tries.set(tries.get() + 1);
            assert!(tries.get() > 3, "on purpose");
            census.one(7)
        }
    };
    // One object.
    let kept = CacheBuilder::new("kept and panics").limit(1);
    let kept = kept.build_kept(make).unwrap();
    for _ in 0..3 {
        let failed = catch_unwind(AssertUnwindSafe(|| drop(kept.take())));
        assert!(failed.is_err());
        assert_eq!((kept.used(), census.living()), (0, 0));
    }
    assert_eq!(*kept.take().unwrap().number, 7);
    // What panics in the middle of a use goes back as it is.
    let failed = catch_unwind(AssertUnwindSafe(|| {
        *kept.take().unwrap().number = 8;
        panic!("on purpose");
    }));
    assert!(failed.is_err());
    assert_eq!(*kept.take().unwrap().number, 8);
    drop(kept);
    assert_eq!(census.living(), 0);
}

#[test]
fn a_value_may_use_its_cache_while_it_is_made_and_dropped() {
    struct Node<'cache> {
        below: Option<CacheBox<'cache, Node<'cache>>>,
    }
    fn chain<'cache>(
        cache: &'cache Cache<Node<'cache>>,
        depth: usize,
    ) -> Option<CacheBox<'cache, Node<'cache>>> {
        let below = depth.checked_sub(1).and_then(|depth| chain(cache, depth));
        cache.make_with(|| Node { below }).ok()
    }
    let depth = |chain: &Option<CacheBox<'_, Node<'_>>>| {
        let mut next = chain.as_deref();
        core::iter::from_fn(|| {
            let node = next?;
            next = node.below.as_deref();
            Some(())
        })
        .count()
    };
    // It borrows itself as long as it lives, so it is never dropped.
    let cache = Box::leak(Box::new(Cache::new("chain").unwrap()));
    let whole = chain(cache, 1_000);
    assert_eq!((depth(&whole), cache.used()), (1_001, 1_001));
    drop(whole);
    assert_eq!(cache.used(), 0);
}

#[test]
fn what_is_forgotten_stays_and_harms_nobody() {
    let census = Census::default();
    let cache = Cache::new("forgotten").unwrap();
    forget(cache.make(census.one(1)).unwrap());
    drop(cache.make(census.one(2)).unwrap());
    assert_eq!(cache.used(), 1);
    // Here a line says so.
    drop(cache);
    let kept = KeptCache::new("forgotten and kept", {
        let census = census.clone();
        move || census.one(3)
    })
    .unwrap();
    forget(kept.take().unwrap());
    drop(kept);
    // The handle is forgotten: nothing of it ends.
    forget(Cache::<u64>::new("never ended").unwrap());
    assert_eq!(census.living(), 2);
    slubmalloc::raw::validate();
}

#[test]
fn threads_get_what_their_types_allow() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    // The cache has no value, so any thread may use it for values that stay in it.
    let cells = Cache::<Cell<u8>>::new("cells").unwrap();
    is_sync(&cells);
    is_send(&cells);
    let cell = cells.make(Cell::new(1)).unwrap();
    is_send(&cell);
    let kept = KeptCache::new("kept cells", || Cell::new(1)).unwrap();
    is_sync(&kept);
    is_send(&kept.take().unwrap());
}
