//! Huge pages for slabs: the kernel may back their pageblocks with pages of 2 MiB where an arena has become large, and where
//! nearly all of the memory of slabs before them was used.
//!
//! One pageblock in so many gets no huge pages and tells of those behind it: where the kernel gave one, all of it is there,
//! used or not. See the kernel's `Documentation/admin-guide/mm/transhuge.rst`.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Arena;
use super::density::HALVES;
use super::kind::Kind;

use crate::sys::HugePages;
use crate::units::{BLOCK_PAGES, PageIndex};

/// Slabs get huge pages from this pageblock on: of 128 MiB an untouched half of a huge page is less than one per cent.
const DENSE_FROM: u32 = 32 * BLOCK_PAGES;
/// One pageblock in so many is a sample.
const SAMPLE: u32 = 8;
/// Pageblocks after which a sample has been filled, most likely.
const FILLED: u32 = 4;
/// How often in the life of an arena memory may be advised that follows memory that is not: each is up to two mappings
/// more.
const MOST_RUNS: u32 = 1_024;
/// Pages of a huge page, and of those that may be without memory where it counts as full.
pub(super) const HALF: u32 = BLOCK_PAGES / HALVES;
const SPARE: u32 = HALF / 64;

// ORDERING: relaxed throughout this file, a number that bounds another.

impl Arena {
    /// Tells the kernel whether the pageblock of a span that was taken is dense, when it becomes one of slabs or another.
    pub(super) fn advise(&self, page: PageIndex) {
        if page.0 < DENSE_FROM || self.data.huge_pages() != HugePages::Auto {
            return;
        }
        let record = self.map.record(page);
        let is_slabs = record.kind() == Kind::Slabs;
        if !record.density.set_judged(is_slabs) {
            return;
        }
        let block = page.0 / BLOCK_PAGES;
        let sample = PageIndex((block - FILLED) / SAMPLE * SAMPLE * BLOCK_PAGES);
        let is_dense = is_slabs
            && !block.is_multiple_of(SAMPLE)
            && self.map.record(sample).kind() == Kind::Slabs
            && (0..HALVES).all(|half| self.is_full(sample.plus(half * HALF)));
        let first = PageIndex(block * BLOCK_PAGES);
        for half in 0..HALVES {
            self.advise_half(first.plus(half * HALF), is_dense);
        }
    }

    /// Whether nearly all of the pages of a huge page have memory.
    pub(super) fn is_full(&self, start: PageIndex) -> bool {
        let present = self
            .data
            .present_pages(start.offset(), start.plus(HALF).offset());
        present >= (HALF - SPARE) as usize
    }

    /// Tells the kernel whether a huge page is wanted there, if that is news; whether there may be one.
    pub(super) fn advise_half(&self, start: PageIndex, is_wanted: bool) -> bool {
        let density = |page: PageIndex| (&self.map.record(page).density, page.in_block() / HALF);
        let (told, half) = density(start);
        if told.is_dense(half) == is_wanted {
            return true;
        }
        let end = start.plus(HALF).offset().min(self.data.bytes());
        if is_wanted {
            let below = PageIndex(start.0.saturating_sub(HALF));
            let (told, half) = density(below);
            let is_run = !told.is_dense(half);
            if is_run && self.scan.runs.fetch_add(1, Relaxed) >= MOST_RUNS {
                return false;
            }
        }
        told.set_dense(half, is_wanted);
        self.data.set_huge_pages(start.offset(), end, is_wanted);
        true
    }
}
