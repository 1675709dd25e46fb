//! Named caches, their objects and reserves, with every refusal taken for what it is.

extern crate std;
use core::cell::Cell;
use std::vec::Vec;

use super::random::Random;
use crate::cache::Registry;
use crate::kmem::{CacheArgs, Caller, Gfp, Kmem, KmemError, NamedCache};
use crate::modes::{Modes, Settings};
use crate::slab::Object;

const CACHES: usize = 4;
const SIZES: [usize; 8] = [8, 40, 64, 200, 1_000, 3_000, 9_000, 40 << 10];

const HWCACHE_ALIGN: u32 = 0x2000;
const TYPESAFE: u32 = 0x8_0000;
const MERGE: u32 = 0x200_0000;
const RED_ZONE: u32 = 0x400;

/// Allocations that may wait, and that may not.
const KERNEL: u32 = 0xcc0;
const NOWAIT: u32 = 0x2800;

/// What a constructor leaves in an object, at its first byte.
const CONSTRUCTED: u8 = 0x11;

extern "C" fn construct(object: *mut u8) {
    // SAFETY: an object that nobody else has, of a byte at least.
    unsafe { object.write(CONSTRUCTED) };
}

extern "C" fn destroy(object: *mut u8) {
    // SAFETY: as above.
    assert_eq!(unsafe { object.read() }, CONSTRUCTED);
}

/// A cache and what is held of it: objects with a mark in the last byte, and in the first where no constructor writes there.
struct Cache {
    handle: &'static NamedCache,
    limit: usize,
    held: Vec<(Object, u8)>,
    reserve: Option<&'static NamedCache>,
    reserved: Vec<Object>,
}

/// The caches of a world.
#[derive(Default)]
pub(super) struct Named {
    caches: Vec<Cache>,
    refusals: Cell<usize>,
}

impl Named {
    pub(super) fn refusals(&self) -> usize {
        self.refusals.get()
    }

    /// Anything that a program may do with caches.
    pub(super) fn step(
        &mut self,
        kmem: &'static Kmem,
        threads: &'static Registry,
        caller: Option<Caller>,
        random: &mut Random,
    ) {
        let number = random.below(CACHES);
        let Some(cache) = self.caches.get_mut(number) else {
            return self.create(kmem, random);
        };
        let refused = |is_refused| {
            self.refusals
                .set(self.refusals.get() + usize::from(is_refused))
        };
        match random.below(16) {
            0 => kmem.shrink(caller, cache.handle),
            1 => {
                let cache = self.caches.swap_remove(number);
                assert!(
                    cache.destroyed(kmem, threads, caller),
                    "nothing of it is in use"
                );
            }
            2 => assert!(kmem.end_grace(caller, kmem.begin_grace())),
            3 => {
                // Merged caches share the count, of which a reserve is part.
                let used = kmem.used(cache.handle, threads);
                assert!(used >= cache.held.len());
            }
            4 => refused(cache.refuses_a_reserve(kmem, threads, caller, 1 + random.below(40))),
            5 => refused(cache.refuses_from_reserve(kmem, caller)),
            6 => {
                if let Some(object) = cache.reserved.pop() {
                    assert!(kmem.give(caller, Some(cache.handle), object));
                }
            }
            7..11 => (0..random.below(80)).for_each(|_| cache.free(kmem, caller, random)),
            11..13 => {
                for _ in 0..random.below(80) {
                    refused(cache.refuses(kmem, caller, random));
                }
            }
            _ => refused(cache.refuses(kmem, caller, random)),
        }
    }

    fn create(&mut self, kmem: &'static Kmem, random: &mut Random) {
        let size = SIZES[random.below(SIZES.len())];
        let limit = [0, 0, 0, 500][random.below(4)];
        let flags = [0, HWCACHE_ALIGN, TYPESAFE, MERGE, RED_ZONE][random.below(5)];
        let constructs = random.below(3) == 0 && flags != RED_ZONE;
        let args = CacheArgs {
            limit,
            constructor: constructs.then_some(construct),
            destructor: (constructs && random.below(2) == 0).then_some(destroy),
            ..CacheArgs::default()
        };
        let modes = Modes::new(&Settings::OFF);
        match kmem.create(b"refused", size, args, flags, &modes) {
            Ok(handle) => self.caches.push(Cache {
                handle,
                limit,
                held: Vec::new(),
                reserve: None,
                reserved: Vec::new(),
            }),
            Err(why) => {
                assert_eq!(why, KmemError::NoMemory);
                self.refusals.set(self.refusals.get() + 1);
            }
        }
    }

