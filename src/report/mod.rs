//! Reports: text without memory, and the two ways to end, the caller's violation and our own fault.
//!
//! # Invariant
//!
//! The first line of every report begins with the program's name and the number of the process.
#![forbid(unsafe_code)]

mod ending;
mod line;
mod naming;
mod output;
mod symbol;

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(crate) use ending::is_ending;
pub use line::Line;
pub(crate) use naming::name_objects_by;
pub use output::kept_descriptor;
pub(crate) use output::{
    Output, close_descriptors, descriptor, has_file, has_file_of_its_own, keep_standard_error,
    write, write_to_file,
};
pub(crate) use symbol::{Module, name_function};

use crate::sys;

/// Bytes that a line has room for.
const LINE: usize = 256;

/// What a caller may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// The address was never handed out.
    InvalidFree,
    /// The address lies inside an object, not at its start.
    InteriorPointer,
    /// The block is free already.
    DoubleFree,
    /// The size that came with the block is not the block's.
    SizeMismatch,
    /// The address that came with an alignment is no multiple of it.
    AlignMismatch,
    /// The function that frees does not belong to the one that allocated; which it were.
    Mismatch(&'static str),
}

impl Violation {
    const fn name(self) -> &'static str {
        match self {
            Self::InvalidFree => "invalid free (never handed out)",
            Self::InteriorPointer => "invalid free (interior pointer)",
            Self::DoubleFree => "double free",
            Self::SizeMismatch => "size mismatch in sized free",
            Self::AlignMismatch => "alignment mismatch in sized free",
            Self::Mismatch(what) => what,
        }
    }
}

/// Where a violation was done, as far as anybody knows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Context {
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

impl Context {
    fn describe(self, address: usize, line: &mut Line<LINE>) {
        let is_named = naming::name(address, line);
        match self {
            Self::Nowhere => line,
            Self::Slab {
                size,
                start,
                objects,
                out,
            } => {
                if !is_named {
                    line.text(" in kmalloc-").number(size as usize);
                }
                line.text(" (slab ").hex(start).text(", ");
                line.number(out as usize).text(" of ");
                line.number(objects as usize).text(" objects out)")
            }
            Self::Block { .. } if is_named => line,
            Self::Block { bytes } => line.text(" in a block of ").number(bytes).text(" bytes"),
            Self::FreePages => line.text(" in free pages"),
        };
    }
}

/// Whether violations are only reported, and what was to be done is left undone.
static WARN_ONLY: AtomicBool = AtomicBool::new(false);

// ORDERING: relaxed; set once, before there is a heap to do wrong to.

/// Has violations only reported from now on.
pub(crate) fn only_warn() {
    WARN_ONLY.store(true, Relaxed);
}

/// Whether violations are only reported.
pub(crate) fn only_warns() -> bool {
    WARN_ONLY.load(Relaxed)
}

/// Reports the violation, the address and what it belongs to in one line and aborts; where violations are only reported,
/// the caller leaves undone what it was asked to do.
#[cold]
#[inline(never)]
pub(crate) fn report_violation(violation: Violation, address: usize, context: Context) {
    report_violation_with(violation, address, context, || ());
}

/// As [`report_violation`]; `more` prints what else is known of it.
#[cold]
#[inline(never)]
pub(crate) fn report_violation_with(
    violation: Violation,
    address: usize,
    context: Context,
    more: impl FnOnce(),
) {
    let mut line = Line::<LINE>::headline();
    line.text(violation.name()).text(" of ").hex(address);
    context.describe(address, &mut line);
    let undone = match violation {
        // The block is as good as any, and would be lost.
        Violation::Mismatch(_) => "; freed all the same\n",
        _ => "; ignored\n",
    };
    line.text(if only_warns() { undone } else { "\n" }).print();
    more();
    if !only_warns() {
        abort();
    }
}

/// Prints a line about a call that is ignored, which ends the process unless violations are only reported.
pub(crate) fn ignored(line: Line<256>) {
    ignored_with(line, || ());
}

/// The same; `more` prints what else is known.
pub(crate) fn ignored_with(mut line: Line<256>, more: impl FnOnce()) {
    line.text(if only_warns() { "; ignored\n" } else { "\n" })
        .print();
    more();
    if !only_warns() {
        abort();
    }
}

/// Aborts after a report. A handler for SIGABRT may allocate; locks that this thread holds must not stop it.
#[cold]
pub(crate) fn abort() -> ! {
    ending::announce_end();
    sys::abort()
}

/// Ends the process because a table of ours contradicts itself.
#[cold]
pub(crate) fn internal_error(what: &str) -> ! {
    let mut line = Line::<LINE>::headline();
    line.text("internal error: ").text(what).text("\n");
    // Straight: it may be told on the deepest way of a call.
    line.print_on_stderr();
    abort()
}

/// Ends the process unless a table of ours agrees with itself.
pub(crate) fn check(holds: bool, what: &str) {
    if !holds {
        internal_error(what);
    }
}
