//! How many requests were refused and by whom, and the limit that holds.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::Heap;
use crate::limit;
use crate::report::Line;
use crate::slab::Request;
use crate::sys::usdt;
use crate::units::{MIN_ALIGN, Zeroed};

/// Room for the name of what sets the limit; of a longer one the end is shown.
const SOURCE_BYTES: usize = 120;
const CUT: &str = "...";

/// Requests that were refused.
#[derive(Debug)]
pub(super) struct Refusals {
    by_limit: AtomicUsize,
    by_system: AtomicUsize,
}

/// The limit on memory in use.
#[derive(Clone, Copy, Debug)]
pub struct LimitStats {
    /// Bytes that are never exceeded, or above which memory is short if there is no such limit; `None` without either.
    pub bytes: Option<usize>,
    /// Requests that were refused because of it.
    pub refused: usize,
    /// Requests that were refused because the system had no memory or addresses for them.
    pub refused_by_system: usize,
}

// ORDERING: relaxed, counts for statistics.

impl Refusals {
    pub(super) const fn new() -> Self {
        Self {
            by_limit: AtomicUsize::new(0),
            by_system: AtomicUsize::new(0),
        }
    }
}

impl Heap {
    /// Counts a request of `bytes` that got nothing.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_refusal(&self, bytes: usize) {
        let Some(request) = Request::new(bytes, MIN_ALIGN, Zeroed::No) else {
            return usdt::oom(bytes);
        };
        if self.lacks_budget(request.memory()) {
            self.refusals.by_limit.fetch_add(1, Relaxed);
            usdt::limit(bytes, self.bounds.numbers().hard);
        } else {
            self.refusals.by_system.fetch_add(1, Relaxed);
            usdt::oom(bytes);
        }
    }

    /// The limit that holds, as it was when it was last looked at, and what was refused.
    pub(crate) fn limit_stats(&self) -> LimitStats {
        let numbers = self.bounds.numbers();
        LimitStats {
            bytes: [numbers.hard, numbers.soft]
                .into_iter()
                .find(|bytes| *bytes != usize::MAX),
            refused: self.refusals.by_limit.load(Relaxed),
            refused_by_system: self.refusals.by_system.load(Relaxed),
        }
    }

    /// Appends where the limit comes from to `line`.
    #[inline(never)]
    pub(crate) fn limit_source<const N: usize>(&self, line: &mut Line<N>) {
        if self.bounds.chosen().is_some() {
            line.text("slubctl");
            return;
        }
        let Some(group) = self.bounds.limit().group() else {
            line.text("SLUBMALLOC_CONF");
            return;
        };
        let tightest = match self.bounds.may_read() {
            true => group.tightest(&mut limit::read_file),
            false => None,
        };
        let Some((directory, name)) = tightest else {
            line.text("the memory cgroup");
            return;
        };
        let cut = (directory.len() + name.len()).saturating_sub(SOURCE_BYTES);
        if cut > 0 {
            line.text(CUT);
        }
        line.raw(directory.get(cut..).unwrap_or_default())
            .text(name);
    }

    /// Prints the limit that holds, where it comes from, and what was refused.
    #[inline(never)]
    pub(crate) fn print_limit<const N: usize>(&self, line: &mut impl FnMut(&dyn Fn(&mut Line<N>))) {
        let limit = self.limit_stats();
        line(&|it| {
            it.text("  limit").column(32);
            match limit.bytes {
                Some(bytes) => it.padded(bytes / 1024, 12),
                None => it.text("        none"),
            };
        });
        if limit.bytes.is_some() {
            line(&|it| {
                it.text("  limit set by").column(36);
                self.limit_source(it);
            });
        }
        for (name, count) in [
            ("requests refused by the limit", limit.refused),
            ("refused by the system", limit.refused_by_system),
        ] {
            line(&|it| {
                it.text("  ").text(name).column(32).padded(count, 12);
            });
        }
    }
}
