//! Named caches: they come and go while others are used, wait for grace periods, and have reserves that threads wait for.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};
use core::world::{self, Fault};

use super::memory::heap;
use crate::cache::{Binding, Haste, Registry, ThreadCache};
use crate::decay::{Budget, Elapsed};
use crate::heap::Heap;
use crate::kmem::{CacheArgs, Caller, Gfp, Kmem, NamedCache};
use crate::limit::Limit;
use crate::modes::Modes;
use crate::slab::Object;
use crate::units::NodeId;

/// Few objects lie in a slab of these.
const BYTES: usize = 40 << 10;
const IN_SLAB: usize = 3;
const TYPESAFE: u32 = 0x8_0000;
/// A life of a cache takes many steps.
const BOUND: Option<usize> = Some(1);

/// A heap with named caches, and its threads.
#[derive(Clone, Copy, Debug)]
struct Program {
    heap: &'static Heap,
    kmem: &'static Kmem,
    threads: &'static Registry,
}

impl Program {
    fn new() -> Self {
        let heap = heap(1, Limit::off());
        let kmem = Kmem::new(heap).expect("there is memory");
        Self {
            heap,
            kmem: world::place(kmem),
            threads: world::place(Registry::new()),
        }
    }

    fn thread(self) -> Caller {
        let home = self.heap.home_of(NodeId(0));
        let binding = Binding {
            heap: self.heap,
            home,
        };
        let born = self.threads.birth(binding);
        (born.expect("there is memory"), binding)
    }

    fn cache(self, flags: u32) -> &'static NamedCache {
        let args = CacheArgs::default();
        let made = self.kmem.create(b"model", BYTES, args, flags, &Modes);
        made.expect("there is memory")
    }

    fn alloc(self, caller: Caller, cache: &'static NamedCache) -> Object {
        let taken = self.kmem.take(Some(caller), cache, Gfp::KERNEL);
        taken.expect("there is memory")
    }

    fn free(self, caller: Caller, cache: &'static NamedCache, object: Object) {
        if !caller.0.push_named(cache.handle().addr(), object.as_ptr()) {
            assert!(self.kmem.give(Some(caller), Some(cache), object));
        }
    }

    fn destroy(self, cache: &'static NamedCache) -> bool {
        self.kmem.destroy(None, cache, self.threads).is_ok()
    }

    /// The threads have ended, and nothing is left.
    fn end(self, threads: &[&'static ThreadCache], caches: &[&'static NamedCache]) {
        threads.iter().for_each(|thread| self.kmem.leave(thread));
        for cache in caches {
            assert_eq!(self.kmem.used(cache, self.threads), 0);
            assert!(self.destroy(cache), "no object is lost or there twice");
        }
        self.heap.validate();
    }
}

fn address(object: Object) -> usize {
    object.as_ptr().addr()
}

/// A thread makes a cache, uses it and destroys it, while another one uses a cache that both know, and a visitor's round comes by.
pub fn comes_and_goes(fault: Fault) -> usize {
    world::check(fault, BOUND, move || {
        let program = Program::new();
        let (first, second) = (program.thread(), program.thread());
        let shared = program.cache(0);
        // All objects of a slab, so that the one that comes back is the next.
        let take = |()| program.kmem.take(None, shared, Gfp::KERNEL);
        let all = [(); IN_SLAB].map(|it| take(it).expect("there is memory"));
        let object = all[0];
        world::watch(address(object));
        let come_and_go = move || {
            world::write(address(object), 1);
            // To the slabs, so that others find it.
            assert!(program.kmem.give(None, Some(shared), object));
            let own = program.cache(0);
            let of_own = program.alloc(first, own);
            assert_ne!(own.owner_word(), shared.owner_word());
            program.free(first, own, of_own);
            assert!(program.destroy(own) && !own.exists());
        };
        let use_shared = move || {
            let taken = program.alloc(second, shared);
            if taken == object {
                world::write(address(taken), 2);
                assert_eq!(world::read(address(taken)), 2, "an object has one owner");
            }
            program.free(second, shared, taken);
            program
                .kmem
                .decay(Elapsed::FOR_EVER, &mut Budget::unlimited());
        };
        world::together([Box::new(come_and_go), Box::new(use_shared)]);
        all.iter()
            .skip(1)
            .for_each(|object| program.free(first, shared, *object));
        program.end(&[first.0, second.0], &[shared]);
    })
}

