//! Spans of large blocks, which are known by their first page, and grow and shrink where they are.
#![forbid(unsafe_code)]

use super::record::Head;
use super::{Arena, NotASpan, State, Use};
use crate::units::{BLOCK_PAGES, PageIndex};

impl Arena {
    /// Gives the large span that begins at `page` back; its length.
    pub(crate) fn give_large(&self, page: PageIndex) -> Result<u32, NotASpan> {
        let mut state = self.state.lock();
        let head = self.large_head(&state, page)?;
        if self.is_changed(page, head.pages) {
            drop(state);
            if !self.renew(page, head.pages) {
                return Ok(head.pages);
            }
            state = self.state.lock();
            // Freed twice at once, perhaps.
            self.large_head(&state, page)?;
        }
        self.map.set_head(page, None);
        self.account_free(page, head.pages);
        state.buddy.give_run(&self.map, page, head.pages);
        Ok(head.pages)
    }

    /// The length in pages of the large span that begins at `page`.
    pub(crate) fn large_pages(&self, page: PageIndex) -> Result<u32, NotASpan> {
        let state = self.state.lock();
        self.large_head(&state, page).map(|head| head.pages)
    }

    /// Makes the large span at `page` `pages` long without moving it; `false` leaves it as it was.
    pub(crate) fn resize(&self, page: PageIndex, pages: u32) -> bool {
        let mut state = self.state.lock();
        let Ok(head) = self.large_head(&state, page) else {
            return false;
        };
        let (old_end, new_end) = (page.plus(head.pages), page.plus(pages));
        if pages > head.pages {
            let more = pages - head.pages;
            if page.in_block() + pages > BLOCK_PAGES {
                return false;
            }
            if new_end.0 > state.committed {
                // After the last span there is memory that nobody has committed yet.
                drop(state);
                if !self.commit_to(new_end.0) {
                    return false;
                }
                state = self.state.lock();
            }
            if self.is_changed(old_end, more) || !state.buddy.take_run(&self.map, old_end, more) {
                return false;
            }
            if !self.afford(old_end, more) {
                state.buddy.give_run(&self.map, old_end, more);
                return false;
            }
            self.account_lent(&mut state, old_end, more, head.used_for);
        } else {
            self.account_free(page, head.pages - pages);
            state.buddy.give_run(&self.map, new_end, head.pages - pages);
        }
        self.map.set_head(page, Some(Head { pages, ..head }));
        true
    }

    fn large_head(&self, state: &State, page: PageIndex) -> Result<Head, NotASpan> {
        if page.0 >= state.committed {
            return Err(NotASpan::Beyond);
        }
        match self.map.head(page) {
            Some(head) if head.used_for == Use::Large => Ok(head),
            _ if self.map.free_block_of(page).is_some() => Err(NotASpan::Free),
            _ if state.release.is_some_and(|pages| pages.has(page)) => Err(NotASpan::Free),
            _ => Err(NotASpan::Inside),
        }
    }
}
