//! Call stacks: kept as addresses, and named by an external command when a report
//! is printed.
#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::report::{self, Line, Module, Output};
use crate::sys;

/// Frames that are kept of each stack; the kernel keeps as many.
const FRAMES: usize = 16;
/// Frames of our own that a stack begins with at most.
const OWN: usize = 8;

/// The return addresses of a call, the innermost first; 0 after the last.
pub(crate) type Frames = [usize; FRAMES];

/// A place for them.
#[derive(Debug)]
pub(super) struct Stack([AtomicUsize; FRAMES]);

// ORDERING: relaxed; who keeps a stack has a lock for it.

/// The caller's stack, without our own part of it where that is apart from the program's.
pub(crate) fn take() -> Frames {
    let mut all = [0; FRAMES + OWN];
    let mut frames = [0; FRAMES];
    let count = sys::backtrace(&mut all);
    let own = sys::own_code();
    let found = all.get(..count).unwrap_or_default();
    let skipped = found.iter().take_while(|it| own.contains(it)).count();
    let places = frames.iter_mut().zip(found.iter().skip(skipped));
    places.for_each(|(to, from)| *to = *from);
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
pub(crate) fn print(frames: &Frames) {
    for address in frames.iter().take_while(|address| **address != 0) {
        let mut line = Line::<256>::new();
        line.text(" ").hex(*address);
        // A return address is after the call; the call itself is what counts.
        let Some(module) = Module::of(address - 1) else {
            line.text("\n").print();
            continue;
        };
        line.text(" ")
            .raw(module.name())
            .text("+")
            .hex(module.offset() + 1);
        line.text("  ").print();
        if !name(&module) {
            Line::<2>::new().text("\n").print();
        }
    }
}

/// Prints the function and line of a place where reports go; `false` if that cannot be done.
fn name(module: &Module) -> bool {
    if report::descriptor(Output::Reports) == Some(sys::STANDARD_ERROR) {
        return report::name_function(module, cstr::cstr!(""));
    }
    // Another process does it, which has not the descriptor of that file.
    let Some(pipe) = sys::Pipe::new() else {
        return false;
    };
    let mut path = Line::<64>::new();
    path.text("/proc/").number(sys::process_id()).text("/fd/");
    path.number(pipe.write_end() as usize).raw(&[0]);
    let path = CStr::from_bytes_until_nul(path.as_bytes());
    let is_named = path.is_ok_and(|path| report::name_function(module, path));
    let (mut text, mut is_any) = ([0; 256], false);
    loop {
        let part = pipe.read(&mut text);
        if part.is_empty() {
            return is_named && is_any;
        }
        is_any = true;
        report::write(Output::Reports, part);
    }
}

/// Prints a stack as plain addresses, on one line.
pub(crate) fn print_addresses(frames: &Frames) {
    if *frames == Frames::default() {
        return;
    }
    let mut line = Line::<400>::new();
    for address in frames.iter().take_while(|address| **address != 0) {
        line.text(" ").hex(*address);
    }
    line.text("\n").print();
}
