//! Huge pages for slabs: the kernel may back their pageblocks with pages of 2 MiB where an arena has become large.
//!
//! Slabs are filled from their beginnings on, one beside the other, so their pageblocks are dense; large blocks may be
//! touched here and there. What a huge page brings too early is at most that one page, which is little beside what such an
//! arena has. See the kernel's `Documentation/admin-guide/mm/transhuge.rst`.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Arena;
use super::kind::Kind;
use crate::units::{BLOCK_PAGES, PageIndex};

/// Slabs get huge pages from this pageblock on: of 128 MiB an untouched half of a huge page is less than one per cent.
const DENSE_FROM: u32 = 32 * BLOCK_PAGES;
/// How often an advised pageblock may follow one that is not: each such place is a mapping more.
const MOST_RUNS: u32 = 1_024;

impl Arena {
    /// Has the pageblock of a slab's `page` backed with huge pages, if that is wanted and was not said yet.
    pub(super) fn make_dense(&self, page: PageIndex) {
        if page.0 < DENSE_FROM {
            return;
        }
        let record = self.map.record(page);
        if record.kind() != Kind::Slabs || record.is_dense() {
            return;
        }
        let first = PageIndex(page.0 - page.in_block());
        let follows = self.map.record(PageIndex(first.0 - BLOCK_PAGES)).is_dense();
        // ORDERING: relaxed, a number that bounds another.
        if !follows && self.dense_runs.load(Relaxed) >= MOST_RUNS || !record.set_dense(true) {
            return;
        }
        if !follows {
            self.dense_runs.fetch_add(1, Relaxed);
        }
        let end = first.plus(BLOCK_PAGES).offset().min(self.data.bytes());
        self.data.back_with_huge_pages(first.offset(), end);
    }
}
