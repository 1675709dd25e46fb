//! Descriptors: there is one, and what is written to it tells why a scenario ends.
#![forbid(unsafe_code)]

use core::ffi::CStr;

/// The one.
pub(crate) const STANDARD_ERROR: u32 = 2;

/// A file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    /// The device.
    pub(crate) device: u64,
    /// The number of the file there.
    pub(crate) inode: u64,
}

impl FileId {
    /// There are no files.
    pub(crate) fn of(_descriptor: u32) -> Option<Self> {
        None
    }
}

/// Writes to standard error.
pub(crate) fn write_to(_descriptor: u32, text: &[u8]) {
    eprint!("{}", String::from_utf8_lossy(text));
}

/// Copies nothing.
pub(crate) fn copy_descriptor(_descriptor: u32) -> Option<u32> {
    None
}

/// Opens nothing.
pub(crate) fn open_to_append(_path: &CStr, _may_create: bool) -> Option<u32> {
    None
}

/// Nothing is open.
pub(crate) fn close_descriptor(_descriptor: u32) {}

/// There are no paths.
pub(crate) fn path_of_stderr(_path: &mut [u8]) -> &[u8] {
    &[]
}

/// There are no folders.
pub(crate) fn working_folder(_path: &mut [u8]) -> &[u8] {
    &[]
}
