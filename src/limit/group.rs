//! The limits of this process's memory cgroup and of all above it, and what is used of them.
//!
//! # Invariant
//!
//! A group has a limit: at least one of its levels. No soft limit is above the hard one of its level.
#![forbid(unsafe_code)]

use super::directory::Directory;
use super::{Reader, Show, UNLIMITED, Usage, soft_of};
use core::ffi::CStr;

/// So many of the groups above each other are watched, those nearest to the process, if so many have limits.
const MAX_LEVELS: usize = 8;
/// A limit that is as high or higher is none on any machine; version 1 says a number just below 2^63 for none.
const ENDLESS: usize = 1 << 62;
/// Room for a number.
const NUMBER_BYTES: usize = 32;

/// The groups that limit this process.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    directory: Directory,
    levels: [Level; MAX_LEVELS],
}

/// A group with a limit.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// The length of its directory.
    length: usize,
    /// In bytes; `UNLIMITED` is none.
    hard: usize,
    soft: usize,
}

impl Level {
    const NONE: Self = Self {
        length: 0,
        hard: UNLIMITED,
        soft: UNLIMITED,
    };

    const fn is_limited(&self) -> bool {
        self.soft != UNLIMITED
    }
}

impl Group {
    /// The groups that limit this process on a machine with `ram` bytes, 0 if not known. `read` reads the beginning
    /// of a file. `None` if there is no limit, or none below `ram`, or the files cannot be read.
    ///
    /// See the kernel's `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst`.
    pub(crate) fn detect(
        ram: usize,
        mut read: impl FnMut(&CStr, &mut Show<'_>) -> Option<()>,
    ) -> Option<Self> {
        let directory = Directory::detect(&mut read)?;
        let mut levels = [Level::NONE; MAX_LEVELS];
        let endless = if ram == 0 { ENDLESS } else { ram.min(ENDLESS) };
        let all = directory
            .lengths()
            .map(|length| level(&directory, length, endless, &mut read));
        for (slot, level) in levels.iter_mut().zip(all.filter(Level::is_limited)) {
            *slot = level;
        }
        let is_limited = levels.iter().any(Level::is_limited);
        is_limited.then_some(Self { directory, levels })
    }

    /// The smallest hard limit in bytes.
    pub(crate) fn hard(&self) -> usize {
        self.limited()
            .map(|level| level.hard)
            .min()
            .unwrap_or(UNLIMITED)
    }

    /// The smallest soft limit in bytes: `memory.high`, or seven eighths of a hard one.
    pub(crate) fn soft(&self) -> usize {
        self.limited()
            .map(|level| level.soft)
            .min()
            .unwrap_or(UNLIMITED)
    }

    /// The bytes in use that the kernel cannot take back by itself, in the group that leaves the least. If its limit
    /// is not the smallest one, the usage is told as if it were, with as much left as there is.
    ///
    /// `None` if no usage can be read.
    pub(crate) fn usage(
        &self,
        mut read: impl FnMut(&CStr, &mut Show<'_>) -> Option<()>,
    ) -> Option<Usage> {
        let (hard, soft) = (self.hard(), self.soft());
        let mut most: Option<Usage> = None;
        for level in self.limited() {
            let Some(bytes) = used(&self.directory, level.length, &mut read) else {
                continue;
            };
            let before = most.unwrap_or(Usage::of(0));
            most = Some(Usage {
                hard: before.hard.max(bytes.saturating_sub(level.hard - hard)),
                soft: before.soft.max(bytes.saturating_sub(level.soft - soft)),
            });
        }
        most
    }

    fn limited(&self) -> impl Iterator<Item = &Level> {
        self.levels.iter().filter(|level| level.is_limited())
    }
}

/// The limits of the group whose directory is `length` bytes long; those from `endless` on are none.
fn level(directory: &Directory, length: usize, endless: usize, read: &mut Reader<'_>) -> Level {
    let mut limit = |name: Option<&str>| {
        let mut text = [0; NUMBER_BYTES];
        let bytes = number(directory.read(length, name?, &mut text, read)?)?;
        Some(bytes).filter(|bytes| *bytes < endless)
    };
    let hard = limit(Some(directory.interface.hard)).unwrap_or(UNLIMITED);
    let soft = limit(directory.interface.soft).unwrap_or(UNLIMITED);
    Level {
        length,
        hard,
        soft: soft.min(soft_of(hard)),
    }
}

/// The bytes that the kernel cannot take back by itself: all but the lists of file pages, where no shared memory
/// is, and its own caches of names and the like.
#[inline(never)]
fn used(directory: &Directory, length: usize, read: &mut Reader<'_>) -> Option<usize> {
    let interface = directory.interface;
    let mut one = |name: &str| {
        let mut text = [0; NUMBER_BYTES];
        number(directory.read(length, name, &mut text, read)?)
    };
    let all = one(interface.usage)?;
    let kernel = interface.kernel.and_then(&mut one).unwrap_or(0);
    let mut left = all.saturating_sub(kernel);
    let mut keys_left = interface.reclaimable.len();
    directory.each_line(length, interface.statistics, read, &mut |line| {
        let mut keys = interface.reclaimable.iter();
        if let Some(digits) = keys.find_map(|key| line.strip_prefix(*key)) {
            left = left.saturating_sub(number(digits).unwrap_or(0));
            keys_left -= 1;
        }
        keys_left > 0
    });
    Some(left)
}

/// A decimal number, alone on its line; `None` for all else, `max` and what is too large among it.
fn number(text: &[u8]) -> Option<usize> {
    let digits = text.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_usize, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| usize::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
