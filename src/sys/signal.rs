//! Being told of a fault before the process dies of it.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::syscall::ask;
use super::weak::function_at;

/// Says what a faulting access was; `false` if that is not known.
type Explain = fn(address: usize, did: &str) -> bool;

/// Who is asked, 0 for nobody, and the handlers that were there before, for `SIGSEGV` and `SIGBUS`.
static EXPLAIN: AtomicUsize = AtomicUsize::new(0);
static BEFORE: [Before; 2] = [const { Before::none() }; 2];
const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// A handler of somebody else's.
struct Before {
    handler: AtomicUsize,
    flags: AtomicUsize,
}

impl Before {
    const fn none() -> Self {
        Self {
            handler: AtomicUsize::new(libc::SIG_DFL),
            flags: AtomicUsize::new(0),
        }
    }
}

// ORDERING: relaxed; written before the handler is in place.

/// Has `explain` called for every access to memory that faults, unless the program puts a handler of its own in
/// place. What it cannot explain goes to the handler that was there before; the rest dies of the signal at the
/// instruction that did it. Whether that could be arranged.
pub(crate) fn on_fault(explain: Explain) -> bool {
    EXPLAIN.store(explain as usize, Relaxed);
    let mut done = true;
    for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
        let mut old = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: all-zero is an action, with no signal blocked.
        let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
        action.sa_sigaction = handle as *const () as usize;
        // On the program's alternative stack, if it has one: it may be the stack that overflowed.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: a handler with the signature that the flags say.
        let asked = ask(|| unsafe { libc::sigaction(signal, &raw const action, old.as_mut_ptr()) });
        done &= asked == 0;
        if asked == 0 {
            // SAFETY: written by the call.
            let old = unsafe { old.assume_init() };
            before.handler.store(old.sa_sigaction, Relaxed);
            before.flags.store(old.sa_flags as usize, Relaxed);
        }
    }
    done
}

/// Puts back the handlers that were there before, as far as nobody has put another one in place.
pub(crate) fn off_fault() {
    if EXPLAIN.swap(0, Relaxed) == 0 {
        return;
    }
    for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
        let mut now = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: reads the action.
        let read = unsafe { libc::sigaction(signal, core::ptr::null(), now.as_mut_ptr()) };
        if read != 0 {
            continue;
        }
        // SAFETY: written by the call.
        let mut action = unsafe { now.assume_init() };
        if action.sa_sigaction == handle as *const () as usize {
            action.sa_sigaction = before.handler.load(Relaxed);
            action.sa_flags = before.flags.load(Relaxed) as c_int;
            // SAFETY: the handler that was there, with its flags.
            let _ = unsafe { libc::sigaction(signal, &raw const action, core::ptr::null_mut()) };
        }
    }
}

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's description of the signal.
    let info_of = unsafe { &*info };
    // SAFETY: a fault has an address.
    let address = unsafe { info_of.si_addr() } as usize;
    // SAFETY: only `on_fault` stores there, before this can be called.
    let explain = unsafe { function_at::<Explain>(EXPLAIN.load(Relaxed)) };
    // What was sent, not caused, has no address, and no instruction that would fault again.
    let is_sent = info_of.si_code <= 0;
    let die = || {
        set_default(signal);
        if is_sent {
            // SAFETY: raise(3) may be called in a handler; the signal waits until this one returns.
            let _ = unsafe { libc::raise(signal) };
        }
    };
    if !is_sent && explain.is_some_and(|explain| explain(address, did(context))) {
        // Back at the instruction, it faults again.
        return die();
    }
    let place = SIGNALS.iter().position(|it| *it == signal).unwrap_or(0);
    let Some(before) = BEFORE.get(place) else {
        return die();
    };
    let handler = before.handler.load(Relaxed);
    if handler == libc::SIG_IGN && is_sent {
        return;
    }
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        return die();
    }
    if before.flags.load(Relaxed) & libc::SA_SIGINFO as usize != 0 {
        type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
        // SAFETY: the flags of that handler say that it takes these three.
        if let Some(handler) = unsafe { function_at::<Handler>(handler) } {
            handler(signal, info, context);
        }
    } else {
        // SAFETY: as above, without the flag it takes only the number.
        if let Some(handler) = unsafe { function_at::<extern "C" fn(c_int)>(handler) } {
            handler(signal);
        }
    }
}

fn set_default(signal: c_int) {
    // SAFETY: all-zero is the default action.
    let action: libc::sigaction = unsafe { core::mem::zeroed() };
    // SAFETY: as above.
    let _ = unsafe { libc::sigaction(signal, &raw const action, core::ptr::null_mut()) };
}

/// What the instruction did, where the processor tells.
#[cfg(target_arch = "x86_64")]
fn did(context: *mut c_void) -> &'static str {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel's description of the thread's state.
    let registers = unsafe { (*context).uc_mcontext.gregs };
    let code = registers.get(libc::REG_ERR as usize).copied().unwrap_or(0);
    if code & 2 != 0 { "write" } else { "read" }
}

/// What the instruction did, where the processor tells.
#[cfg(target_arch = "aarch64")]
fn did(_context: *mut c_void) -> &'static str {
    "access"
}
