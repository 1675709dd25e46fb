//! Text without memory, and the two ways to end: the caller's crime and our own fault.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::sys;

/// Bytes that a line has room for.
const LINE: usize = 160;

/// What a caller may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crime {
    /// The address was never handed out.
    InvalidFree,
    /// The address lies inside an object, not at its start.
    InteriorPointer,
    /// The block is free already.
    DoubleFree,
    /// The size that came with the block is not the block's.
    SizeMismatch,
}

impl Crime {
    const fn name(self) -> &'static str {
        match self {
            Self::InvalidFree => "invalid free (never handed out)",
            Self::InteriorPointer => "invalid free (interior pointer)",
            Self::DoubleFree => "double free",
            Self::SizeMismatch => "size mismatch in sized free",
        }
    }
}

/// Where a crime was done, as far as anybody knows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scene {
    /// Outside of the heap.
    Nowhere,
    /// In a slab.
    Slab {
        /// Bytes of its objects.
        size: u32,
        /// Its address.
        start: usize,
        /// How many objects it has.
        objects: u32,
        /// How many of them are out.
        out: u32,
    },
    /// In a large or huge block.
    Block {
        /// Its length.
        bytes: usize,
    },
    /// In pages that belong to no block.
    FreePages,
}

impl Scene {
    fn describe(self, line: &mut Line<LINE>) {
        match self {
            Self::Nowhere => line,
            Self::Slab {
                size,
                start,
                objects,
                out,
            } => {
                line.text(" in kmalloc-").number(size as usize);
                line.text(" (slab ").hex(start).text(", ");
                line.number(out as usize).text(" of ");
                line.number(objects as usize).text(" objects out)")
            }
            Self::Block { bytes } => line.text(" in a block of ").number(bytes).text(" bytes"),
            Self::FreePages => line.text(" in free pages"),
        };
    }
}

/// Whether crimes are only named, and what was to be done is left undone.
static WARN_ONLY: AtomicBool = AtomicBool::new(false);

// ORDERING: relaxed; set once, before there is a heap to do wrong to.

/// Has crimes only named from now on.
pub(crate) fn only_warn() {
    WARN_ONLY.store(true, Relaxed);
}

/// Whether crimes are only named.
pub(crate) fn only_warns() -> bool {
    WARN_ONLY.load(Relaxed)
}

/// Names the crime, the address and what it belongs to in one line and aborts; where crimes are only named,
/// the caller leaves undone what it was asked to do.
#[cold]
#[inline(never)]
pub(crate) fn accuse(crime: Crime, address: usize, scene: Scene) {
    let mut line = Line::new();
    line.text("slubmalloc: ")
        .text(crime.name())
        .text(" of ")
        .hex(address);
    scene.describe(&mut line);
    if only_warns() {
        line.text("; ignored\n").print();
    } else {
        end(line.text("\n"));
    }
}

/// Prints the line and aborts. A handler for SIGABRT may allocate; locks that this thread holds must
/// not stop it.
fn end(line: &Line<LINE>) -> ! {
    line.print();
    abort()
}

/// Aborts behind a report.
#[cold]
pub(crate) fn abort() -> ! {
    sys::announce_end();
    sys::abort()
}

/// Ends the process because a table of ours contradicts itself.
#[cold]
pub(crate) fn our_fault(what: &str) -> ! {
    let mut line = Line::new();
    line.text("slubmalloc: internal error: ").text(what);
    end(line.text("\n"))
}

/// Ends the process unless a table of ours agrees with itself.
pub(crate) fn check(holds: bool, what: &str) {
    if !holds {
        our_fault(what);
    }
}

/// A line of text in a buffer of `N` bytes; what does not fit is cut.
#[derive(Debug)]
pub struct Line<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Default for Line<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Line<N> {
    /// An empty line.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
        }
    }

    /// Appends text.
    #[inline(never)]
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.raw(text.as_bytes())
    }

    /// Appends bytes.
    #[inline(never)]
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        append(&mut self.bytes, &mut self.length, bytes);
        self
    }

    /// Appends a decimal number.
    #[inline(never)]
    pub fn number(&mut self, number: usize) -> &mut Self {
        self.padded(number, 0)
    }

    /// Appends a decimal number, right-aligned in `width` columns.
    #[inline(never)]
    pub fn padded(&mut self, number: usize, width: usize) -> &mut Self {
        self.in_base(number, 10, width)
    }

    /// Appends a number of thousandths, as `0.125`.
    #[inline(never)]
    pub fn thousandths(&mut self, number: usize) -> &mut Self {
        self.number(number / 1000).text(".");
        for digit in [number / 100, number / 10, number] {
            self.number(digit % 10);
        }
        self
    }

    /// Appends a number as `0x…`.
    #[inline(never)]
    pub fn hex(&mut self, number: usize) -> &mut Self {
        self.text("0x").in_base(number, 16, 0)
    }

    /// Fills with blanks up to column `column`.
    #[inline(never)]
    pub fn column(&mut self, column: usize) -> &mut Self {
        while self.length < column.min(N) {
            self.raw(b" ");
        }
        self
    }

    fn in_base(&mut self, number: usize, base: usize, width: usize) -> &mut Self {
        append_number(&mut self.bytes, &mut self.length, number, base, width);
        self
    }

    /// What was written so far.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Writes the line to standard error.
    pub fn print(&self) {
        sys::write_stderr(self.as_bytes());
    }
}

// One copy of each for lines of all lengths: a report is long, and nobody waits for it.

#[inline(never)]
fn append(line: &mut [u8], length: &mut usize, bytes: &[u8]) {
    for byte in bytes {
        if let Some(slot) = line.get_mut(*length) {
            *slot = *byte;
            *length += 1;
        }
    }
}

#[inline(never)]
fn append_number(
    line: &mut [u8],
    length: &mut usize,
    mut number: usize,
    base: usize,
    width: usize,
) {
    let mut digits = [b' '; 24];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        let value = (number % base) as u8;
        *digit = if value < 10 {
            b'0' + value
        } else {
            b'a' + value - 10
        };
        used += 1;
        number /= base;
        if number == 0 {
            break;
        }
    }
    let shown = used.max(width.min(24));
    append(line, length, digits.get(24 - shown..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_printf_would_print_them() {
        let mut line = Line::<64>::new();
        line.number(0)
            .text(" ")
            .padded(42, 5)
            .text(" ")
            .hex(0x7fff_a0b1)
            .column(24)
            .text("|");
        assert_eq!(line.as_bytes(), b"0    42 0x7fffa0b1      |");
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let mut line = Line::<4>::new();
        line.text("abc").number(12345);
        assert_eq!(line.as_bytes(), b"abc1");
    }
}
