//! The words of `/proc/PID/pagemap`, one for each page (the kernel's Documentation/admin-guide/mm/pagemap.rst): for kernels that do
//! not report runs of pages.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use super::{Page, number};

/// The page is there, or swapped out.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
/// It belongs to a file, or is anonymous and shared: none of a heap's, but what the kernel says of a huge page of zeroes.
const OF_FILE: u64 = 1 << 61;
/// Only this process maps it: the kernel's page of zeroes never is.
const EXCLUSIVE: u64 = 1 << 56;
/// The page's frame, 0 for readers without the right to know it.
const FRAME: u64 = (1 << 55) - 1;

/// Says of each page from `start` on what it has.
pub(super) fn pages(pagemap: &File, start: u64, pages: usize, page: u64) -> Option<Vec<Page>> {
    let mut entries = vec![0; pages * 8];
    pagemap.read_exact_at(&mut entries, start / page * 8).ok()?;
    let words = entries.chunks_exact(8).filter_map(number);
    Some(words.map(|word| kind(word, zero_frame())).collect())
}

/// What a word says, if `zero` is the frame of the page of zeroes.
fn kind(word: u64, zero: Option<u64>) -> Page {
    let is_zero = word & OF_FILE != 0
        || word & EXCLUSIVE == 0 && zero.is_some_and(|zero| word & FRAME == zero);
    match () {
        () if word & SWAPPED != 0 => Page::Swapped,
        () if word & PRESENT == 0 || is_zero => Page::Untouched,
        () => Page::Resident,
    }
}

/// The frame of the kernel's page of zeroes, where this program may know frames: that of a page of this program's that was only read. Without it,
/// and without runs, a page that was only read is taken for one with memory, as one that is shared since a fork.
fn zero_frame() -> Option<u64> {
    static FRAME_OF_ZEROES: OnceLock<Option<u64>> = OnceLock::new();
    *FRAME_OF_ZEROES.get_or_init(|| {
        let page = procfs::page_size();
        // More than an allocator has at hand: fresh memory, which is only read here.
        let memory = vec![0_u8; 64 << 20];
        let place = memory.as_ptr() as u64 + (32 << 20);
        let byte = std::hint::black_box(&memory)[32 << 20];
        let pagemap = File::open("/proc/self/pagemap").ok()?;
        let mut word = [0; 8];
        pagemap.read_exact_at(&mut word, place / page * 8).ok()?;
        let word = u64::from_le_bytes(word) | u64::from(byte);
        let is_zero = word & PRESENT != 0 && word & (OF_FILE | EXCLUSIVE) == 0;
        Some(word & FRAME).filter(|frame| is_zero && *frame != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_a_page_has() {
        for (word, zero, page) in [
            (0, None, Page::Untouched),
            (SWAPPED | 5, None, Page::Swapped),
            (PRESENT | EXCLUSIVE | 7, Some(7), Page::Resident),
            (PRESENT | 7, Some(7), Page::Untouched),
            // Shared since a fork, or of an unknown frame.
            (PRESENT | 8, Some(7), Page::Resident),
            (PRESENT, None, Page::Resident),
            // The huge page of zeroes, as some kernels have it.
            (PRESENT | OF_FILE | 9, None, Page::Untouched),
        ] {
            assert_eq!(kind(word, zero), page, "{word:#x}");
        }
    }

    /// Both ways say the same of this program's own pages, untouched, read and written to.
    #[test]
    fn words_and_runs_agree() {
        let page = procfs::page_size();
        let mut memory = vec![0_u8; 4 << 20];
        for place in (0..2 << 20).step_by(2 * page as usize) {
            memory[place] = 1;
        }
        let read: usize = memory[3 << 20..]
            .iter()
            .step_by(page as usize)
            .map(|it| usize::from(*it))
            .sum();
        assert_eq!(read, 0);
        let start = (memory.as_ptr() as u64).next_multiple_of(page);
        let pagemap = File::open("/proc/self/pagemap").expect("the page map");
        let count = (4 << 20) / page as usize - 1;
        let words = pages(&pagemap, start, count, page).expect("words");
        let Some(runs) = super::super::scan::pages(&pagemap, start, count, page) else {
            return;
        };
        let is = |kind: Page| move |it: &&Page| **it == kind;
        assert!(runs.iter().filter(is(Page::Resident)).count() >= count / 4);
        assert!(runs.iter().filter(is(Page::Untouched)).count() >= count / 4);
        // A reader without the right to know frames takes zeroes for memory.
        if zero_frame().is_some() {
            assert_eq!(words, runs);
        }
    }
}
