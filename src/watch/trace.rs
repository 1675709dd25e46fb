//! Call stacks: taken by the C library's unwinder, kept as addresses, and named by an external command when a report
//! is printed.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use crate::report::Line;
use crate::sys::{self, Module};

/// Frames that are kept of each stack; the kernel keeps as many.
const FRAMES: usize = 16;
/// Frames of our own that a stack begins with at most.
const OWN: usize = 8;

/// Where our own code is, if it is apart from the program's.
static OWN_START: AtomicUsize = AtomicUsize::new(0);
static OWN_END: AtomicUsize = AtomicUsize::new(0);

/// Whether stacks can be taken: the unwinder's first use loads a library, which allocates.
static STATE: AtomicU32 = AtomicU32::new(FORBIDDEN);
const FORBIDDEN: u32 = 0;
const ALLOWED: u32 = 1;
const PREPARING: u32 = 2;
const READY: u32 = 3;

/// The return addresses of a call, the innermost first; 0 behind the last.
pub(super) type Frames = [usize; FRAMES];

/// A place for them.
#[derive(Debug)]
pub(super) struct Stack([AtomicUsize; FRAMES]);

// ORDERING: relaxed; who keeps a stack has a lock for it, and the state only ever goes on.

/// Lets stacks be taken from now on: libraries may be loaded, and are if stacks are `wanted` for sure.
pub(crate) fn allow(wanted: bool) {
    let _ = STATE.compare_exchange(FORBIDDEN, ALLOWED, Relaxed, Relaxed);
    if wanted {
        prepare();
    }
}

/// Loads what the unwinder needs. What is allocated meanwhile has no stacks.
#[cold]
fn prepare() {
    let start = STATE.compare_exchange(ALLOWED, PREPARING, Relaxed, Relaxed);
    if start.is_err() {
        return;
    }
    let _ = sys::backtrace(&mut [0; FRAMES]);
    if let Some((start, end)) = sys::own_code() {
        OWN_START.store(start, Relaxed);
        OWN_END.store(end, Relaxed);
    }
    STATE.store(READY, Relaxed);
}

/// The caller's stack, without our own part of it; nothing as long as libraries cannot be loaded.
pub(super) fn take() -> Frames {
    let mut all = [0; FRAMES + OWN];
    let mut frames = [0; FRAMES];
    prepare();
    if STATE.load(Relaxed) == READY {
        let count = sys::backtrace(&mut all);
        let own = OWN_START.load(Relaxed)..OWN_END.load(Relaxed);
        let found = all.get(..count).unwrap_or_default();
        let skipped = found.iter().take_while(|it| own.contains(it)).count();
        let theirs = found.iter().skip(skipped);
        let places = frames.iter_mut().zip(theirs);
        places.for_each(|(to, from)| *to = *from);
    }
    frames
}

impl Stack {
    /// Keeps these frames.
    pub(super) fn store(&self, frames: &Frames) {
        let places = self.0.iter().zip(frames);
        places.for_each(|(place, frame)| place.store(*frame, Relaxed));
    }

    /// The frames.
    pub(super) fn load(&self) -> Frames {
        let mut frames = [0; FRAMES];
        let places = frames.iter_mut().zip(&self.0);
        places.for_each(|(frame, place)| *frame = place.load(Relaxed));
        frames
    }
}

/// Prints a stack, a line for each frame: the address, the module and the offset in it, and the function and line
/// as `addr2line` names them, where that is installed.
pub(super) fn print(frames: &Frames) {
    for address in frames.iter().take_while(|address| **address != 0) {
        let mut line = Line::<256>::new();
        line.text(" ").hex(*address);
        // A return address is behind the call; the call itself is what counts.
        let Some(module) = Module::of(address - 1) else {
            line.text("\n").print();
            continue;
        };
        line.text(" ")
            .raw(module.name())
            .text("+")
            .hex(module.offset() + 1);
        line.text("  ").print();
        if !sys::name_function(&module) {
            Line::<2>::new().text("\n").print();
        }
    }
}

/// Prints a stack as addresses alone, on one line.
pub(super) fn print_addresses(frames: &Frames) {
    if *frames == Frames::default() {
        return;
    }
    let mut line = Line::<400>::new();
    for address in frames.iter().take_while(|address| **address != 0) {
        line.text(" ").hex(*address);
    }
    line.text("\n").print();
}
