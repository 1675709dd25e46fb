//! The life of the process and of its threads: first use, birth, exit, fork.
//!
//! # Invariant
//!
//! A thread's slot points to the unborn cache, to a cache that it owns, or, behind its exit hook,
//! to the dead cache. Only this file holds a `static` that changes.

use super::machine::{self, read_fact};
use super::purge::Purge;
use super::thread_exit;
use super::trim;
use super::unload::Ending;
use super::watched;
use crate::cache::{Registry, ThreadCache, Ties};
use crate::config::Config;
use crate::heap::Heap;
use crate::kmem::Kmem;
use crate::limit::{self, Limit};
use crate::numa::{Choice, Topology};
use crate::report::{self, Line};
use crate::sync::{self, Interrupted, Once};
use crate::sys::{self, ExitKey, tls};
use crate::units::NodeId;
use crate::watch::Watch;

/// The variable that the configuration is in.
const CONF: &[u8] = b"SLUBMALLOC_CONF";

/// What a thread's slot points to before its first allocation.
static UNBORN: ThreadCache = ThreadCache::vacant();
/// What it points to after its exit hook.
static DEAD: ThreadCache = ThreadCache::vacant();
/// The heap, once there is one.
pub(super) static PROCESS: Once<Process> = Once::new();
/// All thread caches.
pub(super) static CACHES: Registry = Registry::new();
/// Gives notice of the ends of threads.
pub(super) static EXITS: ExitKey = ExitKey::new();
/// The end of the object that this is part of.
pub(super) static ENDING: Ending = Ending::new();

tls::define_slot!(UNBORN);
sys::define_note!(super::directory::DIRECTORY);

/// What a process has one of.
pub(super) struct Process {
    pub(super) heap: Heap,
    pub(super) config: Config,
    pub(super) purge: Purge,
    pub(super) watch: Watch,
    /// The named caches, once there are any.
    pub(super) kmem: Once<Kmem>,
}

/// The calling thread's cache.
#[inline(always)]
pub(super) fn here() -> &'static ThreadCache {
    // SAFETY: the slot holds the address of a static cache or of one in memory that is never
    // given back.
    unsafe { &*tls::read().cast::<ThreadCache>() }
}

/// The calling thread's cache, born now if it was not yet; `None` for a thread without.
pub(super) fn alive() -> Option<(&'static ThreadCache, Ties)> {
    let cache = here();
    match (cache.ties(), cache.behind()) {
        (Some(ties), _) => Some((cache, ties)),
        (None, Some(cache)) => Some((cache, cache.ties()?)),
        (None, None) if core::ptr::eq(cache, &raw const DEAD) => None,
        (None, None) => birth(),
    }
}

/// The calling thread's cache, if it has one.
pub(super) fn own() -> Option<&'static ThreadCache> {
    let cache = here().behind().unwrap_or(here());
    cache.ties().map(|_| cache)
}

/// Runs what takes locks for the calling thread; see [`ThreadCache::inside`].
pub(super) fn inside<T>(run: impl FnOnce() -> T) -> T {
    match own() {
        Some(cache) => cache.inside(run),
        None => run(),
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

/// Whether the calling thread, in a signal handler, has interrupted itself where it may hold locks of the heap's.
pub(super) fn is_interrupted() -> bool {
    match own() {
        Some(cache) => cache.is_interrupted(),
        None => PROCESS.is_maker() || CACHES.is_own(),
    }
}

/// The process, if something in it is watched.
pub(super) fn watching() -> Option<&'static Process> {
    process().filter(|process| process.watch.is_on())
}

#[cold]
fn birth() -> Option<(&'static ThreadCache, Ties)> {
    let process = process()?;
    let heap = &process.heap;
    let ties = Ties {
        heap,
        home: heap.home_of(current_node(heap)),
    };
    let cache = CACHES.birth(ties)?;
    tls::write(core::ptr::from_ref(cache).cast());
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
    if process.watch.is_on() {
        cache.note_thread(CACHES.births());
        if process.watch.sees_all()
            && let Some(front) = cache.front(ties)
        {
            tls::write(core::ptr::from_ref(front).cast());
        }
    }
    Some((cache, ties))
}

/// The node that the calling thread runs on; one is as good as another where there is only one.
pub(super) fn current_node(heap: &Heap) -> NodeId {
    if heap.is_numa() {
        heap.current_node().unwrap_or(NodeId(0))
    } else {
        NodeId(0)
    }
}

/// Lets the calling thread do without a cache for good.
pub(super) fn leave_caches() {
    tls::write((&raw const DEAD).cast());
}

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
        process.watch.hold_for_fork();
        kmem.inspect(|kmem| kmem.hold_for_fork());
        process.heap.hold_for_fork();
    }
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
            process.purge.begin_child();
        }
        CACHES.begin_child(own());
        if let Some(cache) = own() {
            cache.begin_child();
        }
    }
    sys::reset_streams();
}

