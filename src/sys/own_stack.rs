//! A stack of its own for what runs once. Detection and parsing have large frames, and the first caller may be a
//! coroutine or a handler on an alternate stack, with a few kilobytes left.
//!
//! # Invariant
//!
//! While such a stack is in use, no signal that is sent is handled on this thread: a handler finds the stack that its
//! program gave it, and none jumps out of here.

use core::ffi::c_void;

use super::syscall::call;
use super::{Region, page_size};

/// Its length; what is not touched costs nothing. `scripts/stack-use.sh` tells what is needed.
const BYTES: usize = 256 << 10;

/// What runs, and what it answered.
struct Call<F, T> {
    run: Option<F>,
    answer: Option<T>,
}

/// Runs `run` on a stack of its own, which is gone afterwards; `None` where there is no memory for it.
pub(crate) fn on_own_stack<T>(run: impl FnOnce() -> T) -> Option<T> {
    let stack = Region::reserve_fenced(BYTES, 0, page_size())?;
    if !stack.commit(0, BYTES) {
        stack.give_back();
        return None;
    }
    let mut call = Call {
        run: Some(run),
        answer: None,
    };
    let (entry, argument) = entry_of(&mut call);
    let signals = Signals::block();
    // SAFETY: the top of a fresh stack, which is aligned as its pages are; nothing unwinds through `entry`.
    unsafe { switch(argument, entry, stack.at(BYTES).as_ptr().cast()) };
    drop(signals);
    stack.give_back();
    call.answer
}

type Entry = extern "C" fn(*mut c_void);

/// A function that runs `call`, and what it has to be given.
fn entry_of<F: FnOnce() -> T, T>(call: &mut Call<F, T>) -> (Entry, *mut c_void) {
    extern "C" fn enter<F: FnOnce() -> T, T>(call: *mut c_void) {
        // SAFETY: the pointer beside this function, to a value of a caller that waits.
        let call = unsafe { &mut *call.cast::<Call<F, T>>() };
        call.answer = call.run.take().map(|run| run());
    }
    (enter::<F, T>, core::ptr::from_mut(call).cast())
}

/// The mask of blocked signals as it was; it comes back with the end of this value.
struct Signals(Option<u64>);

impl Signals {
    /// Blocks what can be sent, but not what the thread's own instructions cause: that kills where it is blocked, and a
    /// sandbox may answer system calls by SIGSYS.
    fn block() -> Self {
        const CAUSED: [i32; 6] = [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGFPE,
            libc::SIGTRAP,
            libc::SIGSYS,
        ];
        let sent = CAUSED
            .iter()
            .fold(u64::MAX, |set, signal| set & !(1 << (signal - 1)));
        let mut before = 0;
        Self(mask(&sent, Some(&mut before)).then_some(before))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            mask(before, None);
        }
    }
}

/// Sets the calling thread's mask of blocked signals. See rt_sigprocmask(2).
fn mask(set: &u64, before: Option<&mut u64>) -> bool {
    let before = before.map_or(core::ptr::null_mut(), core::ptr::from_mut);
    let set = core::ptr::from_ref(set);
    let how = libc::SIG_SETMASK as usize;
    let arguments = [how, set as usize, before as usize, size_of::<u64>(), 0, 0];
    // SAFETY: the kernel reads one set and writes the other.
    unsafe { call(libc::SYS_rt_sigprocmask, arguments) }.is_ok()
}

/// Calls `entry(argument)` on the stack that ends at `top`.
///
/// # Safety
///
/// The stack is nobody else's, and large enough.
#[cfg(all(target_arch = "x86_64", not(simulated)))]
#[unsafe(naked)]
unsafe extern "C" fn switch(argument: *mut c_void, entry: Entry, top: *mut c_void) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `entry(argument)` on the stack that ends at `top`.
///
/// # Safety
///
/// The stack is nobody else's, and large enough.
#[cfg(all(target_arch = "aarch64", not(simulated)))]
#[unsafe(naked)]
unsafe extern "C" fn switch(argument: *mut c_void, entry: Entry, top: *mut c_void) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        ".cfi_def_cfa x29, 16",
        "mov sp, x2",
        "blr x1",
        "mov sp, x29",
        ".cfi_def_cfa sp, 16",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
        ".cfi_endproc",
    )
}

/// An interpreted machine has one stack.
#[cfg(simulated)]
unsafe fn switch(argument: *mut c_void, entry: Entry, _top: *mut c_void) {
    entry(argument);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    #[cfg(not(simulated))]
    fn what_runs_has_another_stack_without_signals() {
        fn place() -> usize {
            let here = 1_u8;
            &raw const here as usize
        }
        fn blocked() -> u64 {
            let mut set = 0;
            let (how, unused) = (libc::SIG_BLOCK as usize, 0);
            let arguments = [how, unused, (&raw mut set) as usize, size_of::<u64>(), 0, 0];
            // SAFETY: the kernel writes the set.
            assert!(unsafe { call(libc::SYS_rt_sigprocmask, arguments) }.is_ok());
            set
        }
        let (here, before) = (place(), blocked());
        let (there, within) = on_own_stack(|| (place(), blocked())).unwrap();
        assert!(here.abs_diff(there) > BYTES);
        let bit = |signal: i32| 1_u64 << (signal - 1);
        assert_ne!(within & bit(libc::SIGALRM), 0);
        assert_eq!(within & bit(libc::SIGSYS), 0);
        assert_eq!(blocked(), before);
    }

    #[test]
    fn an_answer_may_be_large_and_the_stack_is_used() {
        fn fill(depth: usize) -> usize {
            let numbers = core::hint::black_box([depth; 512]);
            let below = if depth == 0 { 0 } else { fill(depth - 1) };
            numbers.iter().sum::<usize>() / 512 + below
        }
        let answer = on_own_stack(|| [fill(20); 100]);
        assert_eq!(answer, Some([210; 100]));
    }
}
