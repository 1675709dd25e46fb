//! How a thread gets its cache, at its first allocation.
#![forbid(unsafe_code)]

use super::process::{current_node, process};
use super::profile_switch;
use super::thread_exit;
use super::threads::{CACHES, has_left, here, inside, leave_caches, stand_in};
use crate::cache::{Binding, ThreadCache};
use crate::sys;

/// The calling thread's cache, born now if it was not yet; `None` for a thread without.
pub(super) fn alive() -> Option<(&'static ThreadCache, Binding)> {
    let cache = here();
    match (cache.binding(), cache.stubbed()) {
        (Some(binding), _) => Some((cache, binding)),
        (None, Some(cache)) => Some((cache, cache.binding()?)),
        (None, None) if has_left() => None,
        (None, None) => birth(),
    }
}

/// As [`inside`], for a thread that gets its cache now if it has none: what runs would get it else, and nobody could tell
/// that the thread is inside.
pub(super) fn inside_alive<T>(run: impl FnOnce() -> T) -> T {
    come_alive();
    inside(run)
}

/// Apart, for the sake of the stack.
#[inline(never)]
fn come_alive() {
    let _ = alive();
}

#[cold]
fn birth() -> Option<(&'static ThreadCache, Binding)> {
    let process = process()?;
    let heap = &process.heap;
    let binding = Binding {
        heap,
        home: heap.home_of(current_node(heap)),
    };
    let cache = CACHES.birth(binding)?;
    stand_in(cache);
    let is_first = CACHES.births() == 1;
    // The first thread's end is the process's, and its objects need not be sorted away then. Only
    // the first birth asks the kernel: a later one may happen in a sandbox.
    let ends_process = is_first && sys::is_main_thread();
    if !ends_process && !thread_exit::expect(cache) {
        // Nobody would take the cache back at the thread's end.
        leave_caches();
        CACHES.exit(cache);
        return None;
    }
    profile_switch::begin_thread(process, cache, is_first);
    if process.modes.is_on() {
        cache.note_thread(CACHES.births());
        if process.modes.sees_all()
            && let Some(stub) = cache.stub(binding)
        {
            stand_in(stub);
        }
    }
    Some((cache, binding))
}