/// The process's heap, made now if there is none.
pub(super) fn process() -> Option<&'static Process> {
    match PROCESS.get() {
        Some(process) => Some(process),
        // Interrupted by a signal.
        None if PROCESS.is_maker() => None,
        // Not on the caller's stack: what is made is large, and what makes it larger.
        None => sys::on_own_stack(|| PROCESS.get_or_try_make(make_process))?,
    }
}

#[cold]
fn make_process() -> Option<Process> {
    let ram = sys::total_ram_bytes();
    let mut config = Config::new(ram, sys::virtual_memory_left());
    if !sys::is_privileged() {
        let mut buffer = [0; 4096];
        if let Some(text) = sys::environment(CONF, &mut buffer) {
            config.apply(text, sys::write_stderr);
        }
    }
    if config.only_warn {
        report::only_warn();
    }
    if config.needs_standard_error() {
        report::keep_standard_error();
    }
    config.heap.clusters = machine::clusters(config.clusters);
    config.heap.current_cluster = machine::current_cluster;
    let choice = &mut config.heap.choice;
    let mut topology = match choice {
        Choice::Off => Topology::single(),
        _ => Topology::detect(read_fact),
    };
    // The text that says the same may be longer than one wants to read here.
    if topology.homes().len() > 1
        && let Some(allowed) = sys::allowed_nodes()
    {
        topology.restrict(allowed);
    }
    if !choice.fits(&topology) {
        let mut line = Line::<256>::headline();
        line.text("SLUBMALLOC_CONF: numa names a node without memory for this process; using the default, local\n");
        line.print_on_stderr();
        *choice = Choice::Local;
    }
    if *choice == Choice::Weighted {
        topology.detect_weights(read_fact);
    }
    // Whoever started this process with a policy of their own knows better.
    if topology.homes().len() > 1 && sys::process_has_memory_policy() {
        *choice = Choice::Off;
    }
    // Reservations of all nodes share the address space.
    let arenas = choice.homes(&topology).len() + usize::from(choice.spreads(&topology));
    config.heap.arena_bytes /= arenas.next_power_of_two();
    config.heap.limit = Limit::chosen(config.limit, ram, limit::read_file);
    let watch = Watch::new(&config.watch);
    config.conclude(watch.is_on());
    if watch.guard_share() > 0 {
        // Without it a fault kills all the same, without a word.
        let _ = sys::on_fault(watched::explain_fault);
    }
    Some(Process {
        watch,
        heap: Heap::new(topology, config.heap.clone())?,
        purge: Purge::new(&config),
        config,
        kmem: Once::new(),
    })
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
/// behind all its other destructors.
#[unsafe(link_section = ".fini_array")]
#[used]
static AT_END: extern "C" fn() = at_end;
#[unsafe(link_section = ".fini_array.00000")]
#[used]
static BEHIND_ALL: extern "C" fn() = behind_all;

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn at_end() {
    ENDING.begin_end();
}

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn behind_all() {
    ENDING.end();
}

#[cfg(all(test, not(simulated)))]
#[path = "faults/mod.rs"]
mod faults;
