//! What the loader and libc call when the process begins, forks and ends.

use super::directory::DIRECTORY;
use super::process::{CONF, PROCESS, process};
use super::shrinkers::SHRINKERS;
use super::threads::{CACHES, inside, own};
use super::trim;
use super::unload::ENDING;
use crate::cache::ThreadCache;
use crate::sync::{self, Interrupted};
use crate::sys;

sys::define_note!(DIRECTORY);

// These lie beside `malloc` and `free`: each 64 KiB of code that a process comes to is memory, in a fork's child a page fault.
#[unsafe(link_section = ".text.hot.life")]
extern "C" fn before_fork() {
    if sys::is_single_threaded() {
        // Nobody else can hold a lock. What a signal handler has interrupted in this thread is there in both processes.
        return;
    }
    // A thread that is still to get a cache may be interrupted in that.
    let is_interrupted = own().is_none_or(ThreadCache::is_interrupted);
    sync::begin_fork(if is_interrupted {
        Interrupted::Maybe
    } else {
        Interrupted::No
    });
    if !is_interrupted && let Some(process) = PROCESS.get() {
        inside(|| trim::trim_for_fork(process));
    }
    sys::hold_streams();
    let kmem = PROCESS.get().and_then(|process| process.kmem.get());
    kmem.inspect(|kmem| kmem.hold_life_for_fork());
    CACHES.hold_for_fork();
    if let Some(process) = PROCESS.get() {
        process.modes.hold_for_fork();
        process.profile.hold_for_fork();
        kmem.inspect(|kmem| kmem.hold_for_fork());
        process.pools.get().inspect(|pools| pools.hold_for_fork());
        process.heap.hold_for_fork();
    }
    SHRINKERS.hold_for_fork();
}

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn after_fork() {
    if sync::is_forking() {
        sync::end_fork();
    }
    sys::release_streams();
}

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn after_fork_in_child() {
    if sync::is_forking() {
        sync::end_fork_in_child();
        if let Some(process) = PROCESS.get() {
            process.begin_child();
        }
        SHRINKERS.begin_child();
        CACHES.begin_child(own());
        if let Some(cache) = own() {
            cache.begin_child();
        }
    }
    sys::reset_streams();
}

/// Called by the loader before `main`: from now on libraries may be loaded.
#[unsafe(link_section = ".init_array")]
#[used]
static AT_START: extern "C" fn() = at_start;

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn at_start() {
    sys::keep_program_name();
    ENDING.begin(at_exit);
    // Here and not at first use: libc has a lock for its list of handlers. It has room for some dozens without asking for
    // memory, so that it cannot refuse.
    let _ = sys::on_fork(before_fork, after_fork, after_fork_in_child);
    // What is asked for begins with the program.
    if sys::environment(CONF, &mut []).is_some() {
        process();
    }
}

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn at_exit() {
    ENDING.note_exit();
}

/// Called by the loader when the process ends or the object is closed: before the object's exit handlers in that case, and
/// after all its other destructors.
#[unsafe(link_section = ".fini_array")]
#[used]
static AT_END: extern "C" fn() = at_end;
#[unsafe(link_section = ".fini_array.00000")]
#[used]
static AFTER_ALL: extern "C" fn() = after_all;

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn at_end() {
    ENDING.begin_end();
}

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn after_all() {
    ENDING.end();
}

#[cfg(all(test, not(simulated)))]
#[path = "faults/mod.rs"]
mod faults;
