//! A thread cache of one class: what `src/cache/idle.rs` sees of `src/cache/mod.rs`, `slow.rs` and `drain.rs`.
#![forbid(unsafe_code)]

mod atomic;
mod bin;
#[path = "../../../../src/cache/bounds.rs"]
mod bounds;
#[expect(dead_code, reason = "neither fork nor statistics are modelled")]
#[path = "../../../../src/cache/idle.rs"]
mod idle;

use core::sync::atomic::Ordering::{self, Relaxed};

pub(crate) use idle::{Haste, SETTLE_MS};
use loom::sync::atomic::{AtomicU8, AtomicU64};
// What only decides when to read the clock, or which way to take, is no part of the model; the visitor's number is read under the lock.
use core::sync::atomic::AtomicU32;
use loom::sync::{Mutex, MutexGuard};

use crate::heap::{Heap, Node};
use crate::slab::{Object, Sheaf, SheafCell};
use crate::units::ClassId;
use bin::Bin;

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// `pop` looks at the bottom before it lowers `top`.
    LooksFirst,
    /// `push` raises `top` before it writes the slot.
    WritesLate,
    /// A slow path does not take the lock.
    ForgetsLock,
}

/// A thread's cache.
#[derive(Debug)]
pub(crate) struct ThreadCache {
    bin: Bin,
    spare: SheafCell,
    heap: Heap,
    busy: Lock,
    refills: Count,
    detached: Count,
    gaps: Count,
    slow_paths: AtomicU32,
    detached_at: AtomicU64,
    visitor: AtomicU32,
    refilled: Count,
    is_counted: AtomicU32,
    mistake: Option<Mistake>,
}

type Count = AtomicU8;

/// Read and written under the lock and nowhere else.
type Veil = AtomicU32;

/// The floor of a bin. The owner looks at it where its calls are counted; else it always is what loom watches as the bottom.
#[derive(Debug)]
pub(super) enum Floor {
    Explored(loom::sync::atomic::AtomicU32),
    Plain(AtomicU32),
}

impl Floor {
    fn new(floor: u32, is_explored: bool) -> Self {
        match is_explored {
            true => Self::Explored(loom::sync::atomic::AtomicU32::new(floor)),
            false => Self::Plain(AtomicU32::new(floor)),
        }
    }

    fn load(&self, order: Ordering) -> u32 {
        match self {
            Self::Explored(floor) => floor.load(order),
            Self::Plain(floor) => floor.load(order),
        }
    }

    fn store(&self, floor: u32, order: Ordering) {
        match self {
            Self::Explored(it) => it.store(floor, order),
            Self::Plain(it) => it.store(floor, order),
        }
    }
}

/// What a cache is tied to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding<'cache> {
    heap: &'cache Heap,
    home: Node,
}

impl ThreadCache {
    /// A cache without objects.
    pub(crate) fn new(mistake: Option<Mistake>, is_counted: bool) -> Self {
        Self {
            bin: Bin::new(mistake, is_counted),
            spare: SheafCell::new(),
            heap: Heap::new(),
            busy: Lock::default(),
            refills: Count::new(0),
            detached: Count::new(0),
            gaps: Count::new(0),
            slow_paths: AtomicU32::new(0),
            detached_at: AtomicU64::new(0),
            visitor: AtomicU32::new(0),
            refilled: Count::new(0),
            is_counted: AtomicU32::new(0),
            mistake,
        }
    }

    /// Puts objects on the main sheaf and makes others the spare one.
    pub(crate) fn fill(&self, main: Vec<Object>, spare: Vec<Object>) {
        assert!(main.into_iter().all(|object| self.bin.push(object)));
        self.spare.put(Sheaf(spare));
    }

    /// Takes an object, from wherever it has to come.
    pub(crate) fn malloc(&self) -> Option<Object> {
        let is_counted = || self.is_counted.load(Relaxed) != 0;
        let counted = || is_counted().then(|| self.bin.take())?;
        self.bin
            .pop()
            .or_else(counted)
            .or_else(|| self.malloc_slow())
    }

    fn malloc_slow(&self) -> Option<Object> {
        let _busy = self.enter();
        if self.bin.main_count() > 0 {
            return self.bin.take();
        }
        if let Some(spare) = self.spare.take() {
            assert!(spare.0.into_iter().all(|object| self.bin.push(object)));
        }
        self.bin.take().or_else(|| self.heap.take())
    }

    /// Takes an object back.
    pub(crate) fn free(&self, object: Object) {
        if !self.bin.push(object) {
            self.free_slow(object);
        }
    }

    fn free_slow(&self, object: Object) {
        let _busy = self.enter();
        if !self.bin.push(object) {
            self.heap.take_back_unmoved(Node, ClassId, vec![object]);
        }
    }

    /// What a slow path of another class does when the program frees nearly all it has.
    pub(crate) fn detach_all(&self) {
        let _busy = self.busy.lock();
        self.detach_own();
    }

    /// Whether the main sheaf begins where it did.
    pub(crate) fn has_no_gap(&self) -> bool {
        self.bin.has_no_gap()
    }

    /// How every slow path of this class begins.
    fn enter(&self) -> Option<MutexGuard<'_, ()>> {
        let is_locked = self.mistake != Some(Mistake::ForgetsLock);
        let busy = is_locked.then(|| self.busy.lock());
        self.reattach(ClassId);
        busy
    }

    fn binding(&self) -> Option<Binding<'_>> {
        Some(Binding {
            heap: &self.heap,
            home: Node,
        })
    }

    /// Has the owner's calls counted from now on, or no more: as `src/cache/counted.rs`.
    pub(crate) fn set_counting(&self, is_counted: bool) {
        let _busy = self.busy.lock();
        self.is_counted.store(is_counted.into(), Relaxed);
        self.bin.shut(is_counted);
    }

    fn spare(&self, _id: ClassId) -> &SheafCell {
        &self.spare
    }

    fn bin(&self, _id: ClassId) -> &Bin {
        &self.bin
    }

    fn cached(&self, id: ClassId) -> usize {
        self.bin.main_count() + self.detached_of(id)
    }

    fn get(&self, count: &Count, _id: ClassId) -> usize {
        usize::from(count.load(Relaxed))
    }

    fn set(&self, count: &Count, _id: ClassId, value: usize) {
        count.store(value as u8, Relaxed);
    }
}

/// Like `src/sync/lock.rs`.
#[derive(Debug, Default)]
struct Lock(Mutex<()>);

impl Lock {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap()
    }
}

/// Like `src/cache/drain.rs`.
impl ThreadCache {
    fn put_away(&self, binding: Binding, id: ClassId, spare: Sheaf) {
        binding.heap.take_back_unmoved(binding.home, id, spare.0);
    }
}
