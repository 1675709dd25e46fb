//! What is known of a pool, in a page of its own.
//!
//! # Invariant
//!
//! Who changes anything but the accounts holds the pool (`hold.rs`). A page of zeroes is no pool: its handle is nobody's.

use core::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, Release},
};

use super::account::Account;
use super::handle::PoolHandle;
use super::options::SINGLE_THREAD;
use crate::heap::Node;
use crate::layout::{Row, fields};
use crate::slab::class::CLASSES;
use crate::slab::{Owner, Place, PoolClass};
use crate::sync::{Lock, StaticRef};
use crate::sys::ZeroInit;
use crate::units::{ClassId, ClusterId, GRANULE_SHIFT};

/// A pool.
#[derive(Debug)]
#[repr(C, align(4096))]
pub(crate) struct Pool {
    /// What the program has of it; 0 while it is none.
    pub(super) handle: AtomicUsize,
    /// See `options.rs`.
    flags: AtomicU32,
    /// Of a pool for one thread: 0 while it is using it, else the handle, or [`IDLE`] if what it gives and gets is cleared. 0 of all
    /// other pools.
    pub(super) gate: AtomicUsize,
    /// The class of which its one thread took an object last.
    recent: AtomicU32,
    pub(super) state: AtomicU8,
    pub(super) lock: Lock<()>,
    /// Its place in the table of pools.
    pub(super) place: AtomicU32,
    /// How many pools have it as their parent.
    pub(super) children: AtomicU32,
    /// The first of its large blocks, as `blocks.rs` numbers them.
    pub(super) blocks: AtomicU32,
    /// Where objects lie, for the fast path of a free: the arena's first address and how many bytes from there have an owner, the owners of
    /// its granules, and what they have of a class of this pool's beside the class.
    base: AtomicUsize,
    covered: AtomicUsize,
    owners: AtomicPtr<AtomicU32>,
    mark: AtomicU32,
    /// Where its slabs lie.
    pub(super) node: StaticRef<Node>,
    pub(super) account: Account,
    /// The pool above.
    pub(super) parent: StaticRef<Pool>,
    /// A bit for each class of which it has had a slab.
    pub(super) used: [AtomicU64; USED],
    name: [AtomicU8; NAME],
    classes: [PoolClass; CLASSES + 1],
}

const _: () = assert!(size_of::<Pool>() == 4096);

impl Pool {
    /// Where its fields lie, for readers outside of the process.
    pub(super) const LAYOUT: &[Row] = fields!(Self as "pool" {
        handle, flags, state, place, children, blocks, node, account, parent, used, name, classes,
    });
}

/// No pool's handle.
pub(super) const IDLE: usize = 1;

/// Words of class bits.
pub(super) const USED: usize = (CLASSES + 1).div_ceil(64);
/// The most of a name that is kept.
pub(super) const NAME: usize = 32;

/// Of `flags`: what the pool gives and gets back is cleared, as a debug mode asks.
pub(crate) const CLEARS: u32 = 1 << 31;

/// Of `flags`: a thread's malloc took from it, perhaps for the C library.
const PUSHED: u32 = 1 << 30;

/// Of `flags`: it has ended, and all of its blocks went.
const EMPTIED: u32 = 1 << 29;

/// The structure is a pool.
pub(super) const LIVE: u8 = 1;
/// It is none any more, but blocks of it or pools below it are.
pub(super) const CLOSED: u8 = 2;
/// It is none, and has slabs for the next one (`rest.rs`).
pub(super) const RESTING: u8 = 3;

// SAFETY: made of atomics, a lock and references; zero is a free lock, a reference to nothing, and no handle.
unsafe impl ZeroInit for Pool {}

// ORDERING: relaxed throughout: see the module above, and what is written at creation is passed on with the handle.

impl Pool {
    /// Says how the pool is used and what the program has of it, when it is created.
    pub(super) fn begin(&self, flags: u32, handle: usize) {
        self.flags.store(flags, Relaxed);
        let gate = match (self.is_single(), self.clears()) {
            (false, _) => 0,
            (true, false) => handle,
            (true, true) => IDLE,
        };
        self.gate.store(gate, Relaxed);
        self.handle.store(handle, Relaxed);
    }

    /// Whether blocks are cleared when they are freed or handed out.
    #[inline(always)]
    pub(super) fn clears(&self) -> bool {
        self.flags.load(Relaxed) & CLEARS != 0
    }

    /// Takes note of a thread whose malloc takes from it.
    pub(crate) fn note_push(&self) {
        // Nobody writes anything else there meanwhile.
        self.flags.store(self.flags.load(Relaxed) | PUSHED, Relaxed);
    }

    /// Whether a thread's malloc ever took from it.
    pub(crate) fn was_pushed(&self) -> bool {
        self.flags.load(Relaxed) & PUSHED != 0
    }

