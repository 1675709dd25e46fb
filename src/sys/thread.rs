//! A thread of our own.

use core::ffi::{CStr, c_void};
use core::mem::MaybeUninit;

use super::linux::{process_id, read_file};
use super::on_own_stack;
use super::syscall::{ask, call};

/// What a thread runs; it gets null.
type Entry = extern "C" fn(*mut c_void) -> *mut c_void;

/// Stack sizes to try: glibc takes the static thread-local storage of all libraries from it, and a signal of
/// its own, by which all threads change their user, needs some kibibytes. What is not touched costs
/// nothing.
const STACKS: [usize; 2] = [256 << 10, 2 << 20];

/// Starts a detached thread with all signals blocked, so that it never runs a handler of the
/// program's; `false` if there can be none. libc allocates in here, on a stack that has room for that. See
/// pthread_create(3).
pub(crate) fn start_thread(entry: Entry) -> bool {
    let can_be = is_linked!("pthread_create")
        && is_linked!("pthread_attr_setstacksize")
        && is_linked!("pthread_sigmask");
    if !can_be {
        return false;
    }
    on_own_stack(|| start_masked(entry)).unwrap_or(false)
}

fn start_masked(entry: Entry) -> bool {
    // SAFETY: gives the address of a number of this thread's.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let kept = unsafe { errno.read() };
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: writes the set that it is given.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // A thread begins with its maker's mask. What libc needs, to change the user of all threads, is not in a set of
    // libc's: so it is set and not added to that of the caller, who may have blocked that, too.
    let block =
        // SAFETY: reads one set and writes the other.
        || unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    if ask(block) != 0 {
        return false;
    }
    let started = STACKS.into_iter().any(|stack| start(entry, stack));
    let restore =
        // SAFETY: the set that was written above.
        || unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), core::ptr::null_mut()) };
    ask(restore);
    // SAFETY: as above.
    unsafe { errno.write(kept) };
    started
}

fn start(entry: Entry, stack: usize) -> bool {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: writes the attributes.
    if ask(|| unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) }) != 0 {
        return false;
    }
    let attributes = attributes.as_mut_ptr();
    let detach =
        // SAFETY: the attributes were initialised.
        || unsafe { libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED) };
    // SAFETY: as above.
    let size = || unsafe { libc::pthread_attr_setstacksize(attributes, stack) };
    let mut thread = MaybeUninit::uninit();
    let create =
        // SAFETY: as above; `entry` takes and gives pointers that nobody uses.
        || unsafe {
            libc::pthread_create(thread.as_mut_ptr(), attributes, entry, core::ptr::null_mut())
        };
    let started = ask(detach) == 0 && ask(size) == 0 && ask(create) == 0;
    // SAFETY: the attributes were initialised and are used no more.
    unsafe { libc::pthread_attr_destroy(attributes) };
    started
}

/// The calling thread's number in the kernel, below 2^22; 0 where the kernel does not tell. See gettid(2).
pub(crate) fn kernel_thread_id() -> u32 {
    // SAFETY: only reads a number.
    let thread = unsafe { call(libc::SYS_gettid, [0; 6]) };
    thread.value().unwrap_or(0) as u32
}

/// Lets other threads go first.
pub(crate) fn yield_now() {
    // SAFETY: changes nothing.
    let _ = unsafe { call(libc::SYS_sched_yield, [0; 6]) };
}

/// Whether the process has a thread with this number in the kernel. See tgkill(2).
pub(crate) fn has_thread(number: u32) -> bool {
    let arguments = [process_id(), number as usize, 0, 0, 0, 0];
    // SAFETY: signal 0 is never sent.
    !unsafe { call(libc::SYS_tgkill, arguments) }.is_error(libc::ESRCH)
}

/// The number of the calling thread in the kernel, as libc knows it: without a system call, and in a child of vfork(2), which
/// runs in its parent's memory, that of the parent's thread.
// Beside what else the child of a fork comes to: see `global/life.rs`.
#[unsafe(link_section = ".text.hot.life")]
pub(crate) fn libc_thread_number() -> u32 {
    if !is_linked!("pthread_getcpuclockid") {
        return kernel_thread_id();
    }
    // SAFETY: only reads a number of this thread's.
    let own = unsafe { libc::pthread_self() };
    let mut clock = 0;
    // SAFETY: the calling thread exists; the call writes the number of its clock.
    let answer = ask(|| unsafe { libc::pthread_getcpuclockid(own, &raw mut clock) });
    // A clock's number is the complement of the thread's, above three bits: see clock_getcpuclockid(3).
    if answer == 0 {
        !(clock >> 3) as u32
    } else {
        kernel_thread_id()
    }
}

/// Whether the process is a child of vfork(2).
pub(crate) fn is_vfork_child() -> bool {
    libc_thread_number() != kernel_thread_id()
}

/// Names the calling thread, in 15 bytes at most.
pub(crate) fn name_thread(name: &CStr) {
    let arguments = [
        libc::PR_SET_NAME as usize,
        name.as_ptr() as usize,
        0,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel reads the name.
    let _ = unsafe { call(libc::SYS_prctl, arguments) };
}

/// Whether the caller is the process's first thread.
pub(crate) fn is_main_thread() -> bool {
    let thread = kernel_thread_id() as usize;
    thread != 0 && thread == process_id()
}

/// Whether the process's first thread has ended before the process, by pthread_exit(3): its state in
/// `/proc/self/stat`, after the name in parentheses, is that of a zombie. See proc_pid_stat(5).
pub(crate) fn is_main_thread_gone() -> bool {
    let mut text = [0; 128];
    let text = read_file(cstr::cstr!("/proc/self/stat"), &mut text).unwrap_or_default();
    let name_end = text.iter().rposition(|byte| *byte == b')');
    name_end.is_some_and(|end| text.get(end + 2) == Some(&b'Z'))
}
