//! Memory that blocks gave up, by being freed, moved, or made shorter where they are: what it may hold, and that nobody
//! has it while it rests.

use super::target::Fault;

/// What memory that a block gave up holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// Anything: nobody promises.
    Anything,
    /// Zeroes, as far as it can be read.
    Zeroes,
    /// The kernel's poison, in what was given up whole.
    Poison,
    /// Nothing: it cannot be read, if it was given up whole.
    Nothing,
}

/// What was given up last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) start: usize,
    pub(crate) bytes: usize,
    /// Whether it is all of a block.
    pub(crate) is_whole: bool,
}

const POISON: u8 = 0x6b;
const POISON_END: u8 = 0xa5;

/// As much is read of each end.
const SEEN: usize = 4 << 10;
/// Larger blocks go back to the heap, or need not be guarded.
const MOST_WHOLE: usize = 64 << 10;

impl Part {
    /// Looks whether it holds what it may.
    pub(crate) fn check(self, rule: GivenUp) -> Result<(), Fault> {
        let is_debugged = self.is_whole && (1..=MOST_WHOLE).contains(&self.bytes);
        match rule {
            GivenUp::Zeroes if !self.holds(|_| 0) => Err("memory that was given up is not cleared"),
            GivenUp::Poison if is_debugged && !self.holds(|place| self.poison(place)) => {
                Err("memory that was given up is not poisoned")
            }
            GivenUp::Nothing if is_debugged && read(self.start, &mut [0]) > 0 => {
                Err("memory that was given up can be read")
            }
            _ => Ok(()),
        }
    }

    /// Whether a block has a part of it.
    pub(crate) fn meets(self, start: usize, bytes: usize) -> bool {
        start < self.start + self.bytes && self.start < start + bytes
    }

    fn poison(self, place: usize) -> u8 {
        if place + 1 == self.bytes {
            POISON_END
        } else {
            POISON
        }
    }

    /// Whether what can be read of both ends holds these bytes.
    fn holds(self, byte_at: impl Fn(usize) -> u8) -> bool {
        let last = self.bytes.saturating_sub(SEEN);
        [0, last].into_iter().all(|from| {
            let mut bytes = [0; SEEN];
            let length = SEEN.min(self.bytes - from);
            let count = read(self.start + from, &mut bytes[..length]);
            let mut seen = (from..).zip(&bytes[..count]);
            seen.all(|(place, byte)| *byte == byte_at(place))
        })
    }
}

/// Reads memory that may not be there; how much of it.
fn read(start: usize, bytes: &mut [u8]) -> usize {
    let to = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let from = libc::iovec {
        iov_base: start as *mut libc::c_void,
        iov_len: bytes.len(),
    };
    // SAFETY: gives a number.
    let own = unsafe { libc::getpid() };
    // SAFETY: the kernel writes to `bytes` only, and reads what it can.
    let count = unsafe { libc::process_vm_readv(own, &raw const to, 1, &raw const from, 1, 0) };
    usize::try_from(count).unwrap_or(0)
}

/// Whether this machine lets a process look.
pub(crate) fn can_look() -> bool {
    let known = [7_u8; 8];
    let mut seen = [0; 8];
    read(known.as_ptr() as usize, &mut seen) == 8 && seen == known
}

#[cfg(all(test, not(miri)))]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn memory_is_judged_by_both_ends_and_what_is_not_there_is_nothing() {
        assert!(can_look());
        let mut memory = std::vec![0_u8; 10_000];
        let part = |memory: &[u8]| Part {
            start: memory.as_ptr() as usize,
            bytes: memory.len(),
            is_whole: true,
        };
        assert!(part(&memory).check(GivenUp::Zeroes).is_ok());
        assert!(part(&memory).check(GivenUp::Nothing).is_err());
        memory[9_990] = 1;
        assert!(part(&memory).check(GivenUp::Zeroes).is_err());
        memory.fill(POISON);
        assert!(part(&memory).check(GivenUp::Poison).is_err());
        memory[9_999] = POISON_END;
        assert!(part(&memory).check(GivenUp::Poison).is_ok());
        let nowhere = Part {
            start: 4_096,
            bytes: 100,
            is_whole: true,
        };
        assert!(nowhere.check(GivenUp::Zeroes).is_ok() && nowhere.check(GivenUp::Nothing).is_ok());
        assert!(nowhere.meets(4_195, 1) && !nowhere.meets(4_196, 1) && !nowhere.meets(4_000, 96));
    }
}
