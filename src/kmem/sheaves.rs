//! The prefilled sheaves that the program has, by handle.
//!
//! # Invariant
//!
//! Memory of a sheaf is at its place in the table from when its handle is made until that ends. A place whose sheaf has ended is
//! in the list of free ones, and its next handle is another one.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed};

use super::Kmem;
use super::handle::SheafHandle;
use crate::sync::Lock;
use crate::sys::{Region, Table, ZeroInit};

/// The most sheaves at once.
pub(crate) const MOST_SHEAVES: usize = 1 << 18;

/// Where a sheaf may be.
#[derive(Debug)]
#[repr(C)]
struct Place {
    /// The memory of the sheaf; null if there is none.
    memory: AtomicPtr<u8>,
    /// Sheaves that were here before.
    lives: AtomicU32,
    /// The next free place, counted from 1.
    next: AtomicU32,
}

const _: () = assert!(size_of::<Place>() == SheafHandle::STRIDE);

// SAFETY: made of atomics; zero is no sheaf, none before, and the end of the list.
unsafe impl ZeroInit for Place {}

/// What there is of a handle's sheaf.
pub(crate) enum FoundSheaf {
    /// Its memory.
    Here(NonNull<u8>),
    /// It was returned.
    Returned,
    /// This copy of the library has made no such handle.
    Unknown,
}

/// All prefilled sheaves of a heap.
#[derive(Debug)]
pub(super) struct Sheaves {
    places: Table<Place>,
    /// The address of the first place.
    first: usize,
    free: Lock<Free>,
}

#[derive(Debug)]
struct Free {
    /// The first of the free places, counted from 1.
    first: u32,
    /// Places that have had a sheaf.
    used: u32,
}

// ORDERING: relaxed throughout: places change under the lock, and the program orders what it does with a sheaf.

impl Sheaves {
    /// Bytes to reserve.
    pub(super) const BYTES: usize = Table::<Place>::bytes_for(MOST_SHEAVES);

    /// None yet, in a region of as many bytes.
    pub(super) fn new(region: Region) -> Self {
        Self {
            first: region.at(0).addr().get(),
            places: Table::new(region),
            free: Lock::new(Free { first: 0, used: 0 }),
        }
    }

    /// A handle for the sheaf in this memory; `None` if there are too many, or no memory for the table.
    fn add(&self, memory: NonNull<u8>) -> Option<SheafHandle> {
        let mut free = self.free.lock();
        let index = match free.first.checked_sub(1) {
            Some(index) => {
                free.first = self.places.get(index as usize).next.load(Relaxed);
                index
            }
            None => {
                let index = free.used;
                if index as usize >= MOST_SHEAVES || !self.places.grow(index as usize + 1) {
                    return None;
                }
                free.used = index + 1;
                index
            }
        };
        let place = self.places.get(index as usize);
        place.memory.store(memory.as_ptr(), Relaxed);
        let start = self.first + index as usize * SheafHandle::STRIDE;
        Some(SheafHandle::of_life(
            start,
            place.lives.load(Relaxed) as usize,
        ))
    }

    /// The place that a handle is of, and its number; `None` for what is no handle.
    fn place(&self, handle: SheafHandle) -> Option<(&Place, u32)> {
        let index = handle.offset(self.first) / SheafHandle::STRIDE;
        Some((self.places.find(index)?, index as u32))
    }

    fn find(&self, handle: SheafHandle) -> FoundSheaf {
        let Some((place, index)) = self.place(handle) else {
            return FoundSheaf::Unknown;
        };
        let start = self.first + index as usize * SheafHandle::STRIDE;
        let lives = place.lives.load(Relaxed) as usize;
        let memory = NonNull::new(place.memory.load(Relaxed));
        match memory.filter(|_| handle == SheafHandle::of_life(start, lives)) {
            Some(memory) => FoundSheaf::Here(memory),
            None => FoundSheaf::Returned,
        }
    }

    /// Ends a handle and returns the memory of its sheaf; `None` if it has ended before.
    fn remove(&self, handle: SheafHandle) -> Option<NonNull<u8>> {
        let mut free = self.free.lock();
        let FoundSheaf::Here(memory) = self.find(handle) else {
            return None;
        };
        let (place, index) = self.place(handle)?;
        place.memory.store(null_mut(), Relaxed);
        let lives = place.lives.load(Relaxed);
        place.lives.store(lives.wrapping_add(1), Relaxed);
        place.next.store(free.first, Relaxed);
        free.first = index + 1;
        Some(memory)
    }

    pub(super) fn hold_for_fork(&self) {
        self.free.hold_for_fork();
    }
}

impl Kmem {
    /// A handle for a prefilled sheaf in this memory; `None` if there are too many, or no memory for the table.
    pub(crate) fn add_sheaf(&self, memory: NonNull<u8>) -> Option<SheafHandle> {
        self.sheaves.add(memory)
    }

    /// The sheaf with a handle.
    #[inline]
    pub(crate) fn find_sheaf(&self, handle: SheafHandle) -> FoundSheaf {
        self.sheaves.find(handle)
    }

    /// Ends a handle and returns the memory of its sheaf; `None` if it has ended before.
    pub(crate) fn remove_sheaf(&self, handle: SheafHandle) -> Option<NonNull<u8>> {
        self.sheaves.remove(handle)
    }
}
