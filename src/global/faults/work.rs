//! What a program does, with every refusal taken for what it is.

extern crate std;
use core::ptr::NonNull;
use std::vec::Vec;

use super::named::Named;
use super::random::Random;
use super::world::World;
use crate::cache::{Haste, ThreadCache};
use crate::decay::{Budget, Elapsed};
use crate::heap::Resized;
use crate::slab::Request;
use crate::sync;
use crate::sys;
use crate::units::Zeroed;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Sizes of all kinds: small, large, huge.
const SIZES: [usize; 14] = [
    1,
    24,
    64,
    200,
    1_000,
    3_000,
    9_000,
    32 * KIB,
    40_000,
    300_000,
    3 * MIB,
    4 * MIB + 1,
    6 * MIB,
    20 * MIB,
];

/// A block with marks at both ends.
struct Block {
    start: NonNull<u8>,
    bytes: usize,
    mark: u8,
}

impl Block {
    fn paint(start: NonNull<u8>, bytes: usize, mark: u8) -> Self {
        let block = Self { start, bytes, mark };
        // SAFETY: the heap gave at least `bytes`, and at least one.
        unsafe { start.write(mark) };
        // SAFETY: as above.
        unsafe { block.last().write(mark) };
        block
    }

    fn last(&self) -> NonNull<u8> {
        // SAFETY: inside of the block.
        unsafe { self.start.add(self.bytes - 1) }
    }

    fn is_intact(&self) -> bool {
        // SAFETY: painted, and still held.
        let first = unsafe { self.start.read() };
        // SAFETY: as above.
        let last = unsafe { self.last().read() };
        (first, last) == (self.mark, self.mark)
    }
}

/// What goes on in a world.
pub(super) struct Work<'world> {
    world: &'world World,
    random: Random,
    threads: [Option<&'static ThreadCache>; 3],
    blocks: Vec<Block>,
    named: Named,
    refusals: usize,
}

impl<'world> Work<'world> {
    pub(super) fn new(world: &'world World, seed: u64) -> Self {
        Self {
            world,
            random: Random::new(seed),
            threads: [None; 3],
            blocks: Vec::new(),
            named: Named::default(),
            refusals: 0,
        }
    }

    /// Requests that were refused.
    pub(super) fn refusals(&self) -> usize {
        self.refusals + self.named.refusals()
    }

    /// Anything that a program may do.
    pub(super) fn step(&mut self) {
        match self.random.below(64) {
            0 => self.exit(),
            1 => _ = self.world.heap.trim(),
            2 => {
                let (steps, quiet) = (
                    1 + self.random.below(9) as u32,
                    self.random.below(20) as u32,
                );
                self.world.heap.decay(Elapsed { steps, quiet });
            }
            3 => self.world.caches.for_each(|cache| {
                let mut budget = Budget::unlimited();
                cache.visit(Haste::Now, &mut budget);
                let kmem = self.world.kmem();
                kmem.inspect(|kmem| kmem.visit(cache, Haste::Now, &mut budget));
            }),
            4 => self.fork(),
            5 => _ = self.world.stats(),
            6 => self.world.heap.validate(),
            7..14 => self.many(),
            14..26 => self.name(),
            26..36 => self.free(),
            36..46 => self.resize(),
            _ => self.allocate(),
        }
    }

