//! The structure of a pool from its handle, for fast paths: two words, without the way through the process and its pools.

use core::ptr::null_mut;
use core::sync::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{Relaxed, Release},
};

use super::Pools;
use super::handle::PoolHandle;
use super::structure::Pool;
use crate::slab::Owner;

/// Where structures are.
#[derive(Debug)]
pub(crate) struct Reach {
    first: AtomicPtr<Pool>,
    bytes: AtomicUsize,
}

/// The bits of an offset that say where a structure begins.
const STARTS: usize = (Owner::MOST_POOLS as usize - 1) * size_of::<Pool>();
const _: () = assert!(Owner::MOST_POOLS.is_power_of_two());

impl Reach {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self {
            first: AtomicPtr::new(null_mut()),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Takes note of structures that have come; there are those of one heap only.
    pub(crate) fn note(&self, pools: &'static Pools) {
        let (first, bytes) = pools.table();
        // ORDERING: relaxed, the next store says that it is there.
        self.first.store(first.cast_mut(), Relaxed);
        // ORDERING: release, so that who sees more bytes sees their memory. It only grows, or a thread that comes later finds fewer.
        self.bytes.fetch_max(bytes, Release);
    }

    /// The structure that a handle is in, which may be another pool's by now, or none's.
    #[inline(always)]
    pub(crate) fn near(&self, handle: PoolHandle) -> Option<&'static Pool> {
        // ORDERING: relaxed. Who has a handle was handed it, and with it what is stored here before; any other address finds the structures of
        // before, which stay.
        let first = self.first.load(Relaxed);
        // Whatever else it is, it is not the handle of the pool that lies there.
        let start = handle.addr().wrapping_sub(first.addr()) & STARTS;
        if start >= self.bytes.load(Relaxed) {
            return None;
        }
        // SAFETY: there are bytes, so there is a first one.
        unsafe { core::hint::assert_unchecked(!first.is_null()) };
        // SAFETY: as many bytes are structures.
        let pool = unsafe { first.byte_add(start) };
        // SAFETY: as above; the table lives for ever, and zeroes are a pool.
        Some(unsafe { &*pool })
    }
}
