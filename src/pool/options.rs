//! What a pool may be told when it is created.
//!
//! # Invariant
//!
//! Fields are only added, at the end: a program that was built with fewer says so by `size`.

use core::ffi::c_char;
use core::mem::offset_of;

use super::handle::PoolHandle;
use crate::sys::read_versioned;

/// What a pool may be told; zero is the default of each but for the node.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct PoolOptions {
    /// Bytes of this structure, which tell its version.
    pub size: usize,
    /// A string, for messages.
    pub name: *const c_char,
    /// The most bytes of blocks in use; 0 is no limit.
    pub limit: usize,
    /// The pool whose limit counts as well.
    pub parent: PoolHandle,
    /// The NUMA node whose memory is used; -1 is that of the calling thread.
    pub node: i32,
    /// See `SINGLE_THREAD`.
    pub flags: u32,
}

/// Only one thread at a time uses the pool or frees its blocks.
pub(crate) const SINGLE_THREAD: u32 = 1;
/// Of the flags of reset and destroy: also a pool that was pushed.
pub(crate) const FORCE: u32 = 1;
/// All flags of pools.
pub(crate) const KNOWN_FLAGS: u32 = SINGLE_THREAD;

impl PoolOptions {
    /// What a program says; see `CacheArgs::read` of named caches.
    ///
    /// # Safety
    ///
    /// `options` is null or points to as many bytes as its first word says.
    pub unsafe fn read(options: *const Self) -> Option<Self> {
        // SAFETY: the caller's promise; the fields are numbers, an address and a pointer that may be null.
        unsafe { read_versioned(options, &ENDS, Self::default()) }
    }
}

/// Where fields end.
const ENDS: [usize; 5] = [
    offset_of!(PoolOptions, name),
    offset_of!(PoolOptions, limit),
    offset_of!(PoolOptions, parent),
    offset_of!(PoolOptions, node),
    offset_of!(PoolOptions, flags),
];

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            size: 0,
            name: core::ptr::null(),
            limit: 0,
            parent: PoolHandle::NULL,
            node: -1,
            flags: 0,
        }
    }
}
