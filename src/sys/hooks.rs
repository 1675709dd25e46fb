//! Being told: when a thread ends and when the process forks.

use core::ffi::c_void;
use core::num::NonZeroUsize;

use once_cell::race::OnceNonZeroUsize;

use super::syscall::ask;

/// A function that a thread's end calls with the argument it was registered with.
type ExitHook = extern "C" fn(*mut c_void);
type Register = unsafe extern "C" fn(ExitHook, *mut c_void, *mut c_void) -> i32;

/// Has `hook(argument)` called when the calling thread ends; `false` if that cannot be arranged.
///
/// It runs behind the thread's C++ and Rust destructors and before its pthread keys'. libc may
/// allocate in here.
pub(crate) fn on_thread_exit(hook: ExitHook, argument: *mut c_void) -> bool {
    match thread_atexit() {
        // SAFETY: glibc's function. Its third argument tells which library to keep loaded; any
        // address in it will do, but null is followed.
        Some(register) => ask(|| unsafe { register(hook, argument, hook as *mut c_void) }) == 0,
        None => by_key(hook, argument),
    }
}

/// What libc allocates at most to remember a hook; glibc aborts where it cannot.
pub(crate) const HOOK_BYTES: usize = 32;

fn thread_atexit() -> Option<Register> {
    let address = weak!("__cxa_thread_atexit_impl");
    // SAFETY: 0 is `None`, anything else is the function.
    unsafe { core::mem::transmute::<usize, Option<Register>>(address) }
}

/// The same by a pthread key, one for the whole process.
pub(super) fn by_key(hook: ExitHook, argument: *mut c_void) -> bool {
    static KEY: OnceNonZeroUsize = OnceNonZeroUsize::new();
    let Ok(stored) = KEY.get_or_try_init(|| make_key(hook)) else {
        return false;
    };
    let Ok(key) = libc::pthread_key_t::try_from(stored.get() - 1) else {
        return false;
    };
    // SAFETY: the key was created above.
    ask(|| unsafe { libc::pthread_setspecific(key, argument) }) == 0
}

/// A new key, and 1.
pub(super) fn make_key(hook: ExitHook) -> Result<NonZeroUsize, ()> {
    if !is_linked!("pthread_key_create") || !is_linked!("pthread_setspecific") {
        return Err(());
    }
    let mut key = 0;
    // SAFETY: pthread_key_create(3) stores a key; the hook has the signature it wants.
    let answer = ask(|| unsafe { libc::pthread_key_create(&raw mut key, Some(key_hook(hook))) });
    match answer {
        0 => NonZeroUsize::new(key as usize + 1).ok_or(()),
        _ => Err(()),
    }
}

fn key_hook(hook: ExitHook) -> unsafe extern "C" fn(*mut c_void) {
    hook
}

/// Has the three functions called around every fork(2), in the parent before, and in the parent
/// and the child after; `false` if that cannot be arranged. libc may allocate in here.
pub(crate) fn on_fork(
    before: extern "C" fn(),
    in_parent: extern "C" fn(),
    in_child: extern "C" fn(),
) -> bool {
    // glibc's pthread_atfork(3) is a stub in the program's own code around the first; musl has the second alone.
    type WithOwner =
        unsafe extern "C" fn(extern "C" fn(), extern "C" fn(), extern "C" fn(), usize) -> i32;
    type Alone = unsafe extern "C" fn(extern "C" fn(), extern "C" fn(), extern "C" fn()) -> i32;
    let with_owner = weak!("__register_atfork");
    // SAFETY: 0 is `None`, anything else is the function.
    let with_owner = unsafe { core::mem::transmute::<usize, Option<WithOwner>>(with_owner) };
    let alone = weak!("pthread_atfork");
    // SAFETY: as above.
    let alone = unsafe { core::mem::transmute::<usize, Option<Alone>>(alone) };
    ask(|| match (with_owner, alone) {
        // SAFETY: stores three functions without arguments, and whose they are.
        (Some(register), _) => unsafe { register(before, in_parent, in_child, owner()) },
        // SAFETY: pthread_atfork(3) stores three functions without arguments.
        (None, Some(register)) => unsafe { register(before, in_parent, in_child) },
        (None, None) => libc::ENOSYS,
    }) == 0
}

/// What the object that this code is part of is called when it is unloaded: handlers go with their owner.
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

/// Takes glibc's lock on its list of streams. Its `fork` does so behind all handlers, while a thread
/// that holds the list may wait for a stream whose owner waits for our locks; so it goes first.
pub(crate) fn hold_streams() {
    call(weak!("_IO_list_lock"));
}

/// Frees the lock on the list of streams in the parent.
pub(crate) fn release_streams() {
    call(weak!("_IO_list_unlock"));
}

/// Makes the lock on the list of streams free in the child.
pub(crate) fn reset_streams() {
    call(weak!("_IO_list_resetlock"));
}

fn call(address: usize) {
    // SAFETY: 0 is `None`, anything else one of the functions above, which take and give nothing.
    let function = unsafe { core::mem::transmute::<usize, Option<extern "C" fn()>>(address) };
    if let Some(function) = function {
        function();
    }
}
