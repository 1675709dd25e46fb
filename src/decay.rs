//! What lies unused, and how much of it goes: only arithmetic.
//!
//! # Invariant
//!
//! What was needed within the last step of time never goes.
#![forbid(unsafe_code)]

/// Steps of time in `purge_ms`, in which what is unused has mostly gone.
pub(crate) const STEPS: u32 = 8;

/// The time that a purge accounts for, in steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed {
    /// Since the last round.
    pub(crate) steps: u32,
    /// Since anybody took or gave anything, 0 if somebody did within the last step.
    pub(crate) quiet: u32,
}

impl Elapsed {
    /// Everything that is unused goes.
    pub(crate) const FOR_EVER: Self = Self {
        steps: u32::MAX,
        quiet: u32::MAX,
    };

    /// Everything that is unused goes, but for what the program wants kept.
    pub(crate) const AT_REST: Self = Self {
        steps: u32::MAX,
        quiet: u32::MAX - 1,
    };

    /// Whether nothing has happened for so long that nobody's objects count as needed.
    pub(crate) fn is_long(self) -> bool {
        self.quiet >= STEPS
    }

    /// Whether everything goes, as it does when memory is short.
    pub(crate) fn is_for_ever(self) -> bool {
        self.quiet == u32::MAX
    }

    /// Whether even the rest is not worth keeping.
    fn is_longest(self) -> bool {
        self.quiet >= STEPS + STEPS / 2
    }
}

/// The lowest level of a cache since the last purge: what nobody needed of it. All zero is a cache that was
/// empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LowWatermark(usize);

impl LowWatermark {
    /// That of an empty cache.
    pub(crate) const fn none() -> Self {
        Self(0)
    }

    /// Records that the cache has sunk to `level`.
    #[inline]
    pub(crate) fn lower(&mut self, level: usize) {
        self.0 = self.0.min(level);
    }

    /// Returns how much of a cache that is at `level` goes now: of what was unused three quarters stay for each
    /// step, but at least `least` goes.
    pub(crate) fn excess(&mut self, level: usize, elapsed: Elapsed, least: usize) -> usize {
        let (unused, steps) = match elapsed.quiet {
            0 => (self.0.min(level), elapsed.steps),
            quiet => (level, quiet),
        };
        let kept = match elapsed.is_longest() {
            true => 0,
            false => kept(unused, steps, least),
        };
        let excess = unused - kept;
        // What is not done by the next round shows again then.
        self.0 = level;
        excess
    }
}

/// What a call of the program's spends on a purge, in tenths of a microsecond as a slow machine needs them.
const CALL: usize = 5_000;
/// A slab, a pageblock, a cache node or a bin that is looked at.
const VISIT: usize = 2;
/// An object that goes from a sheaf to its slab.
const OBJECT_SHARE: usize = 4;
/// A system call, and a page whose memory it gives back.
const RELEASE: usize = 20;
const PAGE: usize = 5;
/// Pages that are given back at once, at least.
const LEAST_PAGES: usize = 64;

/// How much a purge may still do before the call that it runs in returns.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    /// For a thread that nobody waits for.
    pub(crate) const fn unlimited() -> Self {
        Self { left: usize::MAX }
    }

    /// For a call of the program's: half a millisecond.
    pub(crate) const fn of_a_call() -> Self {
        Self { left: CALL }
    }

    /// For the end of a thread: eight milliseconds.
    pub(crate) const fn of_an_exit() -> Self {
        Self { left: 16 * CALL }
    }

    /// Something was looked at.
    pub(crate) fn visit(&mut self) {
        self.spend(VISIT);
    }

    /// Objects went from a sheaf to their slabs.
    pub(crate) fn flush(&mut self, objects: usize) {
        self.spend(objects / OBJECT_SHARE);
    }

    /// The memory of neighbouring pages went back.
    pub(crate) fn release(&mut self, pages: usize) {
        self.spend(RELEASE);
        self.spend_pages(pages);
    }

    /// Pages lost their memory.
    pub(crate) fn spend_pages(&mut self, pages: usize) {
        self.spend(pages * PAGE);
    }

    /// Whether nothing more may be done.
    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Pages that may be given back at once.
    pub(crate) fn pages(&self) -> usize {
        (self.left / PAGE).max(LEAST_PAGES)
    }

    /// How many looks the time that was spent of an unlimited budget is worth.
    #[cfg(test)]
    pub(crate) fn visits(&self) -> usize {
        (usize::MAX - self.left) / VISIT
    }

    fn spend(&mut self, time: usize) {
        // Without a limit there is more of it than anybody can spend.
        self.left = self.left.saturating_sub(time);
    }
}

fn kept(unused: usize, steps: u32, least: usize) -> usize {
    let mut kept = unused;
    for _ in 0..steps {
        if kept == 0 {
            break;
        }
        kept = kept.saturating_sub((kept / 4).max(least));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(steps: u32) -> Elapsed {
        Elapsed { steps, quiet: 0 }
    }

    #[test]
    fn what_is_used_in_turns_stays() {
        let mut low = LowWatermark::default();
        for _ in 0..100 {
            assert_eq!(low.excess(1000, after(1), 10), 0);
            low.lower(0);
        }
    }

    #[test]
    fn what_nobody_needs_goes_on_a_smooth_curve_and_to_the_end() {
        let (mut low, mut level) = (LowWatermark::default(), 100_000);
        assert_eq!(low.excess(level, after(1), 100), 0);
        let mut before = usize::MAX;
        for step in 1..=40 {
            let excess = low.excess(level, after(1), 100);
            assert!(excess <= before && excess >= level.min(100), "step {step}");
            (level, before) = (level - excess, excess);
            if step == STEPS {
                assert!((5_000..15_000).contains(&level), "{level} are left");
            }
        }
        assert_eq!(level, 0);
    }

    #[test]
    fn steps_at_once_do_what_single_ones_do() {
        let (mut once, mut level) = (LowWatermark(8_000), 8_000);
        let at_once = once.excess(level, after(3), 1);
        let mut single = LowWatermark(8_000);
        for _ in 0..3 {
            level -= single.excess(level, after(1), 1);
        }
        assert_eq!(at_once, 8_000 - level);
    }

    #[test]
    fn a_quiet_time_counts_for_all_there_is() {
        let mut low = LowWatermark(0);
        let quiet = Elapsed {
            steps: 1,
            quiet: 16,
        };
        assert_eq!(low.excess(1 << 18, quiet, 64), 1 << 18);
        let quiet = Elapsed { steps: 1, quiet: 8 };
        let excess = low.excess(1 << 18, quiet, 64);
        assert!(excess > (1 << 18) * 85 / 100 && excess < 1 << 18);
        assert_eq!(LowWatermark(0).excess(77, Elapsed::FOR_EVER, 1), 77);
    }
}
