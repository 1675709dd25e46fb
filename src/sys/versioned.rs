//! Structures of the program's that begin with their own size, which tells their version.

/// The longest structure of a program's.
const MOST_BYTES: usize = 4096;

/// What a program says, in a structure as long as its first word, `default` being what it does not say; `None` if that is
/// too short to say anything, ends at none of `ends` before the last field's, or is longer than any that is known and says
/// something there. Null is all defaults.
///
/// # Safety
///
/// `from` is null or points to as many bytes as its first word says, of which any are a `T`'s: of integers and of what may be null.
pub(crate) unsafe fn read_versioned<T: Copy>(
    from: *const T,
    ends: &[usize],
    default: T,
) -> Option<T> {
    if from.is_null() {
        return Some(default);
    }
    // SAFETY: the caller's promise; the first word is there in every version.
    let size = unsafe { from.cast::<usize>().read() };
    // No program's structure is longer than the page that it lies on.
    if size > MOST_BYTES {
        return None;
    }
    let known = size.min(size_of::<T>());
    if known != size_of::<T>() && !ends.contains(&known) {
        return None;
    }
    for offset in known..size {
        // SAFETY: the caller's promise.
        let byte = unsafe { from.cast::<u8>().add(offset) };
        // SAFETY: as above.
        if unsafe { byte.read() } != 0 {
            return None;
        }
    }
    let mut read = default;
    // SAFETY: both have as many bytes, and the caller's promise.
    unsafe {
        core::ptr::copy_nonoverlapping(from.cast::<u8>(), (&raw mut read).cast::<u8>(), known);
    }
    Some(read)
}
