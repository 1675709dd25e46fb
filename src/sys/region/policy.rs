//! Where a region's pages come from, and what the kernel is told of them.
#![forbid(unsafe_code)]

use super::Region;
use crate::sys::{HugePages, Policy, huge_pages};

impl Region {
    /// Has the region's pages come from where `policy` says, from now on.
    pub(crate) fn place(&mut self, policy: Policy) -> bool {
        let (base, bytes) = (self.address(), self.bytes());
        self.backing.place(policy, base, bytes)
    }

    /// Has pages that are committed from now on come from where `policy` says.
    pub(crate) fn place_what_is_committed(&mut self, policy: Policy) {
        self.backing.place_what_is_committed(policy);
    }

    /// Tells the kernel whether huge pages are wanted from the offset `start` on.
    pub(crate) fn want_huge_pages(&mut self, wanted: HugePages, start: usize) {
        let (base, bytes) = (self.address(), self.bytes());
        self.backing.want_huge_pages(wanted, start, base, bytes);
    }

    /// What was said of huge pages for all of it.
    pub(crate) fn huge_pages(&self) -> HugePages {
        self.backing.huge_pages()
    }

    /// Tells the kernel whether a part may be backed with huge pages.
    pub(crate) fn set_huge_pages(&self, start: usize, end: usize, is_dense: bool) {
        let wanted = [HugePages::Never, HugePages::Always][usize::from(is_dense)];
        huge_pages::advise(self.address() + start, end - start, wanted);
    }

    /// Pages of a part, as long as a huge page at most, that have memory; 0 where the kernel does not tell.
    pub(crate) fn present_pages(&self, start: usize, end: usize) -> usize {
        huge_pages::present_pages(self.address() + start, end - start)
    }

    /// Leaves what is after the first `head` bytes out of core files until it is committed. Returns whether the kernel knows
    /// how.
    pub(crate) fn leave_out_of_dumps(&mut self, head: usize) -> bool {
        let (base, bytes) = (self.address(), self.bytes());
        self.backing.leave_out_of_dumps(head, base, bytes)
    }

    /// Tells the kernel again what it was told of a part that is a new reservation.
    pub(in crate::sys) fn note_reservation(&self, start: usize, end: usize) {
        self.backing.note_reservation(self.address(), start, end);
    }
}
