//! System calls about memory, answered by the scenario's world; all others are refused.

use core::world;

/// An answer.
#[derive(Clone, Copy)]
pub(super) struct Answer(Option<usize>);

impl Answer {
    /// The value, or `None` for a refusal.
    pub(super) fn value(self) -> Option<usize> {
        self.0
    }

    /// Whether it is a refusal with this number: there is one reason to refuse, want of memory.
    pub(super) fn is_error(self, errno: i32) -> bool {
        self.0.is_none() && errno == libc::ENOMEM
    }

    /// Whether it is not a refusal.
    pub(super) fn is_ok(self) -> bool {
        self.0.is_some()
    }
}

/// Makes the system call `number`.
///
/// # Safety
///
/// As in the library.
pub(super) unsafe fn call(number: libc::c_long, arguments: [usize; 6]) -> Answer {
    let [start, bytes, third, ..] = arguments;
    Answer(match number {
        libc::SYS_mmap if start == 0 => {
            let found = world::reserve(bytes);
            if let Some(found) = found.filter(|_| third != libc::PROT_NONE as usize) {
                world::commit(found, bytes);
            }
            found
        }
        libc::SYS_mprotect => {
            world::commit(start, bytes);
            Some(0)
        }
        libc::SYS_madvise if third == libc::MADV_DONTNEED as usize => {
            world::forget(start, bytes);
            Some(0)
        }
        // What is unmapped is not mapped again.
        libc::SYS_munmap => Some(0),
        _ => None,
    })
}
