//! Whether an arena's tables agree.
#![forbid(unsafe_code)]

use super::Arena;
use crate::report::{check, internal_error};
use crate::sys::page_size;
use crate::units::{PAGE_SIZE, PageIndex};

impl Arena {
    /// Checks that every committed page is free or in exactly one span; aborts otherwise.
    pub(crate) fn validate(&self) {
        let state = self.state.lock();
        state.buddy.validate(&self.map, state.committed);
        let mut page = PageIndex(0);
        let (mut used, mut dirty) = (0, 0);
        while page.0 < state.committed {
            match (self.map.free_block_of(page), self.map.head(page)) {
                (Some((_, order)), None) => {
                    let pages = self.map.dirty_pages(page, order.pages()) as usize;
                    let is_known = pages == 0 || self.map.is_dirty(page) || is_coarse();
                    check(is_known, "dirty pages are forgotten");
                    dirty += pages;
                    page = page.plus(order.pages());
                }
                (None, Some(head)) => {
                    used += u64::from(head.pages);
                    page = page.plus(head.pages);
                }
                _ => internal_error("a page is free and used, or neither"),
            }
        }
        check(
            used + state.buddy.free_pages() == u64::from(state.committed),
            "pages are lost",
        );
        check(dirty == self.dirty_pages(), "dirty pages are miscounted");
    }
}

/// Whether a page of the operating system is several of ours, of which one that is used keeps the memory of all.
fn is_coarse() -> bool {
    page_size() > PAGE_SIZE
}