/// Two threads destroy a cache of which the program holds an object: it stays for both, with the object, also beside a round.
pub fn stays(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let program = Program::new();
        let (first, second) = (program.thread(), program.thread());
        let (cache, other) = (program.cache(0), program.cache(0));
        let object = program.alloc(first, cache);
        let destroy = move || {
            assert!(!program.destroy(cache), "an object is in use");
            assert!(cache.exists());
        };
        let round = move || {
            let taken = program.alloc(second, other);
            program.free(second, other, taken);
            program
                .kmem
                .decay(Elapsed::FOR_EVER, &mut Budget::unlimited());
            second.0.visit(Haste::Now, &mut Budget::unlimited());
        };
        world::together([Box::new(destroy), Box::new(round)]);
        program.free(first, cache, object);
        program.end(&[first.0, second.0], &[cache, other]);
    })
}

/// A thread frees the last object of a type-safe cache, shrinks it and has a grace period, in which another thread reads the object
/// without a lock. With a mistake the period ends before the reader has.
pub fn grace(fault: Fault, ends_early: bool) -> usize {
    world::check(fault, Some(2), move || {
        let program = Program::new();
        let writer = program.thread();
        let (cache, other) = (program.cache(TYPESAFE), program.cache(0));
        let object = program.alloc(writer, cache);
        world::watch(address(object));
        let readers = world::place(AtomicUsize::new(1));
        let read = move || {
            let _ = world::read(address(object));
            // ORDERING: release, with the acquire of a thread that waits for readers.
            readers.store(0, Ordering::Release);
        };
        let write = move || {
            program.free(writer, cache, object);
            program.kmem.shrink(Some(writer), cache);
            let period = program.kmem.begin_grace();
            // ORDERING: acquire, with the reader's release.
            if ends_early || readers.load(Ordering::Acquire) == 0 {
                assert!(program.kmem.end_grace(Some(writer), period));
                // The memory is another cache's now.
                let next = program.alloc(writer, other);
                if address(next) == address(object) {
                    world::write(address(next), 1);
                }
                program.free(writer, other, next);
            }
        };
        world::together([Box::new(read), Box::new(write)]);
        program.end(&[writer.0], &[cache, other]);
        let last = program.kmem.begin_grace();
        assert!(program.kmem.end_grace(None, last));
        program.heap.validate();
    })
}

/// A thread waits for the one object of a reserve, which another one frees. With a mistake it sleeps without having looked again.
pub fn waits(fault: Fault, looks: bool) -> usize {
    world::check(fault, Some(2), move || {
        let program = Program::new();
        let (waiter, giver) = (program.thread(), program.thread());
        let cache = program.cache(0);
        let (kmem, threads) = (program.kmem, program.threads);
        let pool = kmem.create_reserve(Some(giver), cache, 1, threads);
        let pool = pool.expect("there is memory");
        let object = kmem.take_reserved(Some(giver), pool);
        let object = object.expect("the reserve has one");
        assert_eq!(kmem.take_reserved(Some(giver), pool), None);
        let wait = move || {
            let take = || kmem.take_reserved(Some(waiter), pool);
            let again = || if looks { take() } else { None };
            let taken = core::iter::repeat_with(|| take().or_else(|| pool.wait(again)));
            assert_eq!(taken.flatten().next(), Some(object));
        };
        let give = move || assert!(kmem.give(Some(giver), Some(cache), object));
        world::together([Box::new(wait), Box::new(give)]);
        assert!(kmem.give(None, Some(cache), object));
        assert!(kmem.destroy_reserve(None, pool, threads).is_ok());
        program.end(&[waiter.0, giver.0], &[cache]);
    })
}