    /// A thread's cache, born if there is none; `None` for a thread without.
    fn thread(&mut self) -> Option<&'static ThreadCache> {
        let number = self.random.below(3);
        if self.threads[number].is_none() {
            self.threads[number] = self.world.birth(number as u8);
            self.refusals += usize::from(self.threads[number].is_none());
        }
        self.threads[number]
    }

    fn exit(&mut self) {
        let number = self.random.below(3);
        if let Some(cache) = self.threads[number].take() {
            self.leave(cache);
        }
    }

    fn leave(&self, cache: &'static ThreadCache) {
        if let Some(kmem) = self.world.kmem() {
            kmem.leave(cache);
        }
        self.world.caches.exit(cache);
    }

    /// Something with named caches.
    fn name(&mut self) {
        let Some(kmem) = self.world.kmem() else {
            self.refusals += 1;
            return;
        };
        let caller = self.thread().and_then(|it| Some((it, it.binding()?)));
        self.named
            .step(kmem, self.world.caches, caller, &mut self.random);
    }

    fn fork(&mut self) {
        let _one = sync::one_fork::take();
        sync::begin_fork(sync::Interrupted::No);
        let kmem = self.world.kmem();
        kmem.inspect(|kmem| kmem.hold_life_for_fork());
        self.world.caches.hold_for_fork();
        kmem.inspect(|kmem| kmem.hold_for_fork());
        self.world.heap.hold_for_fork();
        // Other handlers may allocate meanwhile.
        self.allocate();
        sync::end_fork();
    }

    fn allocate(&mut self) {
        let bytes = SIZES[self.random.below(SIZES.len())];
        let bytes = bytes + self.random.below(bytes);
        let shift = self.random.below(24);
        let zeroed = [Zeroed::Yes, Zeroed::No][self.random.below(2)];
        let Some((cache, binding)) = self.thread().and_then(|it| Some((it, it.binding()?))) else {
            return;
        };
        let (align, wanted) = match shift > 16 {
            true => (1 << shift, Zeroed::No),
            false => (1, zeroed),
        };
        let request = Request::new(bytes, align, wanted);
        let block = request.and_then(|request| cache.alloc_slow(binding, &request));
        let Some(start) = block else {
            self.refusals += 1;
            return;
        };
        if shift > 16 {
            assert!(start.addr().get().is_multiple_of(1 << shift));
        } else if zeroed == Zeroed::Yes {
            let block = Block {
                start,
                bytes,
                mark: 0,
            };
            assert!(block.is_intact(), "zeroes were wanted");
        }
        assert!(self.world.heap.usable_size(start.addr().get()) >= Some(bytes));
        let mark = 1 + self.random.below(255) as u8;
        self.blocks.push(Block::paint(start, bytes, mark));
    }

    /// Many of a size, so that sheaves, barns and slabs come and go.
    fn many(&mut self) {
        let bytes = SIZES[self.random.below(8)];
        let count = 1 + self.random.below(400 * KIB / (bytes + KIB));
        let Some((cache, binding)) = self.thread().and_then(|it| Some((it, it.binding()?))) else {
            return;
        };
        let mark = 1 + self.random.below(255) as u8;
        for _ in 0..count {
            let request = Request::new(bytes, 1, Zeroed::No);
            match request.and_then(|request| cache.alloc_slow(binding, &request)) {
                Some(start) => self.blocks.push(Block::paint(start, bytes, mark)),
                None => self.refusals += 1,
            }
        }
        if self.random.below(2) == 0 {
            for _ in 0..count {
                self.free();
            }
        }
    }

    fn free(&mut self) {
        if self.blocks.is_empty() {
            return;
        }
        let number = self.random.below(self.blocks.len());
        let block = self.blocks.swap_remove(number);
        assert!(block.is_intact());
        self.give(block.start);
    }

    fn give(&mut self, start: NonNull<u8>) {
        let Some((cache, binding)) = self.thread().and_then(|it| Some((it, it.binding()?))) else {
            return self.world.heap.give(start);
        };
        if !cache.push(start.as_ptr()) && !cache.push_alien(start.as_ptr()) {
            cache.free_slow(binding, start);
        }
    }

    fn resize(&mut self) {
        if self.blocks.is_empty() {
            return;
        }
        let number = self.random.below(self.blocks.len());
        let Block { start, bytes, mark } = self.blocks[number];
        assert!(self.blocks[number].is_intact());
        let wanted = 1 + self.random.below(bytes.min(20 * MIB) * 2);
        let new = match self.world.heap.resize(start, wanted) {
            Resized::At(new) => Some(new),
            Resized::NoBlock => None,
            Resized::Copy { old_bytes } => {
                assert!(old_bytes >= bytes);
                self.copy(start, bytes, wanted)
            }
        };
        let Some(new) = new else {
            self.refusals += 1;
            assert!(
                self.blocks[number].is_intact(),
                "a refusal leaves the block as it was"
            );
            return;
        };
        // SAFETY: the block has kept its content, and has a byte at least.
        assert_eq!(unsafe { new.read() }, mark);
        self.blocks[number] = Block::paint(new, wanted, mark);
    }

    /// Moves a block as realloc(3) does.
    fn copy(&mut self, start: NonNull<u8>, bytes: usize, wanted: usize) -> Option<NonNull<u8>> {
        let (cache, binding) = self.thread().and_then(|it| Some((it, it.binding()?)))?;
        let new = cache.alloc_slow(binding, &Request::new(wanted, 1, Zeroed::No)?)?;
        // SAFETY: two blocks, both at least as long as the shorter one.
        unsafe { sys::copy(start, new, bytes.min(wanted)) };
        self.give(start);
        Some(new)
    }

    /// Frees everything.
    pub(super) fn end(&mut self) {
        while !self.blocks.is_empty() {
            self.free();
        }
        let threads = core::mem::take(&mut self.threads);
        threads.into_iter().flatten().for_each(|it| self.leave(it));
        if let Some(kmem) = self.world.kmem() {
            self.named.end(kmem, self.world.caches);
        }
    }
}
