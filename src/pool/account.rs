//! What a pool may use: its own limit and those of the pools above it.
//!
//! # Invariant
//!
//! A pool's account has what it has charged itself, `own`, and what the pools below it have. No charge passes a limit. What came back is
//! kept as `slack`, a batch at most, which is charged still; so used is less than charged by that and by what is at hand.
//! `own` and `slack` are changed by the holder of the pool.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::layout::{Row, fields};
use crate::sync::StaticRef;

/// Bytes that come back before accounts are notified.
const BATCH: usize = 32 << 10;

/// A pool's account.
#[derive(Debug)]
pub(super) struct Account {
    /// The most bytes that may be charged.
    pub(super) limit: AtomicUsize,
    /// What is charged.
    charged: AtomicUsize,
    /// Of that, what the pool itself has charged, and what of that is not used.
    own: AtomicUsize,
    slack: AtomicUsize,
    /// That of the pool above.
    parent: StaticRef<Account>,
}

impl Account {
    /// Where its fields lie, for readers outside of the process.
    pub(super) const LAYOUT: &[Row] = fields!(Self as "pool_account" {
        limit, charged, own, slack, parent,
    });
}

// ORDERING: relaxed throughout this file: numbers that order nothing, and `parent` is written before anybody has the handle.

impl Account {
    /// Charges at least `least` bytes and at most `wanted`, halved as long as a limit forbids it; returns how many, 0 if even the least
    /// would pass a limit.
    pub(super) fn charge(&self, least: usize, wanted: usize) -> usize {
        let slack = self.slack.load(Relaxed);
        if slack >= wanted {
            self.slack.store(slack - wanted, Relaxed);
            return wanted;
        }
        let mut bytes = wanted;
        loop {
            if self.reserve(bytes) {
                return bytes;
            }
            if bytes == least {
                break;
            }
            bytes = (bytes / 2).max(least);
        }
        if slack >= least {
            self.slack.store(slack - least, Relaxed);
            return least;
        }
        self.settle();
        if self.reserve(least) { least } else { 0 }
    }

    /// Whether the pool's own limit allows for as many bytes more.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let sum = self.charged.load(Relaxed).checked_add(bytes);
        sum.is_some_and(|sum| sum <= self.limit.load(Relaxed))
    }

    /// Charges bytes whatever the limits say, that somebody has already.
    #[cold]
    pub(super) fn charge_anyway(&self, bytes: usize) {
        self.own.store(self.own.load(Relaxed) + bytes, Relaxed);
        self.each(|account| {
            account.charged.fetch_add(bytes, Relaxed);
        });
    }

    /// Takes back what was charged and is not used.
    #[inline]
    pub(super) fn uncharge(&self, bytes: usize) {
        let slack = self.slack.load(Relaxed) + bytes;
        self.slack.store(slack, Relaxed);
        if slack > BATCH {
            self.settle();
        }
    }

    /// Has all accounts know what is not used.
    #[cold]
    pub(super) fn settle(&self) {
        let slack = self.slack.swap(0, Relaxed);
        self.own.store(self.own.load(Relaxed) - slack, Relaxed);
        self.each(|account| {
            account.charged.fetch_sub(slack, Relaxed);
        });
    }

    /// Takes back all that the pool itself has charged.
    pub(super) fn clear(&self) {
        self.slack.store(self.own.load(Relaxed), Relaxed);
        self.settle();
    }

    /// Bytes that this pool and those below it use, if `ready` of this one's are at hand.
    pub(super) fn used(&self, ready: usize) -> usize {
        let idle = self.slack.load(Relaxed) + ready;
        self.charged.load(Relaxed).saturating_sub(idle)
    }

    /// What the pool itself has charged and does use or have at hand.
    pub(super) fn own_used(&self) -> usize {
        let slack = self.slack.load(Relaxed);
        self.own.load(Relaxed).saturating_sub(slack)
    }

    /// An account of a new pool.
    pub(super) fn open(&self, limit: usize, parent: Option<&'static Self>) {
        self.limit.store(limit, Relaxed);
        self.charged.store(0, Relaxed);
        self.own.store(0, Relaxed);
        self.slack.store(0, Relaxed);
        self.parent.set(parent);
    }

    /// Charges all accounts from this one upwards, or none.
    fn reserve(&self, bytes: usize) -> bool {
        let mut account = self;
        loop {
            let limit = account.limit.load(Relaxed);
            let add = |charged: usize| charged.checked_add(bytes).filter(|sum| *sum <= limit);
            if account.charged.fetch_update(Relaxed, Relaxed, add).is_err() {
                break;
            }
            let Some(parent) = account.parent.get() else {
                self.own.store(self.own.load(Relaxed) + bytes, Relaxed);
                return true;
            };
            account = parent;
        }
        let refused = account;
        let mut account = self;
        while !core::ptr::eq(account, refused) {
            account.charged.fetch_sub(bytes, Relaxed);
            match account.parent.get() {
                Some(parent) => account = parent,
                None => break,
            }
        }
        false
    }

    fn each(&self, mut change: impl FnMut(&Self)) {
        change(self);
        let mut parent = self.parent.get();
        while let Some(account) = parent {
            change(account);
            parent = account.parent.get();
        }
    }
}
