//! Huge pages for slabs: the kernel may back their pageblocks with pages of 2 MiB where an arena has become large, and where
//! nearly all of the memory of slabs before them was used.
//!
//! One pageblock in 32 is a sample: it gets no huge pages and stands for those after it. Where the kernel gave one, all of
//! it is there, used or not; and it may make one of a few pages again that were left of one. So where memory goes back in
//! smaller pieces, the advice is withdrawn. See the kernel's `Documentation/admin-guide/mm/transhuge.rst`.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Arena;
use super::density::HALVES;
use super::kind::Kind;
use crate::sys::{HugePages, page_size};
use crate::units::{BLOCK_PAGES, PAGE_SIZE, PageIndex};

/// Slabs get huge pages from this pageblock on: of 128 MiB an untouched half of a huge page is less than one per cent.
const DENSE_FROM: u32 = 32 * BLOCK_PAGES;
/// One pageblock in this many is a sample.
const SAMPLE: u32 = 32;
/// Pageblocks after which a sample has been filled, most likely.
const FILLED: u32 = 4;
/// Where advice begins or ends there may be two mappings more, of which a process may have 65,530: this often in the life of an
/// arena it may begin, which is enough for 128 GiB with samples in between, and end.
const MOST_BEGINNINGS: u32 = 1_024;
const MOST_ENDS: u32 = 3_072;
/// Pages of a huge page, and of those that may be without memory where it counts as full. Classes whose slabs have more left
/// over at their ends get none.
const HALF: u32 = BLOCK_PAGES / HALVES;
const SPARE: u32 = HALF / 64;

// ORDERING: relaxed throughout this file, a number that bounds another.

impl Arena {
    /// Tells the kernel whether the pageblock of a span that was taken is dense, when it becomes one of slabs or another.
    pub(super) fn advise(&self, page: PageIndex) {
        if page.0 < DENSE_FROM || !self.has_advice() {
            return;
        }
        let record = self.map.record(page);
        let is_slabs = record.kind() == Kind::Slabs;
        if !record.density.set_slabs(is_slabs) {
            return;
        }
        let block = page.0 / BLOCK_PAGES;
        let is_dense = is_slabs && sample_of(block).is_some_and(|sample| self.is_full(sample));
        for half in 0..HALVES {
            self.advise_half(PageIndex(block * BLOCK_PAGES + half * HALF), is_dense);
        }
    }

    /// Withdraws the advice for the huge pages of which these pages lost their memory. One that lost all of it is looked at
    /// anew when slabs come there again.
    pub(crate) fn thin(&self, first: PageIndex, pages: u32) {
        if first.0 < DENSE_FROM || !self.has_advice() {
            return;
        }
        let end = first.0 + pages;
        for start in (first.0 / HALF * HALF..end).step_by(HALF as usize) {
            self.advise_half(PageIndex(start), false);
            if first.0 <= start && start + HALF <= end {
                self.map.record(PageIndex(start)).density.set_slabs(false);
            }
        }
    }

    /// Whether advice is given by the pageblock; it is for huge pages of 2 MiB.
    fn has_advice(&self) -> bool {
        self.data.huge_pages() == HugePages::Auto && page_size() == PAGE_SIZE
    }

    /// Whether a pageblock of slabs has nearly all of its memory.
    fn is_full(&self, block: u32) -> bool {
        let first = PageIndex(block * BLOCK_PAGES);
        let is_full = |half| {
            let start = first.plus(half * HALF);
            let pages = self
                .data
                .present_pages(start.offset(), start.plus(HALF).offset());
            pages >= (HALF - SPARE) as usize
        };
        self.map.record(first).kind() == Kind::Slabs && (0..HALVES).all(is_full)
    }

    /// Tells the kernel whether a huge page is wanted there, if it was told otherwise.
    fn advise_half(&self, start: PageIndex, is_wanted: bool) {
        let density = |page: PageIndex| (&self.map.record(page).density, page.in_block() / HALF);
        let (told, half) = density(start);
        if told.is_dense(half) == is_wanted {
            return;
        }
        let (below, other) = density(PageIndex(start.0.saturating_sub(HALF)));
        let most = if is_wanted {
            MOST_BEGINNINGS
        } else {
            MOST_ENDS
        };
        if below.is_dense(other) != is_wanted {
            if self.dense_edges.load(Relaxed) >= most {
                return;
            }
            self.dense_edges.fetch_add(1, Relaxed);
        }
        if told.set_dense(half, is_wanted) {
            let end = start.plus(HALF).offset().min(self.data.bytes());
            let start = start.offset().min(end);
            self.data.set_huge_pages(start, end, is_wanted);
            // Another thread may have withdrawn it in between.
            if is_wanted && !told.is_dense(half) {
                self.data.set_huge_pages(start, end, false);
            }
        }
    }
}

/// The sample for a pageblock; none for one that is a sample itself.
fn sample_of(block: u32) -> Option<u32> {
    let sample = block.checked_sub(FILLED)? / SAMPLE * SAMPLE;
    (!block.is_multiple_of(SAMPLE)).then_some(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_filled_before_the_first_that_it_tells_of() {
        assert_eq!([32, 64, 96].map(sample_of), [None; 3]);
        assert_eq!([33, 35, 36, 63].map(sample_of), [0, 0, 32, 32].map(Some));
        assert_eq!([65, 67, 68, 99].map(sample_of), [32, 32, 64, 64].map(Some));
        assert_eq!(sample_of(3), None);
    }
}
