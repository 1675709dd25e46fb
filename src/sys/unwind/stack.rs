//! The stack that is walked, as far as it is known to be readable.
//!
//! # Invariant
//!
//! A word is read only where the page that it lies on is known to be readable: it is the calling thread's own frame's, it
//! is part of the stack that the kernel made, or the kernel has just read from it. `futex` does that: before it moves no waiter to
//! the same place it compares the word there. It changes nothing, never waits, and a sandbox that lets locks work lets it
//! through; where it is refused, the stack is short.
//!
//! Nothing is kept between two stacks, so nothing is out of date: coroutines' stacks come and go, and threads' as well. What
//! remains is a stack whose data are wrong, and lead to memory of another thread that gives it back between the question and the
//! read.

use crate::sys::syscall::call;

/// Bytes that are asked about at once: no page is smaller.
const PAGE: usize = 4096;
/// A frame is no longer, unless its place is one that nothing leads to: see `jump`.
const FAR: usize = 64 * PAGE;
/// What leaf functions use below the stack pointer (128 bytes on x86-64), with what a frame saves below its start.
const BELOW: usize = 256;
/// Other stacks that one walk goes on to at most.
const MOST_JUMPS: u8 = 8;
/// The first stack lies with all its pages below the place where the kernel stored what it tells a program, this much
/// at least: it keeps that distance from other mappings.
const FIRST: usize = 1 << 20;

/// The readable part of a stack, upwards from the innermost frame.
pub(super) struct Stack {
    low: usize,
    high: usize,
    jumps: u8,
    /// A page of code that is known to be readable.
    code: usize,
}

impl Stack {
    pub(super) const NONE: Self = Self {
        low: 0,
        high: 0,
        jumps: 0,
        code: 0,
    };

    /// Becomes the calling thread's, whose stack pointer is `sp`.
    pub(super) fn begin(&mut self, sp: usize) {
        // SAFETY: getauxval(3) reads memory that the kernel filled before the first instruction.
        let random = unsafe { libc::getauxval(libc::AT_RANDOM) } as usize;
        let top = page_of(random);
        let is_first = sp < top && top - sp < FIRST;
        self.low = sp;
        self.high = if is_first {
            top
        } else {
            page_of(sp).saturating_add(PAGE)
        };
    }

    /// Whether a frame may be or end there, with nothing but stack below it.
    pub(super) fn leads_to(&self, address: usize) -> bool {
        address >= self.low && address < self.high.saturating_add(FAR)
    }

    /// Goes on with another stack, or with a part of this one that is far above, around `address`.
    pub(super) fn jump(&mut self, address: usize) -> Option<()> {
        self.jumps += 1;
        if self.jumps > MOST_JUMPS {
            return None;
        }
        self.low = page_of(address.checked_sub(BELOW)?);
        self.high = self.low;
        Some(())
    }

    /// The word at an address of the stack.
    pub(super) fn read(&mut self, address: usize) -> Option<usize> {
        if address < self.low || !address.is_multiple_of(size_of::<usize>()) {
            return None;
        }
        if address >= self.high {
            self.extend(address)?;
        }
        let word = core::ptr::with_exposed_provenance::<usize>(address);
        // SAFETY: on a page that is readable, and nobody changes a stack below which its thread is.
        Some(unsafe { word.read() })
    }

    /// Asks about the pages up to the one of `address`.
    #[inline(never)]
    fn extend(&mut self, address: usize) -> Option<()> {
        if !self.leads_to(address) {
            return None;
        }
        while self.high <= address {
            if !is_readable(self.high) {
                return None;
            }
            self.high = self.high.checked_add(PAGE)?;
        }
        Some(())
    }

    /// The bytes of code before `end`.
    pub(super) fn code_before(&mut self, end: usize) -> Option<[u8; 8]> {
        let start = end.checked_sub(size_of::<[u8; 8]>())?;
        for place in [start, end - 1] {
            if page_of(place) != self.code {
                if !is_readable(page_of(place)) {
                    return None;
                }
                self.code = page_of(place);
            }
        }
        let bytes = core::ptr::with_exposed_provenance::<[u8; 8]>(start);
        // SAFETY: both pages are readable.
        Some(unsafe { bytes.read() })
    }
}

/// The beginning of the page that an address lies on.
fn page_of(address: usize) -> usize {
    address & !(PAGE - 1)
}

/// Whether the kernel can read a page.
fn is_readable(page: usize) -> bool {
    const COMPARE: usize = (libc::FUTEX_CMP_REQUEUE | libc::FUTEX_PRIVATE_FLAG) as usize;
    // Nobody is woken or moved, whatever the word is.
    let arguments = [page, COMPARE, 0, 0, page, 0];
    // SAFETY: nothing is changed.
    let answer = unsafe { call(libc::SYS_futex, arguments) };
    page != 0 && (answer.is_ok() || answer.is_error(libc::EAGAIN))
}
