//! What the kernel is told of a region's pages: which nodes they come from, how large they are, and what core files hold of
//! them.
//!
//! # Invariant
//!
//! A part that becomes a new mapping is told all of it again, since the kernel forgets.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::policy::{self, Policy};
use super::{HugePages, dumps, huge_pages};

/// What is put into core files is this many times what is needed, so that it seldom happens.
const DUMPED_AHEAD: usize = 4;

/// What was told of a region. Parts are offsets from `base`, the region's address.
#[derive(Debug)]
pub(super) struct Backing {
    /// Where pages come from, if anybody cares.
    policy: Option<Policy>,
    /// Whether the policy is applied to what is committed, not to the whole reservation: each
    /// change of nodes is one of the mappings of which a process has a limited number.
    lazily: bool,
    /// Whether huge pages are wanted, and from which offset on.
    huge_pages: (HugePages, usize),
    /// The part from the start on that core files hold.
    dumped: AtomicUsize,
}

impl Backing {
    /// Nothing was told.
    pub(super) const fn new() -> Self {
        Self {
            policy: None,
            lazily: false,
            huge_pages: (HugePages::System, 0),
            dumped: AtomicUsize::new(usize::MAX),
        }
    }

    /// The same for the first of two parts, and for the second.
    pub(super) fn split(self) -> (Self, Self) {
        let (policy, lazily) = (self.policy, self.lazily);
        let first = Self {
            policy,
            lazily,
            huge_pages: self.huge_pages,
            ..Self::new()
        };
        let second = Self {
            policy,
            lazily,
            ..Self::new()
        };
        (first, second)
    }

    /// Has pages come from where `policy` says, from now on.
    pub(super) fn place(&mut self, policy: Policy, base: usize, bytes: usize) -> bool {
        self.policy = Some(policy);
        policy::apply(policy, base, base, bytes)
    }

    /// Has pages that are committed from now on come from where `policy` says.
    pub(super) fn place_what_is_committed(&mut self, policy: Policy) {
        self.policy = Some(policy);
        self.lazily = true;
    }

    /// Tells what it knows of a part that was reserved; the policy may be for the commitment to apply.
    pub(super) fn note_reservation(&self, base: usize, start: usize, end: usize) {
        self.advise(base, start, end);
        if !self.lazily {
            self.place_again(base, start, end);
        }
    }

    /// Tells what it knows of a part that was committed.
    pub(super) fn note_commitment(&self, base: usize, start: usize, end: usize) {
        if self.lazily {
            self.place_again(base, start, end);
        }
    }

    fn place_again(&self, base: usize, start: usize, end: usize) {
        if let Some(policy) = self.policy {
            let _ = policy::apply(policy, base, base + start, end - start);
        }
    }

    /// Tells whether huge pages are wanted in a region of `bytes` from the offset `start` on.
    pub(super) fn want_huge_pages(
        &mut self,
        wanted: HugePages,
        start: usize,
        base: usize,
        bytes: usize,
    ) {
        self.huge_pages = (wanted, start);
        self.advise(base, 0, bytes);
    }

    /// What was said of huge pages for all of it.
    pub(super) fn huge_pages(&self) -> HugePages {
        self.huge_pages.0
    }

    fn advise(&self, base: usize, start: usize, end: usize) {
        let (wanted, from) = self.huge_pages;
        let wanted = match wanted {
            HugePages::Auto => HugePages::Never,
            wanted => wanted,
        };
        let start = start.max(from).min(end);
        huge_pages::advise(base + start, end - start, wanted);
    }

    /// Leaves what is after the first `head` bytes, up to `bytes`, out of core files until it is committed. Returns whether the
    /// kernel knows how.
    pub(super) fn leave_out_of_dumps(&mut self, head: usize, base: usize, bytes: usize) -> bool {
        self.dumped = head.into();
        bytes <= head || dumps::leave_out(base + head, bytes - head)
    }

    /// Puts what is committed, up to `end`, into core files, and more of the region of `bytes`.
    pub(super) fn put_into_dumps(&self, end: usize, base: usize, bytes: usize) {
        // ORDERING: relaxed, written and read under the lock that commitments are under.
        let dumped = self.dumped.load(Relaxed);
        if end > dumped {
            let wanted = end.saturating_mul(DUMPED_AHEAD).min(bytes);
            // A sandbox that lets a heap grow has to know this advice as well; at the end of its addresses it was given six times.
            dumps::put_in(base + dumped, wanted - dumped);
            // ORDERING: as above.
            self.dumped.store(wanted, Relaxed);
        }
    }
}
