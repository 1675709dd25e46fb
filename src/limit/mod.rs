//! How much memory this process may use: the limits of its container, or the user's, and when to look again.
//!
//! # Invariant
//!
//! What is granted never reaches above the hard limit less the reserve, as far as the usage was known.
#![forbid(unsafe_code)]

mod budget;
mod directory;
mod group;

pub(crate) use budget::Budget;
pub(crate) use group::Group;

use crate::sys;
use core::ffi::CStr;

/// What shows a file to a function, a piece at a time and as long as that returns `true`; `None` where there is no such
/// file. So nobody needs room for a whole file: usage is read on the stacks of the program's threads.
type Reader<'a> = dyn FnMut(&CStr, &mut Show<'_>) -> Option<()> + 'a;
/// What a piece is shown to.
type Show<'a> = dyn FnMut(&[u8]) -> bool + 'a;

/// In the place of a number of bytes: there is no limit.
const UNLIMITED: usize = usize::MAX;
/// Where no soft limit is set, this share of the hard one is left above it.
const SOFT_SHARE: usize = 8;
/// What is not the allocator's, as page tables and stacks, keeps this share of the hard limit.
const RESERVE_SHARE: usize = 64;
const MIN_RESERVE: usize = 1 << 20;
const MAX_RESERVE: usize = 16 << 20;
/// A grant is this share of what is left, so that others in the group, who are granted as much, leave something too.
const GRANT_SHARE: usize = 4;
/// The largest grant: who lowers the limit finds no more than this on its way to be taken.
const MOST_GRANT: usize = 64 << 20;
/// Above the soft limit a grant is at most this share of it.
const TIGHT_SHARE: usize = 64;

/// What a user may choose about the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitChoice {
    /// None.
    Off,
    /// That of the process's memory cgroup, if it has one at the start.
    Found,
    /// The same, and one that it gets later.
    Auto,
    /// This many bytes.
    Bytes(usize),
}

/// How much may be resident, in bytes; `UNLIMITED` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// What is never exceeded.
    pub(crate) hard: usize,
    /// Above this memory is short.
    pub(crate) soft: usize,
}

/// How much may be resident, and who says so.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    numbers: Numbers,
    /// Whose limits these are, if not only this process's.
    group: Option<Group>,
}

/// How much is in use, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// What counts against the hard limit.
    pub(crate) hard: usize,
    /// What counts against the soft limit, which may be that of a smaller or larger group.
    pub(crate) soft: usize,
}

impl Usage {
    /// As much against both limits.
    pub(crate) const fn of(bytes: usize) -> Self {
        Self {
            hard: bytes,
            soft: bytes,
        }
    }
}

/// What may become resident before somebody looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Bytes, what was needed among them if that fits.
    pub(crate) bytes: usize,
    /// Whether it does.
    pub(crate) fits: bool,
    /// Memory is short: what is kept for later should go back now.
    pub(crate) is_tight: bool,
}

impl Numbers {
    /// No limit.
    pub(crate) const NONE: Self = Self {
        hard: UNLIMITED,
        soft: UNLIMITED,
    };

    /// A hard limit, and the soft one that goes with it.
    pub(crate) const fn of(hard: usize) -> Self {
        Self {
            hard,
            soft: soft_of(hard),
        }
    }

    /// Whether there is a limit.
    pub(crate) const fn is_limited(self) -> bool {
        self.soft != UNLIMITED
    }

    /// Decides about `needed` more bytes when `usage` is in use; only by these numbers.
    ///
    /// A grant is a quarter of what is left below the hard limit, no more than 64 MiB, and ends at the soft limit if that comes
    /// before, so that who takes it looks again there. What does not fit takes nothing from others.
    pub(crate) fn grant(self, usage: Usage, needed: usize) -> Grant {
        if !self.is_limited() {
            return Grant {
                bytes: usize::MAX,
                fits: true,
                is_tight: false,
            };
        }
        let left = self.ceiling().saturating_sub(usage.hard);
        let fits = needed <= left;
        let until_soft = self.soft.saturating_sub(usage.soft);
        let step = (left / GRANT_SHARE).min(MOST_GRANT);
        let step = step.min(until_soft.max(self.soft / TIGHT_SHARE));
        Grant {
            bytes: if fits { needed.max(step) } else { step },
            fits,
            is_tight: !fits || needed > until_soft,
        }
    }

