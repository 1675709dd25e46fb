//! Memory that is to hold zeroes: writing them, and telling pages that hold nothing else.

use core::ptr::NonNull;

use super::memory::{copy, release_to_system};
use super::page_size;

/// Writes zeroes over `bytes` at `start`.
///
/// # Safety
///
/// The range is the caller's to write.
pub(crate) unsafe fn clear(start: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { start.write_bytes(0, bytes) };
}

/// Pages that are looked at to see whether a range is used at all.
const SAMPLES: usize = 16;

/// Makes whole pages hold zeroes. Where few of them hold anything their memory goes back, and no page that holds zeroes
/// already is written to: a range that is hardly used stays so.
///
/// # Safety
///
/// The range is the caller's to write, and begins at a page.
// Apart, so that what is called beside it has more of the stack that is allowed.
#[inline(never)]
pub(crate) unsafe fn clear_pages(start: NonNull<u8>, bytes: usize) {
    let unit = page_size();
    // SAFETY: inside of the range.
    let pages = (0..bytes / unit).map(|page| unsafe { start.add(page * unit) });
    // SAFETY: as above.
    let is_used = |page: &NonNull<u8>| unsafe { !is_zero_page(*page) };
    let step = (bytes / unit / SAMPLES).max(1);
    let (looked_at, used) = pages
        .clone()
        .step_by(step)
        .fold((0, 0), |(looked_at, used), page| {
            (looked_at + 1, used + usize::from(is_used(&page)))
        });
    // SAFETY: nobody needs the content.
    if used * 2 < looked_at && unsafe { release_to_system(start, bytes) } {
        return;
    }
    for page in pages.filter(is_used) {
        // SAFETY: the caller's promise.
        unsafe { clear(page, unit) };
    }
}

/// Copies a page of the operating system, unless it holds nothing but zeroes.
///
/// # Safety
///
/// Both pages are the caller's, and the second one holds zeroes.
pub(super) unsafe fn copy_page(from: NonNull<u8>, to: NonNull<u8>) {
    // SAFETY: the caller's promise.
    if !unsafe { is_zero_page(from) } {
        // SAFETY: as above.
        unsafe { copy(from, to, page_size()) };
    }
}

/// Whether a page of the operating system holds nothing but zeroes.
///
/// # Safety
///
/// The page is the caller's.
unsafe fn is_zero_page(page: NonNull<u8>) -> bool {
    let words = page.cast::<u64>();
    (0..page_size() / size_of::<u64>()).all(|index| {
        // SAFETY: inside of the page.
        let word = unsafe { words.add(index) };
        // SAFETY: as above; a page is aligned to any word.
        unsafe { word.read() == 0 }
    })
}

#[cfg(test)]
mod tests {
    use super::super::memory::{map, unmap};
    use super::*;

    #[test]
    fn pages_are_cleared_whether_many_are_used_or_few() {
        let unit = page_size();
        for used in [64, 3, 0] {
            let start = map(64 * unit).unwrap();
            for page in 0..used {
                // SAFETY: inside of the mapping.
                let last = unsafe { start.add(page * unit + unit - 1) };
                // SAFETY: as above.
                unsafe { last.write(7) };
            }
            // SAFETY: the mapping is this test's.
            unsafe { clear_pages(start, 64 * unit) };
            for page in 0..64 {
                // SAFETY: as above.
                let page = unsafe { start.add(page * unit) };
                // SAFETY: as above.
                assert!(unsafe { is_zero_page(page) });
            }
            // SAFETY: as above.
            assert!(unsafe { unmap(start, 64 * unit) });
        }
    }
}
