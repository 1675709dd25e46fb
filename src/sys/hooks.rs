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
    // SAFETY: pthread_atfork(3) stores three functions without arguments.
    ask(|| unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) }) == 0
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
