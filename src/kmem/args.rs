//! What a cache may be told beside name, size and flags.
//!
//! # Invariant
//!
//! Fields are only added, at the end: a program that was built with fewer says so by `size`.

use crate::sys::read_versioned;

/// What a cache may be told beside name, size and flags; zero is the default of each.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct CacheArgs {
    /// Bytes of this structure, which tell its version.
    pub size: usize,
    /// What addresses of objects are to be multiples of: a power of two.
    pub align: u32,
    /// Objects in a full sheaf.
    pub sheaf_capacity: u32,
    /// Runs before an object is first handed out.
    pub constructor: Option<extern "C" fn(*mut u8)>,
    /// Runs before the memory of an object goes.
    pub destructor: Option<extern "C" fn(*mut u8)>,
    /// The most objects that may be out.
    pub limit: usize,
}

impl CacheArgs {
    /// What a program says, in a structure as long as its first word; `None` if that is too short to say anything, ends
    /// inside of a field, or is longer than any that is known and says something there. Null is all defaults.
    ///
    /// # Safety
    ///
    /// `args` is null or points to as many bytes as its first word says.
    pub unsafe fn read(args: *const Self) -> Option<Self> {
        // SAFETY: the caller's promise; the fields are numbers and functions that may be null.
        unsafe { read_versioned(args, &ENDS, Self::default()) }
    }
}

/// Where fields end.
const ENDS: [usize; 5] = [
    core::mem::offset_of!(CacheArgs, align),
    core::mem::offset_of!(CacheArgs, sheaf_capacity),
    core::mem::offset_of!(CacheArgs, constructor),
    core::mem::offset_of!(CacheArgs, destructor),
    core::mem::offset_of!(CacheArgs, limit),
];
