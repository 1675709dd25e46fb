//! The heap profile in a file: when the program asks for that, and when it ends.
#![forbid(unsafe_code)]

use core::ffi::CStr;

use super::profiled::known;
use crate::report::{self, Output};
use crate::sys;

/// Why there is no file with the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWritten {
    /// The profile was never on.
    NeverOn,
    /// The kernel's error number for the file.
    File(i32),
}

/// Writes the heap profile to a file of that name, in the format of gperftools, which pprof reads. What was in the file is gone.
///
/// # Errors
///
/// See [`NotWritten`].
pub fn profile_dump(path: &CStr) -> Result<(), NotWritten> {
    let profile = known().ok_or(NotWritten::NeverOn)?;
    let file = sys::create_file(path).map_err(NotWritten::File)?;
    profile.print(&mut |line| sys::write_to(file, line));
    sys::close_descriptor(file);
    Ok(())
}

/// When the program ends: the profile in the file that was configured for it.
pub(super) fn print_at_exit() {
    if !report::has_file_of_its_own(Output::Profile) {
        return;
    }
    if let Some(profile) = known().filter(|profile| profile.is_quiet()) {
        profile.print(&mut |line| report::write(Output::Profile, line));
    }
}
