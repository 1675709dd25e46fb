//! Text without memory: a line in a buffer of its own.
#![forbid(unsafe_code)]

use crate::sys;

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

    /// A line that begins as the first of every report does: with the program's name and the number of the process.
    #[inline(never)]
    pub fn headline() -> Self {
        let mut line = Self::new();
        line.head();
        line
    }

    /// Appends the beginning of a report: the program's name and the number of the process.
    #[inline(never)]
    pub fn head(&mut self) -> &mut Self {
        let mut name = [0; sys::PROGRAM_NAME];
        self.raw(sys::program_name(&mut name)).text("[");
        self.number(sys::process_id()).text("]: slubmalloc: ")
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

    /// Appends text from outside, at most `most` bytes of it, in quotes: what is no plain character as `\x1b`, so that
    /// no terminal obeys it.
    #[inline(never)]
    pub fn quoted(&mut self, text: &[u8], most: usize) -> &mut Self {
        self.text("\"");
        for byte in text.iter().take(most) {
            let is_plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
            if is_plain {
                self.raw(&[*byte]);
            } else {
                self.text("\\x").in_base(usize::from(*byte >> 4), 16, 0);
                self.in_base(usize::from(*byte & 15), 16, 0);
            }
        }
        self.text(if text.len() > most { "…\"" } else { "\"" })
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

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Writes the line to standard error.
    pub fn print_on_stderr(&self) {
        sys::write_to(sys::STANDARD_ERROR, self.as_bytes());
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
    fn what_comes_from_outside_is_quoted() {
        let mut line = Line::<64>::new();
        line.quoted(b"plain\x1b[31m\n\"\xc3\xb6", 40);
        assert_eq!(line.as_bytes(), b"\"plain\\x1b[31m\\x0a\\x22\\xc3\\xb6\"");
        let mut line = Line::<64>::new();
        line.quoted(b"abcdef", 3);
        assert_eq!(line.as_bytes(), "\"abc…\"".as_bytes());
    }

    #[test]
    fn a_report_begins_with_program_and_process() {
        let line = Line::<96>::headline();
        let text = core::str::from_utf8(line.as_bytes()).unwrap();
        let (_, rest) = text.split_once('[').unwrap();
        let (number, rest) = rest.split_once(']').unwrap();
        assert_eq!(number.parse(), Ok(sys::process_id()));
        assert_eq!(rest, ": slubmalloc: ");
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let mut line = Line::<4>::new();
        line.text("abc").number(12345);
        assert_eq!(line.as_bytes(), b"abc1");
    }
}
