//! Fork and exit hooks.

use core::sync::atomic::Ordering::Relaxed;

use super::ForkGate;
use super::syscall::ask;
use super::tls::thread_id;
use super::weak::function_at;

/// Has the three functions called around every fork(2), in the parent before, and in the parent
/// and the child after; `false` if that cannot be arranged. libc may allocate in here.
pub(crate) fn on_fork(
    before: extern "C" fn(),
    in_parent: extern "C" fn(),
    in_child: extern "C" fn(),
) -> bool {
    // glibc's pthread_atfork(3) is a stub in the program's own code that calls the first; musl has only the second.
    type WithOwner =
        unsafe extern "C" fn(extern "C" fn(), extern "C" fn(), extern "C" fn(), usize) -> i32;
    type WithoutOwner =
        unsafe extern "C" fn(extern "C" fn(), extern "C" fn(), extern "C" fn()) -> i32;
    let (with_owner, without_owner) = (weak!("__register_atfork"), weak!("pthread_atfork"));
    // SAFETY: the function of that name has this type.
    let with_owner = unsafe { function_at::<WithOwner>(with_owner) };
    // SAFETY: as above.
    let without_owner = unsafe { function_at::<WithoutOwner>(without_owner) };
    ask(|| match (with_owner, without_owner) {
        // SAFETY: stores three functions without arguments, and whose they are.
        (Some(register), _) => unsafe { register(before, in_parent, in_child, owner()) },
        // SAFETY: pthread_atfork(3) stores three functions without arguments.
        (None, Some(register)) => unsafe { register(before, in_parent, in_child) },
        (None, None) => libc::ENOSYS,
    }) == 0
}

/// The handle of the object that this code is part of: glibc drops its handlers when that object is unloaded.
fn owner() -> usize {
    let owner: usize;
    #[cfg(simulated)]
    {
        owner = 0;
    }
    // SAFETY: reads a word of the object's own, which the compiler's start files define.
    #[cfg(all(target_arch = "x86_64", not(simulated)))]
    unsafe {
        core::arch::asm!(
            ".hidden __dso_handle",
            "mov {0}, qword ptr [rip + __dso_handle]",
            out(reg) owner,
            options(nostack, preserves_flags, pure, readonly),
        );
    }
    // SAFETY: as above.
    #[cfg(all(target_arch = "aarch64", not(simulated)))]
    unsafe {
        core::arch::asm!(
            ".hidden __dso_handle",
            "adrp {0}, __dso_handle",
            "ldr {0}, [{0}, :lo12:__dso_handle]",
            out(reg) owner,
            options(nostack, preserves_flags, pure, readonly),
        );
    }
    owner
}

/// Has `hook` called when the process ends, or when the object that this code is part of is closed; returns `false` if
/// that cannot be arranged. libc may allocate in here.
pub(crate) fn on_exit(hook: extern "C" fn()) -> bool {
    // SAFETY: atexit(3) stores a function without arguments.
    ask(|| unsafe { libc::atexit(hook) }) == 0
}

/// The one fork that the process's threads can be in.
pub(crate) fn fork_gate() -> &'static ForkGate {
    static GATE: ForkGate = ForkGate::new();
    &GATE
}

/// Whether the program has begun: then what is loaded now was opened by it, and may be closed. Returns `false` where
/// nobody can tell.
///
/// The first frame of the stack has a return address in the program's first instructions, from which they called libc.
/// The loader has initialised what the program is linked with before there is such a frame.
pub(crate) fn has_begun() -> bool {
    /// Words of the stack that may belong to the frame, and bytes of the instructions.
    const FRAME: usize = 64;
    const CODE: usize = 64;
    let end = core::ptr::with_exposed_provenance::<*const usize>(weak!("__libc_stack_end"));
    if end.is_null() {
        return false;
    }
    // SAFETY: the loader's variable, which it has set before anything is initialised.
    let end = unsafe { end.read() };
    // SAFETY: only reads a number.
    let entry = unsafe { libc::getauxval(libc::AT_ENTRY) } as usize;
    if end.is_null() || entry == 0 {
        return false;
    }
    (1..=FRAME).any(|word| {
        // SAFETY: the kernel makes the stack longer than that when the program starts.
        let place = unsafe { end.sub(word) };
        // SAFETY: as above; a word that nobody changes any more, if it is of that frame.
        let value = unsafe { place.read_volatile() };
        value > entry && value <= entry + CODE
    })
}

/// Takes glibc's lock on its list of streams. Its `fork` does so after all handlers, while a thread
/// that holds the list may wait for a stream whose owner waits for our locks; so it goes first.
pub(crate) fn hold_streams() {
    call(weak!("_IO_list_lock"));
    // ORDERING: relaxed; a thread looks for its own number.
    fork_gate().streams.store(thread_id(), Relaxed);
}

/// Frees the lock on the list of streams in the parent, if the calling thread holds it.
pub(crate) fn release_streams() {
    if forget_streams() {
        call(weak!("_IO_list_unlock"));
    }
}

/// Makes the lock on the list of streams free in the child, if the calling thread holds it.
pub(crate) fn reset_streams() {
    if forget_streams() {
        call(weak!("_IO_list_resetlock"));
    }
}

fn forget_streams() -> bool {
    let holder = &fork_gate().streams;
    // ORDERING: relaxed, as above.
    let is_held = holder.load(Relaxed) == thread_id();
    if is_held {
        holder.store(0, Relaxed);
    }
    is_held
}

fn call(address: usize) {
    // SAFETY: one of the functions above, which take and give nothing.
    if let Some(function) = unsafe { function_at::<extern "C" fn()>(address) } {
        function();
    }
}