    /// Whether it is no pool any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Relaxed) != LIVE
    }

    /// Takes note that all blocks of a pool that has ended went.
    pub(super) fn note_emptied(&self) {
        self.flags
            .store(self.flags.load(Relaxed) | EMPTIED, Relaxed);
    }

    /// Whether they did.
    pub(super) fn is_emptied(&self) -> bool {
        self.flags.load(Relaxed) & EMPTIED != 0
    }

    /// Whether it has slabs; the caller holds it.
    pub(super) fn has_slabs(&self) -> bool {
        self.used_classes().any(|id| self.class(id).has_slabs())
    }

    #[inline(always)]
    pub(super) fn is_single(&self) -> bool {
        self.flags.load(Relaxed) & SINGLE_THREAD != 0
    }

    /// What the program has of it.
    pub(crate) fn handle(&self) -> PoolHandle {
        PoolHandle(self.handle.load(Relaxed))
    }

    /// The pool above all that are above it, or itself.
    pub(super) fn top(&self) -> &Self {
        let mut top = self;
        while let Some(parent) = top.parent.get() {
            top = parent;
        }
        top
    }

    /// What its slabs of a class are marked with.
    pub(super) fn owner(&self, id: ClassId) -> Owner {
        Owner::pool(self.place.load(Relaxed), id)
    }

    /// Where its slabs of a class lie.
    pub(super) fn place_of(&self, id: ClassId) -> Option<Place<'static>> {
        let node = self.node.get()?;
        Some(Place {
            owner: self.owner(id),
            ..node.place(ClusterId::default())
        })
    }

    /// Its objects of a class, one that has slabs.
    #[inline(always)]
    pub(super) fn class(&self, id: ClassId) -> &PoolClass {
        debug_assert!(id.index() <= CLASSES);
        // SAFETY: the classes of small requests and of owners have no other numbers.
        unsafe { self.classes.get_unchecked(id.index()) }
    }

    /// The class of which an object was taken last, where that is known.
    #[inline(always)]
    pub(super) fn recent(&self) -> &PoolClass {
        self.class(ClassId(self.recent.load(Relaxed) as u8))
    }

    /// Takes note of the class of which an object is taken.
    #[inline(always)]
    pub(super) fn set_recent(&self, id: ClassId) {
        self.recent.store(u32::from(id.0), Relaxed);
    }

    /// The class of the pool's slab that an address lies in; `None` for any other address, and perhaps of a slab that is new.
    #[inline(always)]
    pub(super) fn class_at(&self, address: usize) -> Option<ClassId> {
        let offset = address.wrapping_sub(self.base.load(Relaxed));
        if offset >= self.covered.load(Relaxed) {
            return None;
        }
        // SAFETY: as many granules have an owner.
        let owner = unsafe { self.owners.load(Relaxed).add(offset >> GRANULE_SHIFT) };
        // SAFETY: as above, and the table of owners lives for ever.
        let owner = unsafe { &*owner }.load(Relaxed);
        let class = owner ^ self.mark.load(Relaxed);
        (class <= CLASSES as u32).then_some(ClassId(class as u8))
    }

    /// Takes note of slabs that the node has got.
    pub(super) fn note_slabs(&self) {
        if let Some(node) = self.node.get() {
            let (owners, covered) = node.tables().owner_map();
            self.base.store(node.arena().base(), Relaxed);
            self.owners.store(owners.cast_mut(), Relaxed);
            self.mark.store(self.owner(ClassId::NONE).word(), Relaxed);
            // ORDERING: release, so that who sees the length without holding the pool sees the table.
            self.covered.store(covered, Release);
        }
    }

    /// The classes of which it has had slabs.
    pub(super) fn used_classes(&self) -> impl Iterator<Item = ClassId> {
        let words = (0_u32..).zip(&self.used);
        words.flat_map(|(word, bits)| {
            let mut left = bits.load(Relaxed);
            core::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(ClassId((word * u64::BITS + bit) as u8))
            })
        })
    }

    /// Notes that it has slabs of a class.
    pub(super) fn note_class(&self, id: ClassId) {
        if let Some(word) = self.used.get(id.index() / 64) {
            word.store(word.load(Relaxed) | 1 << (id.index() % 64), Relaxed);
        }
    }

    /// Bytes of the objects at hand.
    pub(super) fn ready_bytes(&self) -> usize {
        let bytes = |id| self.class(id).ready_bytes(id);
        self.used_classes().map(bytes).sum()
    }

    /// Sets the name, or its beginning.
    pub(super) fn set_name(&self, name: &[u8]) {
        let bytes = name.iter().copied().chain(core::iter::repeat(0));
        let places = self.name.iter().zip(bytes);
        places.for_each(|(place, byte)| place.store(byte, Relaxed));
    }

    /// The name, filled up with zeroes.
    pub(crate) fn name(&self) -> [u8; NAME] {
        let mut name = [0; NAME];
        let places = name.iter_mut().zip(&self.name);
        places.for_each(|(to, from)| *to = from.load(Relaxed));
        name
    }
}
