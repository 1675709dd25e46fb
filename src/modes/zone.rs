//! What stands in memory that the program must not touch: red zones around a block, poison in a free one. The bytes
//! are the kernel's (include/linux/poison.h).
#![forbid(unsafe_code)]

use super::bytes::{fill, first_other, last_other};
use super::record::Record;
use super::sort::{POISON, RED_ZONE};

/// A block that is in use and was not written yet.
const POISON_IN_USE: u8 = 0x5a;
/// A free block …
const POISON_FREE: u8 = 0x6b;
/// … and its last byte.
const POISON_END: u8 = 0xa5;
/// A red zone of a free block …
const RED_INACTIVE: u8 = 0xbb;
/// … and of one in use.
const RED_ACTIVE: u8 = 0xcc;

/// Bytes of a red zone at least; also where a block begins in its memory.
pub(super) const LEAST: usize = 16;
/// Bytes of a red zone at most: an aligned block may lie far from its memory's beginning and end.
const MOST: usize = 4096;

/// Damage: where, and what should stand there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Damage {
    /// What is damaged, as the kernel calls it.
    pub(super) part: &'static str,
    /// The first address that is damaged.
    pub(super) first: usize,
    /// The last one.
    pub(super) last: usize,
    /// The byte that should be there.
    pub(super) expected: u8,
}

impl Damage {
    fn find(part: &'static str, start: usize, end: usize, expected: u8) -> Option<Self> {
        let first = first_other(start, end, expected)?;
        let last = last_other(first, end, expected)?;
        Some(Self {
            part,
            first,
            last,
            expected,
        })
    }

    /// Puts there what should be.
    pub(super) fn repair(self) {
        fill(self.first, self.expected, self.last + 1 - self.first);
    }
}

/// Where a record's left red zone begins.
pub(super) fn left(record: &Record) -> usize {
    record.base().max(record.user().saturating_sub(MOST))
}

/// Where a record's right red zone ends.
pub(super) fn right(record: &Record) -> usize {
    record.end().min(record.user_end().saturating_add(MOST))
}

/// Prepares a block that is handed out; its content is 0 already if it is `zeroed`.
pub(super) fn activate(record: &Record, flags: u8, zeroed: bool) {
    if flags & RED_ZONE != 0 {
        paint(record, RED_ACTIVE);
    }
    if flags & POISON != 0 && !zeroed {
        fill(record.user(), POISON_IN_USE, record.bytes());
    }
}

/// Prepares a block that was freed.
pub(super) fn deactivate(record: &Record, flags: u8) {
    if flags & RED_ZONE != 0 {
        paint(record, RED_INACTIVE);
    }
    if flags & POISON != 0 && record.bytes() > 0 {
        fill(record.user(), POISON_FREE, record.bytes() - 1);
        fill(record.user_end() - 1, POISON_END, 1);
    }
}

/// Damage around a block in use.
pub(super) fn check_active(record: &Record, flags: u8) -> Option<Damage> {
    check_red(record, flags, RED_ACTIVE)
}

/// Damage in or around a free block.
pub(super) fn check_inactive(record: &Record, flags: u8) -> Option<Damage> {
    let poison = || {
        if flags & POISON == 0 || record.bytes() == 0 {
            return None;
        }
        let (start, last) = (record.user(), record.user_end() - 1);
        let part = "Poison";
        Damage::find(part, start, last, POISON_FREE)
            .or_else(|| Damage::find(part, last, last + 1, POISON_END))
    };
    check_red(record, flags, RED_INACTIVE).or_else(poison)
}

fn paint(record: &Record, byte: u8) {
    fill(left(record), byte, record.user() - left(record));
    fill(record.user_end(), byte, right(record) - record.user_end());
}

fn check_red(record: &Record, flags: u8, byte: u8) -> Option<Damage> {
    if flags & RED_ZONE == 0 {
        return None;
    }
    let (user, end) = (record.user(), record.user_end());
    Damage::find("Left Redzone", left(record), user, byte)
        .or_else(|| Damage::find("Right Redzone", end, right(record), byte))
}
