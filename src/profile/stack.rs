//! The stacks that samples come from, each stored once.
//!
//! # Invariant
//!
//! The caller holds the lock of the tables. Stacks stay for ever. Stack 0 is that of what had no room: it has no frames.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::sums::Sums;
use crate::sys::{Region, Table};

/// Frames that are kept of a stack.
pub(crate) const DEPTH: usize = 32;
/// Stacks, and frames of all, that there is room for.
const MOST: usize = 1 << 16;
const MOST_FRAMES: usize = 1 << 20;
/// Lists by what the stack's hash is.
const LISTS: usize = 1 << 14;

/// A stack, whose memory it allocated, and how much.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Stack {
    /// Where its frames begin, the innermost first, and how many they are.
    pub(super) first: AtomicU32,
    pub(super) depth: AtomicU32,
    /// The owner's word of what it allocates from, 0 for `malloc`.
    pub(super) label: AtomicU32,
    /// The number of the peak for which `peak_*` hold; of an earlier one, `live_*` hold still.
    pub(super) epoch: AtomicU32,
    pub(super) sums: Sums,
    pub(super) peak_count: AtomicU64,
    pub(super) peak_bytes: AtomicU64,
    hash: AtomicU32,
    /// The next of the same list; 0 after the last.
    next: AtomicU32,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Stacks {
    pub(super) entries: Table<Stack>,
    pub(super) frames: Table<AtomicU64>,
    lists: Table<AtomicU32>,
    /// Entries and frames below these are used.
    pub(super) end: AtomicU32,
    pub(super) frame_end: AtomicU32,
}

// ORDERING: relaxed; the lock orders everything.

impl Stacks {
    /// Bytes to reserve for the lists, the entries and the frames.
    pub(super) const BYTES: [usize; 3] = [
        Table::<AtomicU32>::bytes_for(LISTS),
        Table::<Stack>::bytes_for(MOST),
        Table::<AtomicU64>::bytes_for(MOST_FRAMES),
    ];

    /// Only that without frames, in these regions; `None` where no memory can be had for them.
    pub(super) fn new(lists: Region, entries: Region, frames: Region) -> Option<Self> {
        let stacks = Self {
            entries: Table::new(entries),
            frames: Table::new(frames),
            lists: Table::new(lists),
            end: AtomicU32::new(1),
            frame_end: AtomicU32::new(0),
        };
        (stacks.lists.grow(LISTS) && stacks.entries.grow(1)).then_some(stacks)
    }

    /// The stack with a number.
    pub(super) fn get(&self, number: u32) -> &Stack {
        self.entries.get(number as usize)
    }

    /// The number of the stack with these frames and this label, 0 where there is no room for it.
    pub(super) fn number_of(&self, label: u32, frames: &[usize]) -> u32 {
        let hash = hash(label, frames);
        let list = self.lists.get(hash as usize % LISTS);
        let mut number = list.load(Relaxed);
        while number != 0 {
            let stack = self.get(number);
            if self.is(stack, hash, label, frames) {
                return number;
            }
            number = stack.next.load(Relaxed);
        }
        self.add(hash, label, frames, list).unwrap_or(0)
    }

    fn add(&self, hash: u32, label: u32, frames: &[usize], list: &AtomicU32) -> Option<u32> {
        let (number, first) = (self.end.load(Relaxed), self.frame_end.load(Relaxed));
        let end = first as usize + frames.len();
        let has_room = (number as usize) < MOST && end <= MOST_FRAMES;
        if !has_room || !self.entries.grow(number as usize + 1) || !self.frames.grow(end) {
            return None;
        }
        for (index, frame) in (first as usize..).zip(frames) {
            self.frames.get(index).store(*frame as u64, Relaxed);
        }
        let stack = self.get(number);
        stack.first.store(first, Relaxed);
        stack.depth.store(frames.len() as u32, Relaxed);
        stack.label.store(label, Relaxed);
        stack.hash.store(hash, Relaxed);
        stack.next.store(list.load(Relaxed), Relaxed);
        list.store(number, Relaxed);
        self.end.store(number + 1, Relaxed);
        self.frame_end.store(end as u32, Relaxed);
        Some(number)
    }

    /// The frames of a stack.
    pub(super) fn frames_of(&self, stack: &Stack) -> impl Iterator<Item = usize> {
        let first = stack.first.load(Relaxed) as usize;
        let end = first + stack.depth.load(Relaxed) as usize;
        (first..end).map(|index| self.frames.get(index).load(Relaxed) as usize)
    }

    fn is(&self, stack: &Stack, hash: u32, label: u32, frames: &[usize]) -> bool {
        stack.hash.load(Relaxed) == hash
            && stack.label.load(Relaxed) == label
            && self.frames_of(stack).eq(frames.iter().copied())
    }
}

/// FNV-1a over words.
fn hash(label: u32, frames: &[usize]) -> u32 {
    const BASE: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let start = (BASE ^ u64::from(label)).wrapping_mul(PRIME);
    let add = |hash: u64, frame: &usize| (hash ^ *frame as u64).wrapping_mul(PRIME);
    let hash = frames.iter().fold(start, add);
    // The upper bits depend on all of them.
    (hash >> 32) as u32 ^ hash as u32
}
