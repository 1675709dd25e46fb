//! The limits of this process's memory cgroup and of all above it, and what is used of them.
//!
//! # Invariant
//!
//! No soft limit is above the hard one of its level. Limits are read each time: containers are resized.
#![forbid(unsafe_code)]

use super::directory::Directory;
use super::{Numbers, Reader, Show, UNLIMITED, Usage, soft_of};
use core::ffi::CStr;

/// Limits of at most this many groups above each other are read, those nearest to the process.
const MAX_LEVELS: usize = 8;
/// A limit that is as high or higher is none on any machine; version 1 says a number just below 2^63 for none.
const ENDLESS: usize = 1 << 62;
/// Room for a number.
const NUMBER_BYTES: usize = 32;

/// The group of this process, with all above it.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    directory: Directory,
    /// Limits from here on are none.
    endless: usize,
}

/// The limits of a group and of those above it at one moment.
#[derive(Debug)]
pub(crate) struct Levels([Level; MAX_LEVELS]);

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
    /// The group of this process on a machine with `ram` bytes, 0 if not known. `read` shows a file. `None` if there is
    /// none, or its files cannot be read.
    ///
    /// See the kernel's `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst`.
    pub(crate) fn detect(
        ram: usize,
        mut read: impl FnMut(&CStr, &mut Show<'_>) -> Option<()>,
    ) -> Option<Self> {
        Some(Self {
            directory: Directory::detect(&mut read)?,
            endless: if ram == 0 { ENDLESS } else { ram.min(ENDLESS) },
        })
    }

    /// The limits as they are now; `None` if they cannot be read.
    pub(super) fn levels(&self, read: &mut Reader<'_>) -> Option<Levels> {
        let mut levels = [Level::NONE; MAX_LEVELS];
        let mut is_known = false;
        let all = self.directory.lengths().filter_map(|length| {
            let level = self.level(length, read)?;
            is_known = true;
            Some(level).filter(Level::is_limited)
        });
        for (slot, level) in levels.iter_mut().zip(all) {
            *slot = level;
        }
        is_known.then_some(Levels(levels))
    }

    /// The limits of the group whose directory is `length` bytes long; those from `endless` on are none. `None` where
    /// there is no file for limits.
    fn level(&self, length: usize, read: &mut Reader<'_>) -> Option<Level> {
        let interface = self.directory.interface;
        let mut limit = |name: &str| {
            let mut text = [0; NUMBER_BYTES];
            let bytes = number(self.directory.read(length, name, &mut text, read)?);
            Some(
                bytes
                    .filter(|bytes| *bytes < self.endless)
                    .unwrap_or(UNLIMITED),
            )
        };
        let hard = limit(interface.hard)?;
        let soft = interface.soft.and_then(limit).unwrap_or(UNLIMITED);
        Some(Level {
            length,
            hard,
            soft: soft.min(soft_of(hard)),
        })
    }

    /// The directory whose hard limit is the smallest, and its file's name; that with the smallest soft limit if there is
    /// no hard one.
    pub(crate) fn tightest(&self, read: &mut Reader<'_>) -> Option<(&[u8], &'static str)> {
        let levels = self.levels(read)?;
        let tightest = levels
            .limited()
            .min_by_key(|level| (level.hard, level.soft))?;
        let interface = self.directory.interface;
        let name = match tightest.hard {
            UNLIMITED => interface.soft?,
            _ => interface.hard,
        };
        Some((self.directory.ancestor(tightest.length), name))
    }
}

impl Levels {
    /// The smallest limits in bytes: soft is `memory.high`, or seven eighths of a hard one.
    pub(super) fn numbers(&self) -> Numbers {
        let hard = self.limited().map(|level| level.hard).min();
        let soft = self.limited().map(|level| level.soft).min();
        Numbers {
            hard: hard.unwrap_or(UNLIMITED),
            soft: soft.unwrap_or(UNLIMITED),
        }
    }

    /// The bytes in use that the kernel cannot take back by itself, in the group that leaves the least. If its limit
    /// is not the smallest one, the usage is told as if it were, with as much left as there is.
    ///
    /// `None` if no usage can be read.
    pub(super) fn usage(&self, group: &Group, read: &mut Reader<'_>) -> Option<Usage> {
        let Numbers { hard, soft } = self.numbers();
        let mut most: Option<Usage> = None;
        for level in self.limited() {
            let Some(bytes) = used(&group.directory, level.length, read) else {
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
        self.0.iter().filter(|level| level.is_limited())
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

/// A decimal number that is its whole line; `None` for all else, `max` and what is too large among it.
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
