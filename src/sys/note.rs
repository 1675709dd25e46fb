//! The ELF note by which a reader outside of the process finds what the library says about itself.
//!
//! # Invariant
//!
//! The note lies in a loaded segment, so `strip` leaves it and the file need not be there; and it has no address in it but
//! an offset from itself, so it needs no relocation.
#![forbid(unsafe_code)]

/// Defines the note; `$directory` is the static whose distance from the number in the note that number is.
#[cfg(not(simulated))]
macro_rules! define_note {
    ($directory:path) => {
        core::arch::global_asm!(
            ".pushsection .note.slubmalloc,\"a\",%note",
            ".balign 4",
            // Length of the name, length of what follows it, type.
            ".long 11, 8, 1",
            ".asciz \"slubmalloc\"",
            ".balign 4",
            ".quad {directory} - .",
            ".popsection",
            directory = sym $directory,
        );
    };
}
/// Without assembly there is no note.
#[cfg(simulated)]
macro_rules! define_note {
    ($directory:path) => {
        const _: *const () = (&raw const $directory).cast();
    };
}
pub(crate) use define_note;
