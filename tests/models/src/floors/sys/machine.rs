//! The kernel's other services.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::ffi::{CStr, c_void};
use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Release},
};
use core::world;

use super::ForkGate;

/// There are no files.
pub(crate) fn read_file<'buffer>(
    _path: &CStr,
    _buffer: &'buffer mut [u8],
) -> Option<&'buffer [u8]> {
    None
}

/// There are no files.
pub(crate) fn show_file(_path: &CStr, _show: &mut dyn FnMut(&[u8]) -> bool) -> Option<()> {
    None
}

/// Ends the scenario.
pub(crate) fn abort() -> ! {
    panic!("the library aborts");
}

/// There is no limit on address space.
pub(crate) fn has_too_many_addresses() -> bool {
    false
}

/// There is no filter.
pub(crate) fn is_filtered() -> bool {
    false
}

/// Nobody tells.
pub(crate) fn most_mappings() -> Option<usize> {
    None
}

thread_local! {
    static IS_MAIN_THREAD_GONE: Cell<bool> = const { Cell::new(false) };
}

/// Whether `let_main_thread_go` was called with `true` last.
pub(crate) fn is_main_thread_gone() -> bool {
    IS_MAIN_THREAD_GONE.get()
}

/// Ends the process's first thread before the process, or brings it back for the next order.
pub(crate) fn let_main_thread_go(is_gone: bool) {
    IS_MAIN_THREAD_GONE.set(is_gone);
}

/// Bytes of a program's name.
pub(crate) const PROGRAM_NAME: usize = 8;

/// The program has no name.
pub(crate) fn program_name(_name: &mut [u8; PROGRAM_NAME]) -> &[u8] {
    b"models"
}

/// The scenario's own: each world has one.
pub(crate) fn fork_gate() -> &'static ForkGate {
    world::single(ForkGate::new)
}

/// The number that nobody else has.
pub(crate) fn kernel_thread_id() -> u32 {
    world::number() as u32
}

/// Threads of a scenario exist until it is over.
pub(crate) fn has_thread(_number: u32) -> bool {
    true
}

/// Stacks are large here.
pub(crate) fn on_own_stack<T>(run: impl FnOnce() -> T) -> Option<T> {
    Some(run())
}

/// A word that only this process sleeps on.
#[derive(Debug)]
pub(crate) struct Bell {
    pub(super) shared: AtomicU32,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self {
            shared: AtomicU32::new(0),
        }
    }

    pub(crate) fn hang(&self) {}

    pub(crate) fn begin_child(&self) {}

    pub(crate) fn count(&self) -> u32 {
        self.shared.load(Acquire)
    }

    pub(crate) fn wait(&self, count: u32, milliseconds: Option<u64>) {
        match milliseconds {
            Some(milliseconds) => world::futex_wait_for(&self.shared, count, milliseconds),
            None => world::futex_wait(&self.shared, count),
        }
    }

    pub(crate) fn ring(&self) {
        self.shared.fetch_add(1, Release);
        world::futex_wake(&self.shared, 1);
    }
}

/// There is one process.
pub(crate) fn process_id() -> usize {
    1
}

/// Nobody needs a barrier.
pub(crate) fn prepare_barrier() {}

/// There is one thread of libc's.
pub(crate) fn libc_thread_number() -> u32 {
    1
}

/// Nobody calls vfork(2).
pub(crate) fn is_vfork_child() -> bool {
    false
}

/// Starts a thread.
pub(crate) fn start_thread(entry: extern "C" fn(*mut c_void) -> *mut c_void) -> bool {
    world::start_thread(move || _ = entry(core::ptr::null_mut()));
    true
}

/// Nobody waits like that.
pub(crate) fn yield_now() {}

/// Nobody looks at this clock twice.
pub(crate) fn microseconds() -> u64 {
    0
}

/// Every thread has a hook for its end, and nobody is tied to this.
#[derive(Debug)]
pub(crate) struct Lifeline;

impl Lifeline {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) fn tie(&self) -> bool {
        false
    }

    pub(crate) fn tie_again(&self) {}

    pub(crate) fn is_cut(&self) -> bool {
        false
    }

    pub(crate) fn forget(&self) {}
}

/// Names are of no use here.
pub(crate) fn name_thread(_name: &CStr) {}

/// Lets time pass.
pub(crate) fn sleep(milliseconds: u64) {
    world::pass(milliseconds);
}

/// There is no shell.
pub(crate) fn run_shell(_script: &CStr, _arguments: [&CStr; 3]) -> bool {
    false
}