    /// Destroys all caches, and ends the last grace period.
    pub(super) fn end(&mut self, kmem: &'static Kmem, threads: &'static Registry) {
        for cache in self.caches.drain(..) {
            assert!(cache.destroyed(kmem, threads, None));
        }
        assert!(kmem.end_grace(None, kmem.begin_grace()));
        kmem.trim_store();
    }
}

impl Cache {
    fn constructs(&self) -> bool {
        self.handle.constructs()
    }

    /// Takes an object; whether that was refused without a reason that the cache has itself.
    fn refuses(&mut self, kmem: &Kmem, caller: Option<Caller>, random: &mut Random) -> bool {
        let flags = [KERNEL, KERNEL, KERNEL, NOWAIT][random.below(4)];
        let handle = self.handle.handle().addr();
        let fast = caller.and_then(|(thread, _)| thread.pop_named(handle).ok());
        let gfp = Gfp::new(flags).expect("known flags");
        let Some(object) = fast.or_else(|| kmem.take(caller, self.handle, gfp)) else {
            return flags == KERNEL && self.limit == 0;
        };
        let mark = 1 + random.below(255) as u8;
        let size = self.handle.size();
        if self.constructs() {
            // SAFETY: an object that was handed out.
            let first = unsafe { object.read() };
            assert_eq!(first, CONSTRUCTED, "constructed, or as it was freed");
        } else {
            // SAFETY: as above.
            unsafe { object.write(mark) };
        }
        // SAFETY: as above, and its own.
        unsafe { last_of(object, size).write(mark) };
        self.held.push((object, mark));
        false
    }

    fn free(&mut self, kmem: &Kmem, caller: Option<Caller>, random: &mut Random) {
        if self.held.is_empty() {
            return;
        }
        let (object, mark) = self.held.swap_remove(random.below(self.held.len()));
        self.give(kmem, caller, object, mark);
    }

    fn give(&self, kmem: &Kmem, caller: Option<Caller>, object: Object, mark: u8) {
        let first = if self.constructs() { CONSTRUCTED } else { mark };
        // SAFETY: held, and not freed yet.
        assert_eq!(unsafe { object.read() }, first);
        let last = last_of(object, self.handle.size());
        // SAFETY: as above.
        assert_eq!(unsafe { last.read() }, mark);
        let handle = self.handle.handle().addr();
        let fast = caller.is_some_and(|(thread, _)| thread.push_named(handle, object.as_ptr()));
        assert!(fast || kmem.give(caller, Some(self.handle), object));
    }

    /// Makes a reserve, or changes how much it has; whether that was refused for want of memory.
    fn refuses_a_reserve(
        &mut self,
        kmem: &Kmem,
        threads: &Registry,
        caller: Option<Caller>,
        count: usize,
    ) -> bool {
        let made = match self.reserve {
            Some(reserve) => kmem.resize_reserve(caller, reserve, count),
            None => kmem
                .create_reserve(caller, self.handle, count, threads)
                .map(|made| self.reserve = Some(made)),
        };
        made.inspect_err(|why| assert_eq!(*why, KmemError::NoMemory))
            .is_err()
            && self.limit == 0
    }

    /// What is in reserve needs no memory, so only what is in use is a reason.
    fn refuses_from_reserve(&mut self, kmem: &Kmem, caller: Option<Caller>) -> bool {
        let Some(reserve) = self.reserve else {
            return false;
        };
        match kmem.take_reserved(caller, reserve) {
            Some(object) => self.reserved.push(object),
            None => assert!(
                !self.reserved.is_empty(),
                "a reserve has an object at least"
            ),
        }
        false
    }

    /// Frees everything and destroys the cache.
    fn destroyed(
        mut self,
        kmem: &'static Kmem,
        threads: &'static Registry,
        caller: Option<Caller>,
    ) -> bool {
        while let Some(object) = self.reserved.pop() {
            assert!(kmem.give(caller, Some(self.handle), object));
        }
        if let Some(reserve) = self.reserve.take() {
            assert_eq!(kmem.destroy_reserve(caller, reserve, threads), Ok(()));
        }
        while let Some((object, mark)) = self.held.pop() {
            self.give(kmem, caller, object, mark);
        }
        kmem.destroy(caller, self.handle, threads).is_ok()
    }
}

/// An object's last byte; none has only one.
fn last_of(object: Object, size: usize) -> Object {
    // SAFETY: inside of the object.
    unsafe { object.add(size - 1) }
}
