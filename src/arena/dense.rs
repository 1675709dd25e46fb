//! Huge pages for slabs: the kernel may back their pageblocks with pages of 2 MiB where an arena has become large.
//!
//! Slabs are filled from their beginnings on, one beside the other, so their pageblocks are dense; large blocks may be
//! touched here and there. What a huge page brings too early is at most that one page, which is little beside what such an
//! arena has. See the kernel's `Documentation/admin-guide/mm/transhuge.rst`.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Arena;
use super::kind::Kind;
use super::record::HALVES;
use crate::sys::HugePages;
use crate::units::{BLOCK_PAGES, PageIndex};

/// Slabs get huge pages from this pageblock on: of 128 MiB an untouched half of a huge page is less than one per cent.
pub(super) const DENSE_FROM: u32 = 32 * BLOCK_PAGES;
/// How often in the life of an arena a pageblock may be advised that follows one that is not: each is up to two mappings
/// more.
pub(super) const MOST_RUNS: u32 = 1_024;

impl Arena {
    /// Tells the kernel whether the pageblock of a span that was taken is dense now, if it is not what it was told.
    pub(super) fn advise(&self, page: PageIndex) {
        if page.0 < DENSE_FROM || self.data.huge_pages() != HugePages::Auto {
            return;
        }
        let record = self.map.record(page);
        let first = PageIndex(page.0 - page.in_block());
        let is_dense = record.kind() == Kind::Slabs;
        let before = self.map.record(PageIndex(first.0 - BLOCK_PAGES));
        let is_run = is_dense && !record.is_dense(0) && !before.is_dense(HALVES - 1);
        // ORDERING: relaxed, a number that bounds another.
        if is_run && self.dense_runs.load(Relaxed) >= MOST_RUNS || !record.set_all_dense(is_dense) {
            return;
        }
        if is_run {
            self.dense_runs.fetch_add(1, Relaxed);
        }
        let end = first.plus(BLOCK_PAGES).offset().min(self.data.bytes());
        self.data.set_huge_pages(first.offset(), end, is_dense);
    }

    /// Whether any pageblock was ever to be backed with huge pages.
    pub(crate) fn is_dense(&self) -> bool {
        // ORDERING: relaxed, as above.
        self.dense_runs.load(Relaxed) > 0
    }
}
