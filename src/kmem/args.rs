//! What a cache may be told beside name, size and flags.
//!
//! # Invariant
//!
//! Fields are only added, at the end: a program that was built with fewer says so by `size`.

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
    /// What a program says, in a structure as long as its first word; `None` if that is longer than any that is known, or
    /// too short to say anything. Null is all defaults.
    ///
    /// # Safety
    ///
    /// `args` is null or points to as many bytes as its first word says.
    pub unsafe fn read(args: *const Self) -> Option<Self> {
        if args.is_null() {
            return Some(Self::default());
        }
        // SAFETY: the caller's promise; the first word is there in every version.
        let size = unsafe { args.cast::<usize>().read() };
        if size < size_of::<usize>() || size > size_of::<Self>() {
            return None;
        }
        let mut known = Self::default();
        // SAFETY: both have as many bytes, and a structure of zeroes and what the program wrote is one: its fields are
        // numbers and functions that may be null.
        unsafe {
            core::ptr::copy_nonoverlapping(args.cast::<u8>(), (&raw mut known).cast::<u8>(), size);
        }
        Some(known)
    }
}