    /// The hard limit less the reserve for what is not the allocator's.
    const fn ceiling(self) -> usize {
        let share = self.hard / RESERVE_SHARE;
        let reserve = if share < MIN_RESERVE {
            MIN_RESERVE
        } else if share > MAX_RESERVE {
            MAX_RESERVE
        } else {
            share
        };
        self.hard.saturating_sub(reserve)
    }
}

impl Limit {
    /// No limit.
    pub(crate) const fn off() -> Self {
        Self::of(UNLIMITED)
    }

    /// Only this process, which may use `hard` bytes.
    pub(crate) const fn of(hard: usize) -> Self {
        Self {
            numbers: Numbers::of(hard),
            group: None,
        }
    }

    /// The limit that a user chose, on a machine with `ram` bytes.
    pub(crate) fn chosen(
        choice: LimitChoice,
        ram: usize,
        mut read: impl FnMut(&CStr, &mut Show<'_>) -> Option<()>,
    ) -> Self {
        let is_followed = match choice {
            LimitChoice::Off => return Self::off(),
            LimitChoice::Bytes(hard) => return Self::of(hard),
            LimitChoice::Found => false,
            LimitChoice::Auto => true,
        };
        let mut limit = Self::off();
        if let Some(group) = Group::detect(ram, &mut read) {
            limit.numbers = group
                .levels(&mut read)
                .map_or(Numbers::NONE, |it| it.numbers());
            if is_followed || limit.numbers.is_limited() {
                limit.group = Some(group);
            }
        }
        limit
    }

    /// Whether there is none and will be none, so that nothing has to be counted.
    pub(crate) const fn is_off(&self) -> bool {
        !self.numbers.is_limited() && self.group.is_none()
    }

    /// The group whose limit it is, if it is not only this process's.
    pub(crate) const fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// The limit as it was at the start.
    pub(crate) const fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// The limit and what is in use now: by the group, or the `own` bytes of this process where there is no group or its
    /// files cannot be read any more, as in a chroot; then `known` limits on.
    pub(crate) fn read(
        &self,
        known: Numbers,
        own: usize,
        mut read: impl FnMut(&CStr, &mut Show<'_>) -> Option<()>,
    ) -> (Numbers, Usage) {
        let group = self.group.as_ref();
        let seen = group.and_then(|group| Some((group, group.levels(&mut read)?)));
        let Some((group, levels)) = seen else {
            return (known, Usage::of(own));
        };
        let usage = levels.usage(group, &mut read);
        (levels.numbers(), usage.unwrap_or(Usage::of(own)))
    }

    /// The limit now, without a look at the usage.
    pub(crate) fn numbers_now(
        &self,
        known: Numbers,
        mut read: impl FnMut(&CStr, &mut Show<'_>) -> Option<()>,
    ) -> Numbers {
        let levels = self
            .group
            .as_ref()
            .and_then(|group| group.levels(&mut read));
        levels.map_or(known, |it| it.numbers())
    }
}

/// The soft limit that goes with a hard one.
const fn soft_of(hard: usize) -> usize {
    if hard == UNLIMITED {
        UNLIMITED
    } else {
        hard - hard / SOFT_SHARE
    }
}

/// Shows a file of this machine; to be passed where a reader is asked for.
pub(crate) fn read_file(path: &CStr, show: &mut Show<'_>) -> Option<()> {
    sys::show_file(path, show)
}

#[cfg(test)]
mod group_harm_tests;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod machines;
#[cfg(test)]
mod tests;
