//! Requests that pass the limit: what must not fail does not fail because of a number.
//!
//! # Invariant
//!
//! What was granted beyond the limit for one request is withdrawn when it has been served, as far as it is left.
#![forbid(unsafe_code)]

use super::Heap;

/// What a request may need beside its own bytes: a step of the arena, tables, a sheaf.
const BESIDE: usize = 1 << 20;
/// Other threads may be faster.
const ATTEMPTS: usize = 8;

impl Heap {
    /// Takes something of `bytes` by `take` although the process's limit forbids it; `None` where there is no limit, and where the
    /// system has no memory either.
    // Not a frame of its own below the callers', whose stack is the program's.
    #[inline(always)]
    pub(crate) fn take_beyond_limit<T>(
        &self,
        bytes: usize,
        take: impl Fn() -> Option<T>,
    ) -> Option<T> {
        let budget = self.budget()?;
        for _ in 0..ATTEMPTS {
            let granted = bytes.saturating_add(BESIDE);
            budget.refund(granted);
            let taken = take();
            let is_used_up = budget.left() < bytes;
            self.renew(budget, 0);
            if taken.is_some() || !is_used_up {
                return taken;
            }
        }
        None
    }
}
