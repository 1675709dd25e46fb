//! What the program is called, for the first line of a report.
//!
//! # Invariant
//!
//! The name is taken once, before the program runs: later it may have written over its arguments.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Bytes of a name that are kept; the kernel keeps 15.
pub(crate) const NAME: usize = 32;

/// The name; zeroes until it is known.
static PROGRAM: [AtomicU8; NAME] = [const { AtomicU8::new(0) }; NAME];

// ORDERING: relaxed; stored when the program starts, by one thread, and always the same.

/// Keeps the program's name. Called before `main`, when the C library knows it.
// Beside `malloc`, as all that runs when a program starts; see `global/life.rs`.
#[unsafe(link_section = ".text.hot.life")]
pub(crate) fn keep_program_name() {
    let name = argument_name().or_else(file_name).unwrap_or_default();
    for (place, byte) in PROGRAM.iter().zip(name) {
        // What a terminal would obey, or ends a word, is no part of a name.
        let is_plain = byte.is_ascii_graphic();
        place.store(if is_plain { *byte } else { b'_' }, Relaxed);
    }
}

/// Copies the program's name into `name` and returns that part.
pub(crate) fn program_name(name: &mut [u8; NAME]) -> &[u8] {
    if PROGRAM[0].load(Relaxed) == 0 {
        keep_program_name();
    }
    let kept = PROGRAM.iter().map(|byte| byte.load(Relaxed));
    let mut length = 0;
    for (to, byte) in name.iter_mut().zip(kept).take_while(|(_, byte)| *byte != 0) {
        *to = byte;
        length += 1;
    }
    name.get(..length).unwrap_or_default()
}

/// The name that the program was called by, without its folder, as the C library has it.
fn argument_name() -> Option<&'static [u8]> {
    let variable = weak!("program_invocation_short_name");
    let variable = core::ptr::with_exposed_provenance::<*const c_char>(variable);
    // SAFETY: null, or libc's variable, which holds null or a C string.
    let name = unsafe { variable.as_ref() }?;
    text(*name)
}

/// The name of the file that the kernel was asked to run.
fn file_name() -> Option<&'static [u8]> {
    if cfg!(simulated) {
        return None;
    }
    // SAFETY: getauxval(3) reads memory that the kernel filled before the first instruction.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as usize;
    let path = text(core::ptr::with_exposed_provenance(path))?;
    path.rsplit(|byte| *byte == b'/').next()
}

/// A C string that stays, unless it is empty.
fn text(start: *const c_char) -> Option<&'static [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: the caller's strings lie where the kernel put the program's arguments.
    let text = unsafe { CStr::from_ptr(start) }.to_bytes();
    (!text.is_empty()).then_some(text)
}

#[cfg(all(test, not(simulated)))]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn both_sources_name_this_test() {
        let path = std::env::current_exe().unwrap();
        let name = path.file_name().unwrap().as_encoded_bytes();
        assert_eq!(argument_name(), Some(name));
        assert_eq!(file_name(), Some(name));
        let mut kept = [0; NAME];
        let kept = program_name(&mut kept);
        assert_eq!(kept, &name[..name.len().min(NAME)]);
    }
}
