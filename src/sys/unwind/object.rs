//! A program or library in memory with its call frame information, and the sorted table that comes with that
//! (`.eh_frame_hdr`).
//!
//! # Invariant
//!
//! An object stays where it is while the calling thread has a call in it. What its tables tell is read, within what it
//! has mapped.
#![forbid(unsafe_code)]

use core::ops::Range;

use super::cursor::{Cursor, Encoding};

/// No call frame information is longer, in bytes.
const LONGEST: usize = 256 << 20;
/// Bytes of the header before its sorted table, as far as they are looked at.
const HEADER: usize = 12;
/// Bytes of an entry of that table: where a function begins, and where its information is.
const PAIR: usize = 8;

/// A program or library in memory, with call frame information.
pub(super) struct Object {
    /// What is mapped around the address that was asked for.
    mapped: Range<usize>,
    /// That and the call frame information.
    readable: Range<usize>,
    header: usize,
    /// Where the sorted table is, and its length.
    pairs: usize,
    count: usize,
}

/// Bytes with their length before them, by their place in an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Block(pub(super) u32);

/// What a row was made of: the first bytes of the entry of its function, which is that of a number in the sorted table,
/// and of what that has in common with others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Source {
    pub(super) index: u32,
    pub(super) entry_bytes: u16,
    pub(super) common_bytes: u16,
}

impl Source {
    pub(super) fn to_word(self) -> usize {
        let bytes = usize::from(self.common_bytes) << 16 | usize::from(self.entry_bytes);
        bytes << 32 | self.index as usize
    }

    pub(super) fn from_word(word: usize) -> Self {
        Self {
            index: word as u32,
            entry_bytes: (word >> 32) as u16,
            common_bytes: (word >> 48) as u16,
        }
    }
}

impl Object {
    /// What is mapped around the address that was asked for.
    pub(super) fn mapped(&self) -> Range<usize> {
        self.mapped.clone()
    }

    /// The object around `mapped` whose header is at `header`, 0 for none.
    pub(super) fn new(mapped: Range<usize>, header: usize) -> Option<Self> {
        if header == 0 {
            return None;
        }
        let mut object = Self {
            readable: header..header.checked_add(HEADER)?,
            mapped,
            header,
            pairs: 0,
            count: 0,
        };
        let mut start = object.cursor(header)?;
        let version = start.u8()?;
        let [frame, count, table] = [start.u8()?, start.u8()?, start.u8()?].map(Encoding);
        let frames = start.pointer(frame, header)?;
        // If the segments of a program do not adjoin, the C library returns only the one that the address is in.
        let first = object.mapped.start.min(header).min(frames);
        let end = match header.max(frames) {
            last if last < object.mapped.end => object.mapped.end,
            last => last.checked_add(LONGEST)?,
        };
        object.readable = first..end;
        if version == 1 && table == Encoding::TABLE {
            let mut rest = object.cursor(start.address())?;
            let count = rest.value(count)?;
            object.pairs = rest.part(count.checked_mul(PAIR)?)?.address();
            object.count = count;
        }
        Some(object)
    }

    /// A place in the object.
    pub(super) fn cursor(&self, address: usize) -> Option<Cursor> {
        Cursor::new(address, &self.readable)
    }

    /// Takes a length and as many bytes.
    pub(super) fn block(&self, cursor: &mut Cursor) -> Option<Block> {
        let place = cursor.address().checked_sub(self.readable.start)?;
        let bytes = cursor.unsigned()?;
        cursor.part(bytes)?;
        u32::try_from(place).ok().map(Block)
    }

    /// The bytes of a block.
    pub(super) fn bytes_of(&self, block: Block) -> Option<Cursor> {
        let mut cursor = self.cursor(self.readable.start + block.0 as usize)?;
        let bytes = cursor.unsigned()?;
        cursor.part(bytes)
    }

    /// The entry for the function that `pc` may lie in, the last that begins no later: its number and its address.
    pub(super) fn entry(&self, pc: usize) -> Option<(u32, usize)> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.pair(middle)?.pointer(Encoding::TABLE, self.header)? <= pc {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let index = u32::try_from(low.checked_sub(1)?).ok()?;
        Some((index, self.entry_at(index)?))
    }

    /// The address of the entry of a number.
    fn entry_at(&self, index: u32) -> Option<usize> {
        let mut pair = self.pair(index as usize)?;
        pair.u32()?;
        pair.pointer(Encoding::TABLE, self.header)
    }

    fn pair(&self, index: usize) -> Option<Cursor> {
        if index >= self.count {
            return None;
        }
        self.cursor(self.pairs + index * PAIR)
    }

    /// A sum of the bytes that a row was made of, and of where they are.
    pub(super) fn sum(&self, source: Source) -> Option<usize> {
        let place = self.entry_at(source.index)?;
        let mut entry = self.cursor(place)?;
        let mut bytes = entry.part(source.entry_bytes.into())?;
        let mut id = bytes;
        id.u32()?;
        let after = id.address();
        let mut common = self.cursor(after.checked_sub(id.u32()? as usize)?)?;
        let sum = bytes.sum(place)?;
        common.part(source.common_bytes.into())?.sum(sum)
    }
}
