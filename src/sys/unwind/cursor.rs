//! Reading forward in the call frame information of one object.
//!
//! # Invariant
//!
//! Nothing is read but the object's call frame information, which its own lengths and places tell.

use core::ops::Range;

/// A place in mapped memory, and where that ends.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    at: usize,
    end: usize,
}

/// How a pointer is stored: see "Pointer Encoding" in the Linux Standard Base.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding(pub(super) u8);

impl Encoding {
    /// An address as it is.
    pub(super) const ABSOLUTE: Self = Self(0);
    /// Relative to the table that it stands in, in four bytes with a sign.
    pub(super) const TABLE: Self = Self(0x3b);
    const OMITTED: u8 = 0xff;
    const INDIRECT: u8 = 0x80;
}

impl Cursor {
    /// At an address within memory that is mapped and never changes.
    pub(super) fn new(at: usize, mapped: &Range<usize>) -> Option<Self> {
        mapped.contains(&at).then_some(Self {
            at,
            end: mapped.end,
        })
    }

    pub(super) fn address(&self) -> usize {
        self.at
    }

    /// Whether nothing is left.
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    /// Only the next `bytes` bytes.
    pub(super) fn part(&mut self, bytes: usize) -> Option<Self> {
        let end = self.at.checked_add(bytes)?;
        let part = (end <= self.end).then_some(Self { at: self.at, end })?;
        self.at = end;
        Some(part)
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let place = core::ptr::with_exposed_provenance::<[u8; N]>(self.part(N)?.at);
        // SAFETY: inside of the object's mapping, whose file is not written to.
        Some(unsafe { place.read() })
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.bytes().map(u8::from_ne_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_ne_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_ne_bytes)
    }

    /// Mixes all that is left into `sum`.
    pub(super) fn sum(&mut self, mut sum: usize) -> Option<usize> {
        const GOLDEN: usize = 0x9e37_79b9_7f4a_7c15;
        while self.end - self.at >= 8 {
            sum = (sum ^ self.u64()? as usize)
                .wrapping_mul(GOLDEN)
                .rotate_left(29);
        }
        while !self.is_done() {
            sum = (sum ^ usize::from(self.u8()?))
                .wrapping_mul(GOLDEN)
                .rotate_left(29);
        }
        Some(sum)
    }

    /// An unsigned number of any length.
    pub(super) fn unsigned(&mut self) -> Option<usize> {
        self.number().map(|(number, ..)| number)
    }

    /// A signed number of any length.
    pub(super) fn signed(&mut self) -> Option<isize> {
        let (number, bits, is_negative) = self.number()?;
        let sign = if is_negative && bits < usize::BITS {
            usize::MAX << bits
        } else {
            0
        };
        Some((number | sign).cast_signed())
    }

    /// LEB128: the number, its bits, and the highest of them.
    fn number(&mut self) -> Option<(usize, u32, bool)> {
        let (mut number, mut bits) = (0, 0);
        loop {
            let byte = self.u8()?;
            if bits < usize::BITS {
                number |= usize::from(byte & 0x7f) << bits;
            }
            bits += 7;
            if byte & 0x80 == 0 {
                return Some((number, bits, byte & 0x40 != 0));
            }
        }
    }

    /// A pointer that is stored in this way; those relative to a table are to the one at `table`.
    pub(super) fn pointer(&mut self, encoding: Encoding, table: usize) -> Option<usize> {
        if encoding.0 == Encoding::OMITTED || encoding.0 & Encoding::INDIRECT != 0 {
            return None;
        }
        let place = self.at;
        let value = self.value(encoding)?;
        match encoding.0 & 0x70 {
            0x00 => Some(value),
            0x10 => Some(place.wrapping_add(value)),
            0x30 => Some(table.wrapping_add(value)),
            _ => None,
        }
    }

    /// The number of such a pointer.
    pub(super) fn value(&mut self, encoding: Encoding) -> Option<usize> {
        Some(match encoding.0 & 0x0f {
            0x00 | 0x04 | 0x0c => self.u64()? as usize,
            0x01 => self.unsigned()?,
            0x02 => usize::from(self.u16()?),
            0x03 => self.u32()? as usize,
            0x09 => self.signed()?.cast_unsigned(),
            0x0a => (self.u16()?.cast_signed() as isize).cast_unsigned(),
            0x0b => (self.u32()?.cast_signed() as isize).cast_unsigned(),
            _ => return None,
        })
    }
}
