//! How often locks are taken and how long they are held, by the place in the source that takes them: a build with
//! `--cfg counted` counts, in every other build there is nothing.
#![forbid(unsafe_code)]

#[cfg(not(counted))]
pub(super) use absent::Hold;
#[cfg(counted)]
pub(super) use present::Hold;
#[cfg(counted)]
pub(crate) use present::{each_count, ticks_in_a_millisecond};

#[cfg(not(counted))]
mod absent {
    /// That a lock is held.
    #[derive(Debug)]
    pub(in crate::sync) struct Hold;

    impl Hold {
        /// A lock was taken.
        #[inline(always)]
        pub(in crate::sync) const fn begin() -> Self {
            Self
        }

        /// It was given back.
        #[inline(always)]
        pub(in crate::sync) const fn end(&self) {}
    }
}

#[cfg(counted)]
mod present {
    use core::panic::Location;
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use crate::sync::StaticRef;
    use crate::sys;

    /// Places that take locks, at most; what does not fit is counted at the last of them.
    const PLACES: usize = 256;

    static COUNTS: [Counts; PLACES] = [const { Counts::new() }; PLACES];
    static START: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

    // ORDERING: relaxed throughout this file: sums.

    /// What was counted at one place.
    #[derive(Debug)]
    pub(crate) struct Counts {
        place: StaticRef<Location<'static>>,
        /// How often a lock was taken.
        taken: AtomicU64,
        /// For how long it was held, in ticks of the processor's clock, all together and at most.
        held: AtomicU64,
        longest: AtomicU64,
    }

    impl Counts {
        const fn new() -> Self {
            Self {
                place: StaticRef::none(),
                taken: AtomicU64::new(0),
                held: AtomicU64::new(0),
                longest: AtomicU64::new(0),
            }
        }

        /// How often, for how long in all, and for how long at most.
        pub(crate) fn numbers(&self) -> [u64; 3] {
            [&self.taken, &self.held, &self.longest].map(|number| number.load(Relaxed))
        }
    }

    /// That a lock is held.
    #[derive(Debug)]
    pub(in crate::sync) struct Hold {
        counts: &'static Counts,
        since: u64,
    }

    impl Hold {
        /// A lock was taken by the caller's caller.
        #[track_caller]
        pub(in crate::sync) fn begin() -> Self {
            let place = Location::caller();
            let is_it = |counts: &&Counts| match counts.place.get() {
                Some(known) => core::ptr::eq(known, place),
                // Where two threads come at once, some acquisitions count for the wrong place.
                None => {
                    counts.place.set(Some(place));
                    true
                }
            };
            let counts = COUNTS.iter().find(is_it).unwrap_or(&COUNTS[PLACES - 1]);
            counts.taken.fetch_add(1, Relaxed);
            if START[0].load(Relaxed) == 0 {
                START[0].store(sys::ticks(), Relaxed);
                START[1].store(sys::milliseconds(), Relaxed);
            }
            let since = sys::ticks();
            Self { counts, since }
        }

        /// It was given back.
        pub(in crate::sync) fn end(&self) {
            let ticks = sys::ticks().saturating_sub(self.since);
            self.counts.held.fetch_add(ticks, Relaxed);
            self.counts.longest.fetch_max(ticks, Relaxed);
        }
    }

    /// Shows what was counted at each place, its file and its line.
    pub(crate) fn each_count(mut show: impl FnMut(&'static str, u32, &Counts)) {
        for counts in &COUNTS {
            if let Some(place) = counts.place.get() {
                show(place.file(), place.line(), counts);
            }
        }
    }

    /// How fast the processor's clock goes.
    pub(crate) fn ticks_in_a_millisecond() -> u64 {
        let ticks = sys::ticks().saturating_sub(START[0].load(Relaxed));
        let time = sys::milliseconds().saturating_sub(START[1].load(Relaxed));
        ticks.checked_div(time).unwrap_or(0)
    }
}
