//! The limit that is kept to, and who may change it.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::Bounds;
use crate::limit::{Limit, Numbers};
use crate::sync::{Lock, StaticRef};
use crate::sys;

// ORDERING: relaxed, see the module above.

impl Bounds {
    pub(in crate::heap) fn new(limit: Limit) -> Self {
        let Numbers { hard, soft } = limit.numbers();
        Self {
            limit,
            chosen: AtomicUsize::new(0),
            hard: AtomicUsize::new(hard),
            soft: AtomicUsize::new(soft),
            budget: StaticRef::none(),
            is_tight: AtomicBool::new(false),
            renewing: Lock::new(()),
            renewals: AtomicU32::new(0),
            read_at: AtomicU64::new(0),
            relieving: Lock::new(()),
            relieved_at: AtomicU64::new(0),
            relief_due: AtomicU64::new(0),
            refused_at: AtomicU64::new(u64::MAX),
            refused_own: AtomicUsize::new(0),
            was_filtered: sys::is_filtered(),
        }
    }

    /// Takes the locks, to hold them across a fork.
    pub(in crate::heap) fn hold_for_fork(&self) {
        self.relieving.hold_for_fork();
        self.renewing.hold_for_fork();
    }

    /// The limit when it was last looked at.
    pub(in crate::heap) fn numbers(&self) -> Numbers {
        Numbers {
            hard: self.hard.load(Relaxed),
            soft: self.soft.load(Relaxed),
        }
    }

    /// Who says how much may be resident.
    pub(in crate::heap) fn limit(&self) -> &Limit {
        &self.limit
    }

    /// Whether files may be read: a program that locked itself in may be killed for opening one.
    pub(in crate::heap) fn may_read(&self) -> bool {
        let has_group = self.limit.group().is_some() && self.chosen().is_none();
        has_group && (self.was_filtered || !sys::is_filtered())
    }

    /// The limit that was chosen while the program runs, if one was.
    pub(in crate::heap) fn chosen(&self) -> Option<Numbers> {
        match self.chosen.load(Relaxed) {
            0 => None,
            bytes => Some(Numbers::of(bytes)),
        }
    }
}
