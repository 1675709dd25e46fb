//! The end of a thread: its cache goes back.
//!
//! # Invariant
//!
//! No call of `malloc` or `free` takes a lock of libc's or the loader's because of this, or allocates. A thread's end waits
//! only for locks that it needs to put its own objects away.
#![forbid(unsafe_code)]

use core::ffi::c_void;

use super::process::PROCESS;
use super::threads::{CACHES, EXITS, inside, leave_caches, own};
use super::unload::ENDING;
use crate::cache::ThreadCache;
use crate::pool::{self, PoolHandle};

/// Has the cache taken back when the calling thread, whose it is, ends; returns `false` if that cannot be arranged.
pub(super) fn expect(cache: &'static ThreadCache) -> bool {
    let is_noticed = EXITS.arm(thread_exits, value_of(cache)) || CACHES.tie(cache);
    cache.set_noticed(is_noticed);
    is_noticed
}

/// As [`expect`], for the process's first thread, which needs it only once there are others: it may end before them.
#[inline]
pub(super) fn expect_late(cache: &'static ThreadCache) {
    if !cache.is_noticed() && EXITS.is_made() {
        cache.set_noticed(EXITS.rearm(value_of(cache)));
    }
}

/// Marks a value that libc has passed to the hook before.
const SEEN: usize = 1;
const _: () = assert!(align_of::<ThreadCache>() > SEEN);

fn value_of(cache: &'static ThreadCache) -> *mut c_void {
    core::ptr::from_ref(cache).cast_mut().cast()
}

/// The destructor of the key.
///
/// libc calls destructors in the order of their keys, and again, up to four times, for keys that were set meanwhile. Ours
/// waits for the second time, so that the others' still find a cache. What is allocated later comes past all caches.
extern "C" fn thread_exits(value: *mut c_void) {
    ENDING.during_exit(|| exit(value));
}

fn exit(value: *mut c_void) {
    if value.addr() & SEEN == 0 && EXITS.rearm(value.map_addr(|address| address | SEEN)) {
        return;
    }
    let Some(cache) = own() else {
        return;
    };
    if let Some(top) = cache.source(0) {
        pool::still_pushed(PoolHandle::of(top));
        cache.pop_all_sources();
    }
    let process = PROCESS.get();
    let kmem = process.and_then(|process| process.kmem.get());
    if let Some(kmem) = kmem.filter(|_| !cache.is_interrupted()) {
        inside(|| kmem.leave(cache));
    }
    leave_caches();
    // A signal handler that ends its thread gets here, perhaps with locks that the thread held when it was
    // interrupted. Its cache stays as it is then, and purging takes what is in it.
    if cache.is_interrupted() {
        return;
    }
    CACHES.leave(cache);
    if let Some(process) = process {
        process.note_exit();
    }
}
