//! What a process has one of, and how it comes to be.
#![forbid(unsafe_code)]

use core::ffi::c_void;

use super::machine::{self, read_fact};
use super::memory::Memory;
use super::purge::Purge;
use super::purge_thread::{PurgeThread, Trigger};
use super::settle::Settling;
use super::shrinkers;
use super::threads::{CACHES, own};
use crate::cache::ThreadCache;
use crate::config::Config;
use crate::heap::Heap;
use crate::kmem::Kmem;
use crate::limit::{self, Limit};
use crate::modes::Modes;
use crate::numa::{Choice, Topology};
use crate::pool::Pools;
use crate::profile::Profile;
use crate::report::{self, Line};
use crate::sync::Once;
use crate::sys;
use crate::units::NodeId;

/// The variable that the configuration is in.
pub(super) const CONF: &[u8] = b"SLUBMALLOC_CONF";

/// What a process has one of.
pub(super) struct Process {
    pub(super) heap: Heap,
    pub(super) config: Config,
    pub(super) purge: Purge,
    pub(super) thread: PurgeThread,
    settling: Settling,
    pub(super) modes: Modes,
    /// The named caches, once there are any.
    pub(super) kmem: Once<Kmem>,
    /// The pools, once there was one.
    pub(super) pools: Once<Pools>,
    pub(super) profile: Profile,
}

/// The heap, once there is one.
pub(super) static PROCESS: Once<Process> = Once::new();

impl Process {
    /// What purging gives memory back from.
    #[inline]
    pub(super) fn memory(&self) -> Memory<'_> {
        Memory {
            heap: &self.heap,
            kmem: self.kmem.get(),
            pools: self.pools.get(),
        }
    }

    /// What a slow path of the program's does when it looks at the clock; the caller holds no lock.
    pub(super) fn tick(&self, cache: &ThreadCache, trigger: Trigger) {
        let (purge, memory) = (&self.purge, self.memory());
        let now = sys::milliseconds();
        let seen = purge.see(now);
        if seen != now {
            // Once for each tick of the clock is often enough.
            self.thread.call(purge, memory, trigger);
        }
        if purge.mail.is_waiting() {
            cache.inside(|| self.answer());
        }
        let head_start = self.thread.head_start(purge.step());
        purge.run_if_due(memory, now, seen, head_start, cache);
    }

    /// What a slow path does when it does not look at the clock. Whether it should.
    #[inline]
    pub(super) fn poll(&self, trigger: Trigger) -> bool {
        self.thread
            .call_if_much(&self.purge, self.memory(), trigger);
        self.purge.is_unfinished()
    }

    /// A thread has ended, and has no cache any more.
    pub(super) fn note_exit(&self) {
        if CACHES.count() > 1 {
            return;
        }
        let is_settled = !self.purge.is_on() || self.settling.settle(&self.purge, self.memory());
        self.thread.note_last_exit(is_settled);
    }

    /// In a forked child: there is no purge thread, and nobody runs a round.
    pub(super) fn begin_child(&self) {
        self.purge.begin_child();
        self.thread.begin_child();
        self.modes.begin_child();
        self.kmem.get().inspect(|kmem| kmem.begin_child());
    }
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

/// The process, if a debug mode is on.
pub(super) fn with_modes() -> Option<&'static Process> {
    process().filter(|process| process.modes.is_on())
}

/// Whether the calling thread, in a signal handler, has interrupted itself where it may hold locks of the heap's.
pub(super) fn is_interrupted() -> bool {
    match own() {
        Some(cache) => cache.is_interrupted(),
        None => PROCESS.is_maker() || CACHES.is_own(),
    }
}

/// The node that the calling thread runs on; one is as good as another where there is only one.
pub(super) fn current_node(heap: &Heap) -> NodeId {
    if heap.is_numa() {
        heap.current_node().unwrap_or(NodeId(0))
    } else {
        NodeId(0)
    }
}

#[cold]
pub(super) fn make_process() -> Option<Process> {
    let ram = sys::total_ram_bytes();
    let mut config = Config::new(ram, sys::virtual_memory_left());
    if !sys::is_privileged() {
        configure(&mut config);
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
        _ => machine::topology(),
    };
    if !choice.fits(&topology) {
        let mut line = Line::<256>::headline();
        line.text("SLUBMALLOC_CONF: numa names a node without memory for this process; using the default, local\n");
        line.print_on_stderr();
        *choice = Choice::Local;
    }
    if *choice == Choice::Weighted {
        topology.detect_weights(read_fact);
    }
    // A policy that the process was started with goes first.
    if topology.homes().len() > 1 && sys::process_has_memory_policy() {
        *choice = Choice::Off;
    }
    // Reservations of all nodes share the address space.
    let arenas = choice.homes(&topology).len() + usize::from(choice.spreads(&topology));
    config.heap.arena_bytes /= arenas.next_power_of_two();
    config.heap.limit = Limit::chosen(config.limit, ram, limit::read_file);
    let modes = Modes::new(&config.modes);
    config.conclude(modes.is_on());
    if modes.guard_share() > 0 {
        // Without it a fault kills all the same, without a word.
        let _ = sys::on_fault(explain_fault);
    }
    Some(Process {
        modes,
        heap: Heap::new(topology, config.heap.clone())?,
        purge: Purge::new(&config),
        thread: PurgeThread::new(
            config.purge_thread,
            config.purge_ms.is_some(),
            run_purge_thread,
        ),
        settling: Settling::new(),
        config,
        kmem: Once::new(),
        pools: Once::new(),
        profile: Profile::new(),
    })
}

/// Applies what the environment says. Its stack is memory that only programs with such a variable have to get.
#[cold]
#[inline(never)]
fn configure(config: &mut Config) {
    let mut buffer = [0; 4096];
    if let Some(text) = sys::environment(CONF, &mut buffer) {
        config.apply(text, sys::write_stderr);
    }
}

extern "C" fn run_purge_thread(_nothing: *mut c_void) -> *mut c_void {
    if let Some(process) = PROCESS.get() {
        let others = || {
            if process.purge.mail.is_waiting() {
                process.answer_at_once();
            }
            shrinkers::run_if_short(&process.heap);
        };
        process
            .thread
            .run(&process.purge, process.memory(), &others);
    }
    core::ptr::null_mut()
}

/// Says what is known of a fault at an address, if it is one of a guard's.
pub(super) fn explain_fault(address: usize, did: &str) -> bool {
    PROCESS
        .get()
        .is_some_and(|process| process.modes.explain_fault(address, did))
}
