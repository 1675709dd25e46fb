//! Caches in small worlds, with threads as values.
#![forbid(unsafe_code)]

extern crate std;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::cache::Registry;
use crate::heap::Settings;
use crate::modes::Modes;
use crate::numa::{NodeSet, Topology};
use crate::slab::Object;
use crate::units::NodeId;

const KERNEL: u32 = 0xcc0;

pub(super) struct World {
    pub(super) heap: &'static Heap,
    pub(super) kmem: &'static Kmem,
    pub(super) registry: Registry,
}

impl World {
    pub(super) fn new(nodes: u64) -> Self {
        let settings = Settings {
            arena_bytes: 64 << 20,
            ..Settings::TEST
        };
        let topology = Topology::uniform(NodeSet::from_bits(nodes));
        let heap: &Heap = Box::leak(Box::new(Heap::new(topology, settings).unwrap()));
        Self {
            heap,
            kmem: Box::leak(Box::new(Kmem::new(heap).unwrap())),
            registry: Registry::new(),
        }
    }

    pub(super) fn thread(&self, node: u8) -> Caller {
        let home = self.heap.home_of(NodeId(node));
        let binding = Binding {
            heap: self.heap,
            home,
        };
        (self.registry.birth(binding).unwrap(), binding)
    }

    pub(super) fn cache(&self, size: usize, args: CacheArgs) -> &'static NamedCache {
        self.kmem
            .create(b"test", size, args, 0, &without_modes())
            .unwrap()
    }

    pub(super) fn used(&self, cache: &'static NamedCache) -> usize {
        self.kmem.used(cache, &self.registry)
    }

    pub(super) fn destroy(&self, cache: &'static NamedCache) -> bool {
        self.kmem.destroy(None, cache, &self.registry).is_ok()
    }

    /// The threads end, and everything agrees.
    pub(super) fn end(&self, threads: &[Caller]) {
        for (thread, _) in threads {
            self.kmem.leave(thread);
            self.registry.exit(thread);
        }
        self.validate();
        for cache in self.kmem.all() {
            let in_use = cache.entries().map(|entry| entry.cache_node.lock().out());
            assert_eq!(in_use.sum::<u64>(), cache.out() as u64);
        }
        self.kmem.store.trim();
        self.validate();
    }

    pub(super) fn validate(&self) {
        self.kmem.validate();
        self.heap.validate();
    }
}

pub(super) fn alloc(world: &World, thread: Caller, cache: &'static NamedCache) -> Option<Object> {
    let fast = thread.0.pop_named(cache.handle().addr()).ok();
    let gfp = Gfp::new(KERNEL).unwrap();
    fast.or_else(|| world.kmem.take(Some(thread), cache, gfp))
}

pub(super) fn free(world: &World, thread: Caller, cache: &'static NamedCache, object: Object) {
    if !thread.0.push_named(cache.handle().addr(), object.as_ptr()) {
        assert!(world.kmem.give(Some(thread), Some(cache), object));
    }
}

/// Numbers without a pattern, the same each time.
pub(super) fn numbers(mut state: u64) -> impl FnMut() -> usize {
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize
    }
}

#[test]
fn objects_of_many_caches_and_threads_are_apart() {
    let world = World::new(1);
    let threads = [world.thread(0), world.thread(0), world.thread(0)];
    let caches: Vec<_> = [1, 24, 100, 520, 3000, 20_000]
        .into_iter()
        .map(|size| world.cache(size, CacheArgs::default()))
        .collect();
    let mut held: Vec<(usize, Object)> = Vec::new();
    let mut next = numbers(7);
    for _ in 0..20_000 {
        let thread = threads[next() % threads.len()];
        if next() % 1000 < 520 && held.len() < 1500 {
            let which = next() % caches.len();
            let object = alloc(&world, thread, caches[which]).unwrap();
            held.push((which, object));
        } else if !held.is_empty() {
            let (which, object) = held.swap_remove(next() % held.len());
            free(&world, thread, caches[which], object);
        }
    }
    let mut ranges: Vec<_> = held
        .iter()
        .map(|(which, object)| (object.addr().get(), caches[*which].size()))
        .collect();
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0));
    for (which, cache) in caches.iter().enumerate() {
        let count = held.iter().filter(|(of, _)| *of == which).count();
        assert_eq!(world.used(cache), count);
    }
    world.validate();
    for (which, object) in held {
        free(&world, threads[0], caches[which], object);
    }
    world.validate();
    assert!(caches.iter().all(|cache| world.destroy(cache)));
    world.end(&threads);
}

