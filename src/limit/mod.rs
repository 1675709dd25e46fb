//! How much memory this process may use: the limits of its container, or the user's, and when to look again.
//!
//! # Invariant
//!
//! What is granted never reaches above the hard limit less the reserve, as far as the usage was known.
#![forbid(unsafe_code)]

mod directory;
mod group;

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
/// Above the soft limit a grant is at most this share of it.
const TIGHT_SHARE: usize = 64;

/// What a user may choose about the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitChoice {
    /// None.
    Off,
    /// That of the process's memory cgroup.
    Auto,
    /// So many bytes.
    Bytes(usize),
}

/// How much may be resident.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    /// Bytes that are never exceeded.
    hard: usize,
    /// Bytes above which memory is short.
    soft: usize,
    /// Whose limits these are, if not this process's alone.
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
    /// Bytes, what was needed among them; 0 if that does not fit.
    pub(crate) allowance: usize,
    /// Memory is short: what is kept for later should go back now.
    pub(crate) is_tight: bool,
}

impl Limit {
    /// No limit.
    pub(crate) const fn off() -> Self {
        Self {
            hard: UNLIMITED,
            soft: UNLIMITED,
            group: None,
        }
    }

    /// This process alone may use `hard` bytes.
    pub(crate) const fn of(hard: usize) -> Self {
        Self {
            hard,
            soft: soft_of(hard),
            group: None,
        }
    }

    /// What is left of the group's limits.
    pub(crate) fn group(group: Group) -> Self {
        Self {
            hard: group.hard(),
            soft: group.soft(),
            group: Some(group),
        }
    }

    /// The limit that a user chose, on a machine with `ram` bytes.
    pub(crate) fn chosen(
        choice: LimitChoice,
        ram: usize,
        read: impl FnMut(&CStr, &mut Show<'_>) -> Option<()>,
    ) -> Self {
        match choice {
            LimitChoice::Off => Self::off(),
            LimitChoice::Auto => Group::detect(ram, read).map_or(Self::off(), Self::group),
            LimitChoice::Bytes(hard) => Self::of(hard),
        }
    }

    /// Whether there is none, so that nothing has to be counted.
    pub(crate) const fn is_off(&self) -> bool {
        self.soft == UNLIMITED
    }

    /// Whether what is in use is that of a group, with other processes perhaps.
    pub(crate) const fn is_shared(&self) -> bool {
        self.group.is_some()
    }

    /// What is in use now: by the group, or the `own` bytes of this process where there is no group or its files
    /// cannot be read any more, as behind a chroot.
    pub(crate) fn usage(
        &self,
        own: usize,
        read: impl FnMut(&CStr, &mut Show<'_>) -> Option<()>,
    ) -> Usage {
        let group = self.group.as_ref();
        group
            .and_then(|group| group.usage(read))
            .unwrap_or(Usage::of(own))
    }

    /// Decides about `needed` more bytes when `usage` is in use; by these numbers alone.
    ///
    /// A grant is a quarter of what is left below the hard limit, and ends at the soft limit if that comes
    /// before, so that who takes it looks again there.
    pub(crate) fn grant(&self, usage: Usage, needed: usize) -> Grant {
        if self.is_off() {
            return Grant {
                allowance: usize::MAX,
                is_tight: false,
            };
        }
        let left = self.ceiling().saturating_sub(usage.hard);
        let fits = needed <= left;
        let until_soft = self.soft.saturating_sub(usage.soft);
        let step = (left / GRANT_SHARE).min(until_soft.max(self.soft / TIGHT_SHARE));
        Grant {
            allowance: if fits { needed.max(step) } else { 0 },
            is_tight: !fits || needed > until_soft,
        }
    }

    /// The hard limit less the reserve for what is not the allocator's.
    const fn ceiling(&self) -> usize {
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
mod group_tests;
#[cfg(test)]
mod machines;
#[cfg(test)]
mod tests;
