//! What may become resident until somebody looks at the limit again: one number that all arenas and mappings are charged to.
//!
//! # Invariant
//!
//! What was charged before a renewal, and after the look that it rests on, is taken off what is granted.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that may be taken; `usize::MAX` is no limit.
#[derive(Debug)]
pub(crate) struct Budget(AtomicUsize);

// ORDERING: relaxed; nothing is read through this number.

impl Budget {
    /// A budget of nothing.
    pub(crate) const fn empty() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Takes `bytes` out and returns `true`, if there are as many.
    pub(crate) fn charge(&self, bytes: usize) -> bool {
        self.change(|left| match left {
            usize::MAX => Some(left),
            _ => left.checked_sub(bytes),
        })
    }

    /// Puts bytes back that were charged and not taken.
    pub(crate) fn refund(&self, bytes: usize) {
        self.change(|left| match left {
            usize::MAX => Some(left),
            _ => Some(left.saturating_add(bytes).min(usize::MAX - 1)),
        });
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Grants `bytes` in place of what is left, after a look before which `seen` were left.
    pub(crate) fn renew(&self, seen: usize, bytes: usize) {
        self.change(|left| match bytes {
            usize::MAX => Some(usize::MAX),
            _ if seen == usize::MAX => Some(bytes),
            _ => Some(bytes.saturating_sub(seen.saturating_sub(left))),
        });
    }

    /// Makes of what is left what `change` says; `false` where that is nothing.
    fn change(&self, change: impl Fn(usize) -> Option<usize>) -> bool {
        let mut left = self.0.load(Relaxed);
        while let Some(next) = change(left) {
            if next == left {
                return true;
            }
            match self.0.compare_exchange(left, next, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => left = now,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_can_be_charged_and_no_more() {
        let budget = Budget::empty();
        assert!(budget.charge(0) && !budget.charge(1));
        budget.renew(0, 10);
        assert!(budget.charge(7) && !budget.charge(4) && budget.charge(3));
        budget.refund(2);
        assert_eq!(budget.left(), 2);
    }

    #[test]
    fn what_was_charged_during_a_renewal_is_taken_off() {
        let budget = Budget::empty();
        budget.renew(0, 10);
        let seen = budget.left();
        assert!(budget.charge(6));
        budget.renew(seen, 8);
        assert_eq!(budget.left(), 2);
        budget.renew(2, 0);
        assert_eq!(budget.left(), 0);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let budget = Budget::empty();
        budget.renew(0, usize::MAX);
        assert!(budget.charge(usize::MAX) && budget.charge(1));
        budget.refund(5);
        assert_eq!(budget.left(), usize::MAX);
        budget.renew(usize::MAX, 5);
        assert_eq!(budget.left(), 5);
    }
}