static CONSTRUCTED: AtomicUsize = AtomicUsize::new(0);
static DESTROYED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn construct(_: *mut u8) {
    CONSTRUCTED.fetch_add(1, Relaxed);
}

extern "C" fn destroy(_: *mut u8) {
    DESTROYED.fetch_add(1, Relaxed);
}

#[test]
fn an_object_is_constructed_once_for_each_life_of_its_slab() {
    let world = World::new(1);
    let thread = world.thread(0);
    let cache = world.cache(
        64,
        CacheArgs {
            constructor: Some(construct),
            destructor: Some(destroy),
            ..CacheArgs::default()
        },
    );
    let counts = || (CONSTRUCTED.load(Relaxed), DESTROYED.load(Relaxed));
    for round in 1..=3 {
        for _ in 0..4 {
            let held: Vec<_> = (0..1024)
                .map(|_| alloc(&world, thread, cache).unwrap())
                .collect();
            held.into_iter()
                .for_each(|object| free(&world, thread, cache, object));
        }
        // A slab has 1,024 of them, and the sheaf a few of the next.
        let (constructed, destroyed) = counts();
        assert!(constructed >= 1024 * round && constructed <= 1300 * round);
        assert!(destroyed < constructed);
        world.kmem.shrink(Some(thread), cache);
        let (constructed, destroyed) = counts();
        assert_eq!(constructed, destroyed);
    }
    world.validate();
    assert!(world.destroy(cache));
    world.end(&[thread]);
}

#[test]
fn a_limit_is_exact_for_one_thread() {
    let world = World::new(1);
    let thread = world.thread(0);
    let cache = world.cache(
        200,
        CacheArgs {
            limit: 777,
            ..CacheArgs::default()
        },
    );
    let held: Vec<_> = core::iter::from_fn(|| alloc(&world, thread, cache)).collect();
    assert_eq!((held.len(), world.used(cache)), (777, 777));
    assert!(!world.destroy(cache));
    held.into_iter()
        .for_each(|object| free(&world, thread, cache, object));
    world.validate();
    assert!(world.destroy(cache));
    world.end(&[thread]);
}

#[test]
fn an_object_of_another_node_goes_back_there() {
    let world = World::new(0b11);
    let (near, far) = (world.thread(0), world.thread(1));
    let cache = world.cache(64, CacheArgs::default());
    let node_of = |object: Object| world.kmem.cache_of(object.addr().get()).unwrap().1.id();
    let held: Vec<_> = (0..3000)
        .map(|_| alloc(&world, near, cache).unwrap())
        .collect();
    assert!(held.iter().all(|object| node_of(*object) == NodeId(0)));
    held.into_iter()
        .for_each(|object| free(&world, far, cache, object));
    let own = alloc(&world, far, cache).unwrap();
    assert_eq!(node_of(own), NodeId(1));
    free(&world, far, cache, own);
    let gfp = Gfp::new(KERNEL | 0x20_0000).unwrap();
    let on = |node| world.kmem.take_on(Some(near), cache, NodeId(node), gfp);
    let asked = on(1).unwrap().unwrap();
    assert_eq!((node_of(asked), on(5)), (NodeId(1), None));
    free(&world, near, cache, asked);
    assert!(world.used(cache) == 0 && world.destroy(cache));
    world.end(&[near, far]);
}

