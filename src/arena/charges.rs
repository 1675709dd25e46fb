//! What becomes resident is charged to the limit's budget.
#![forbid(unsafe_code)]

use super::Arena;
use crate::limit::Budget;
use crate::units::{PAGE_SIZE, PageIndex};

impl Arena {
    /// Charges what becomes resident to `budget` from now on.
    pub(crate) fn charge_to(&self, budget: &'static Budget) {
        self.budget.set(Some(budget));
    }

    /// Charges the pages that have no memory yet, of those from `first` on, which are free; `false` if the limit leaves
    /// less.
    pub(super) fn afford(&self, first: PageIndex, pages: u32) -> bool {
        let Some(budget) = self.budget.get() else {
            return true;
        };
        let clean = pages - self.map.dirty_pages(first, pages);
        budget.charge(clean as usize * PAGE_SIZE)
    }
}