#[test]
fn a_structure_serves_the_next_cache() {
    let world = World::new(1);
    let thread = world.thread(0);
    let mut last = None;
    for size in [16, 48 << 10, 100, 1000] {
        let cache = world.cache(size, CacheArgs::default());
        assert!(last.is_none_or(|last| core::ptr::eq(last, cache)));
        let object = alloc(&world, thread, cache).unwrap();
        free(&world, thread, cache, object);
        assert!(cache.exists() && world.destroy(cache) && !cache.exists());
        last = Some(cache);
    }
    world.end(&[thread]);
}

#[test]
fn what_is_not_needed_goes_back() {
    let world = World::new(1);
    let thread = world.thread(0);
    let cache = world.cache(1024, CacheArgs::default());
    let held: Vec<_> = (0..1000)
        .map(|_| alloc(&world, thread, cache).unwrap())
        .collect();
    held.into_iter()
        .for_each(|object| free(&world, thread, cache, object));
    let out = || cache.out.load(Relaxed);
    assert!(out() > 100);
    for _ in 0..2 {
        let elapsed = crate::decay::Elapsed::FOR_EVER;
        world
            .kmem
            .decay(elapsed, &mut crate::decay::Budget::unlimited());
    }
    // What the thread has at hand.
    assert!(out() <= 2 * cache.capacity());
    world.validate();
    assert!(world.destroy(cache));
    world.end(&[thread]);
}

#[test]
fn type_safe_memory_goes_after_a_grace_period_and_not_before() {
    let world = World::new(1);
    let thread = world.thread(0);
    let typesafe = |name: &[u8]| {
        let made = world
            .kmem
            .create(name, 64, CacheArgs::default(), 0x8_0000, &without_modes());
        made.unwrap()
    };
    let cache = typesafe(b"first");
    let slabs = |cache: &NamedCache| cache.first.cache_node.lock().counts(cache.capacity()).slabs;
    let use_three = |cache| {
        let held: Vec<_> = (0..2800)
            .map(|_| alloc(&world, thread, cache).unwrap())
            .collect();
        held.into_iter()
            .for_each(|object| free(&world, thread, cache, object));
        world.kmem.shrink(Some(thread), cache);
    };
    use_three(cache);
    assert_eq!(slabs(cache), 3);
    let first = world.kmem.begin_grace();
    // What became empty later waits for another period.
    use_three(cache);
    let second = world.kmem.begin_grace();
    assert_eq!(slabs(cache), 6);
    assert!(!world.kmem.end_grace(None, 0) && !world.kmem.end_grace(None, second + 1));
    assert!(world.kmem.end_grace(None, first));
    assert_eq!(slabs(cache), 3);
    // A cache that is destroyed leaves its slabs and its structure to the next period.
    use_three(cache);
    assert!(world.destroy(cache) && !cache.exists());
    let other = typesafe(b"other");
    assert!(!core::ptr::eq(other, cache) && slabs(cache) == 6);
    assert!(world.kmem.end_grace(None, second));
    assert_eq!(slabs(cache), 3);
    let third = world.kmem.begin_grace();
    assert!(world.kmem.end_grace(None, third) && slabs(cache) == 0);
    assert!(core::ptr::eq(typesafe(b"next"), cache));
    world.end(&[thread]);
}

#[test]
fn many_caches_grow_the_threads_table() {
    let world = World::new(1);
    let thread = world.thread(0);
    let caches: Vec<_> = (0..300)
        .map(|index| world.cache(16 + index, CacheArgs::default()))
        .collect();
    let held: Vec<_> = caches
        .iter()
        .map(|cache| alloc(&world, thread, cache).unwrap())
        .collect();
    for (cache, object) in caches.iter().zip(held) {
        assert_eq!(world.used(cache), 1);
        free(&world, thread, cache, object);
    }
    world.kmem.leave(thread.0);
    assert_eq!(thread.0.named_bytes(), 0);
    assert!(caches.iter().all(|cache| cache.out.load(Relaxed) == 0));
    assert!(caches.iter().all(|cache| world.destroy(cache)));
    world.end(&[thread]);
}

/// No modes.
fn without_modes() -> Modes {
    Modes::new(&crate::modes::Settings::OFF)
}
