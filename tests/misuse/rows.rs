//! Every misuse: the program and its arguments, by family. The only place that knows them.

use super::outcome::{Mode, Stage};

/// What a misuse does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// Writes on from a block's end.
    Overflow,
    /// Writes back from a block's start.
    Underflow,
    /// Writes beyond a block's bounds, but not next to them.
    Jump,
    /// Reads beyond a block's bounds.
    ReadBeyond,
    /// Writes to a block that is free.
    WriteAfterFree,
    /// Reads from a block that is free.
    ReadAfterFree,
    /// Frees a block twice.
    DoubleFree,
    /// Frees a block twice, whose slab is gone by then.
    DoubleFreeOfNothing,
    /// Frees a block twice, and goes on with both copies.
    DoubleFreeHandedOut,
    /// Frees a block twice, in two threads that have it at hand when the program ends: no slab sees it.
    DoubleFreeInSleepers,
    /// Frees what was never handed out.
    InvalidFree,
    /// Frees the inside of a block.
    InteriorFree,
    /// Frees what lies where a block could, but nobody was given it.
    NeverHandedOut,
    /// Says a wrong size.
    WrongSize,
    /// Reads what was never written.
    NotWritten,
    /// None: a question that has an answer.
    None,
}

impl Violation {
    /// Whether the misuse is an access to memory, and no call.
    pub(crate) fn is_access(self) -> bool {
        use Violation::{Jump, Overflow, ReadAfterFree, ReadBeyond, Underflow, WriteAfterFree};
        matches!(
            self,
            Overflow | Underflow | Jump | ReadBeyond | WriteAfterFree | ReadAfterFree
        )
    }

    /// Whether there is a block that it is done to.
    pub(crate) fn has_block(self) -> bool {
        self.is_access() || self.is_of_free_block()
    }

    /// Whether the block was freed before.
    pub(crate) fn is_of_free_block(self) -> bool {
        matches!(
            self,
            Self::WriteAfterFree
                | Self::ReadAfterFree
                | Self::DoubleFree
                | Self::DoubleFreeHandedOut
                | Self::DoubleFreeInSleepers
        )
    }

    /// Whether a block is freed twice, however.
    pub(crate) fn is_any_double_free(self) -> bool {
        self.is_double_free()
            || matches!(self, Self::DoubleFreeHandedOut | Self::DoubleFreeInSleepers)
    }

    /// Whether it is a double free whose block nobody was given in between, and which a slab comes to see.
    pub(crate) fn is_double_free(self) -> bool {
        matches!(self, Self::DoubleFree | Self::DoubleFreeOfNothing)
    }

    /// Whether what is freed is no block and never was.
    pub(crate) fn is_invalid_free(self) -> bool {
        matches!(
            self,
            Self::InvalidFree | Self::InteriorFree | Self::NeverHandedOut
        )
    }

    /// What a report has to call it, any of these: by the mode, and by whether it was a fault.
    pub(crate) fn words(self, mode: Mode, stage: Stage) -> &'static [&'static str] {
        match (self, mode, stage) {
            (Self::ReadAfterFree | Self::WriteAfterFree, Mode::Guard, Stage::Fault) => {
                &["use after free"]
            }
            (_, Mode::Guard, Stage::Fault) => &["buffer overflow", "buffer underflow"],
            (Self::Overflow, ..) => &["Right Redzone overwritten"],
            (Self::Underflow, ..) => &["Left Redzone overwritten"],
            // It may hit any of them.
            (Self::Jump, ..) => &["Redzone overwritten", "Poison overwritten"],
            (Self::WriteAfterFree, ..) => &["Poison overwritten"],
            (
                Self::DoubleFree | Self::DoubleFreeHandedOut | Self::DoubleFreeInSleepers,
                Mode::SlabDebug,
                _,
            ) => &["Object already free", "double free"],
            (Self::DoubleFree | Self::DoubleFreeHandedOut | Self::DoubleFreeInSleepers, ..) => {
                &["double free"]
            }
            (Self::DoubleFreeOfNothing, Mode::SlabDebug, _) => &[
                "Object already free",
                "Invalid object pointer",
                "double free",
                "invalid free",
            ],
            // Which of the two it was is known only as long as the pages remember.
            (Self::DoubleFreeOfNothing, ..) => &["double free", "invalid free"],
            (Self::InvalidFree | Self::InteriorFree | Self::NeverHandedOut, Mode::SlabDebug, _) => {
                &["Invalid object pointer", "invalid free"]
            }
            (Self::InvalidFree, ..) => &["invalid free (never handed out)"],
            (Self::InteriorFree, ..) => &["invalid free (interior pointer)"],
            // What malloc never returned is free already, and may lie in no block: all are true.
            (Self::NeverHandedOut, ..) => &["invalid free", "double free"],
            (Self::WrongSize, ..) => &["size mismatch in sized free"],
            (Self::ReadBeyond | Self::ReadAfterFree | Self::NotWritten | Self::None, ..) => &[],
        }
    }
}

/// One misuse.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) misuse: &'static str,
    pub(crate) size: usize,
    pub(crate) violation: Violation,
    /// The program and its arguments.
    pub(crate) command: &'static str,
}

impl Row {
    /// The program's source below `tests/`.
    pub(crate) fn source(&self) -> String {
        let program = self.command.split(' ').next().expect("a program");
        let ending = if program == "cxx" { "cpp" } else { "c" };
        format!("misuse/{program}.{ending}")
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = &'static str> {
        self.command.split(' ').skip(1)
    }

    /// The block's size as the table says it.
    pub(crate) fn size_text(&self) -> String {
        match self.size {
            0 => "-".to_owned(),
            small @ ..=32768 => small.to_string(),
            large @ ..=4194304 => format!("{large}, large"),
            huge => format!("{huge}, huge"),
        }
    }
}

/// Rows that belong together.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// Families of rows: each row is what is done, the block's size (0 where there is none), the violation, and the command.
macro_rules! families {
    ($($title:literal { $($misuse:literal, $size:literal, $violation:ident, $command:literal;)* })*) => {
        vec![$(Family {
            title: $title,
            rows: vec![$(Row {
                misuse: $misuse,
                size: $size,
                violation: Violation::$violation,
                command: $command,
            }),*],
        }),*]
    };
}

/// All misuses.
pub(crate) fn families() -> Vec<Family> {
    families! {
        "Writing after the end" {
            "1 byte", 13, Overflow, "bounds over 13 0 1 write free";
            "1 byte", 64, Overflow, "bounds over 64 0 1 write free";
            "1 byte", 1000, Overflow, "bounds over 1000 0 1 write free";
            "1 byte", 4096, Overflow, "bounds over 4096 0 1 write free";
            "1 byte", 32768, Overflow, "bounds over 32768 0 1 write free";
            "1 byte", 100_001, Overflow, "bounds over 100001 0 1 write free";
            "1 byte", 102_400, Overflow, "bounds over 102400 0 1 write free";
            "1 byte", 5_000_001, Overflow, "bounds over 5000001 0 1 write free";
            "1 byte", 5_001_216, Overflow, "bounds over 5001216 0 1 write free";
            "8 bytes", 24, Overflow, "bounds over 24 0 8 write free";
            "8 bytes", 100_000, Overflow, "bounds over 100000 0 8 write free";
            "16 bytes", 40, Overflow, "bounds over 40 0 16 write free";
            "16 bytes", 64, Overflow, "bounds over 64 0 16 write free";
            "16 bytes", 5_000_000, Overflow, "bounds over 5000000 0 16 write free";
            "100 bytes", 16, Overflow, "bounds over 16 0 100 write free";
            "100 bytes", 1000, Overflow, "bounds over 1000 0 100 write free";
            "100 bytes", 100_000, Overflow, "bounds over 100000 0 100 write free";
            "100 bytes", 5_000_000, Overflow, "bounds over 5000000 0 100 write free";
            "a page", 64, Overflow, "bounds over 64 0 4096 write free";
            "a page", 4000, Overflow, "bounds over 4000 0 4096 write free";
            "a page", 100_000, Overflow, "bounds over 100000 0 4096 write free";
            "a page", 5_000_000, Overflow, "bounds over 5000000 0 4096 write free";
            "loop, one element too many", 400, Overflow, "bounds loop 400 0 4 write free";
            "loop, one element too many", 100_000, Overflow, "bounds loop 100000 0 4 write free";
            "string without room for its 0", 16, Overflow, "bounds strcpy 16 0 1 write free";
            "string without room for its 0", 37, Overflow, "bounds strcpy 37 0 1 write free";
            "string without room for its 0", 1000, Overflow, "bounds strcpy 1000 0 1 write free";
            "1 byte, then realloc", 64, Overflow, "bounds over 64 0 1 write realloc";
            "1 byte, then realloc", 100_000, Overflow, "bounds over 100000 0 1 write realloc";
            "1 byte, then realloc", 5_000_000, Overflow, "bounds over 5000000 0 1 write realloc";
            "1 byte, never freed", 64, Overflow, "bounds over 64 0 1 write exit";
            "1 byte, never freed", 100_000, Overflow, "bounds over 100000 0 1 write exit";
            "1 byte, never freed", 5_000_000, Overflow, "bounds over 5000000 0 1 write exit";
            "1 byte, of calloc", 100, Overflow, "bounds over 100 0 1 write free calloc";
            "1 byte, of memalign to 64", 100, Overflow, "bounds over 100 0 1 write free align=64";
            "1 byte, of memalign to 4096", 5000, Overflow, "bounds over 5000 0 1 write free align=4096";
            "new[], one element too many", 64, Overflow, "cxx array_overflow 64";
            "1 byte, 100 bytes away", 64, Jump, "bounds over 64 100 1 write free";
            "1 byte, a page away", 64, Jump, "bounds over 64 4096 1 write free";
            "1 byte, 100 bytes away", 100_000, Jump, "bounds over 100000 100 1 write free";
            "1 byte, a page away", 5_000_000, Jump, "bounds over 5000000 4096 1 write free";
        }
        "Writing before the start" {
            "1 byte", 64, Underflow, "bounds under 64 0 1 write free";
            "1 byte", 1000, Underflow, "bounds under 1000 0 1 write free";
            "1 byte", 100_000, Underflow, "bounds under 100000 0 1 write free";
            "1 byte", 102_400, Underflow, "bounds under 102400 0 1 write free";
            "1 byte", 5_000_000, Underflow, "bounds under 5000000 0 1 write free";
            "8 bytes", 64, Underflow, "bounds under 64 0 8 write free";
            "8 bytes", 13, Underflow, "bounds under 13 0 8 write free";
            "16 bytes", 64, Underflow, "bounds under 64 0 16 write free";
            "16 bytes", 100_000, Underflow, "bounds under 100000 0 16 write free";
            "100 bytes", 64, Underflow, "bounds under 64 0 100 write free";
            "100 bytes", 100_000, Underflow, "bounds under 100000 0 100 write free";
            "100 bytes", 5_000_000, Underflow, "bounds under 5000000 0 100 write free";
            "8 bytes, then realloc", 64, Underflow, "bounds under 64 0 8 write realloc";
            "8 bytes, never freed", 64, Underflow, "bounds under 64 0 8 write exit";
            "8 bytes, never freed", 100_000, Underflow, "bounds under 100000 0 8 write exit";
        }
        "Reading beyond the bounds" {
            "1 byte after", 64, ReadBeyond, "bounds over 64 0 1 read free";
            "1 byte after", 61, ReadBeyond, "bounds over 61 0 1 read free";
            "100 bytes after", 64, ReadBeyond, "bounds over 64 0 100 read free";
            "100 bytes after", 100_000, ReadBeyond, "bounds over 100000 0 100 read free";
            "100 bytes after", 5_000_000, ReadBeyond, "bounds over 5000000 0 100 read free";
            "16 bytes before", 64, ReadBeyond, "bounds under 64 0 16 read free";
        }
        "Use after free" {
            "read", 64, ReadAfterFree, "after_free 64 read at_once";
            "read", 1000, ReadAfterFree, "after_free 1000 read at_once";
            "read", 100_000, ReadAfterFree, "after_free 100000 read at_once";
            "read", 5_000_000, ReadAfterFree, "after_free 5000000 read at_once";
            "read, when another thread freed", 64, ReadAfterFree, "after_free 64 read thread";
            "write, first byte", 64, WriteAfterFree, "after_free 64 first at_once";
            "write, first byte", 100_000, WriteAfterFree, "after_free 100000 first at_once";
            "write, first byte", 5_000_000, WriteAfterFree, "after_free 5000000 first at_once";
            "write, middle", 64, WriteAfterFree, "after_free 64 middle at_once";
            "write, middle", 5000, WriteAfterFree, "after_free 5000 middle at_once";
            "write, last byte", 64, WriteAfterFree, "after_free 64 last at_once";
            "write, last byte", 61, WriteAfterFree, "after_free 61 last at_once";
            "write, last byte", 100_000, WriteAfterFree, "after_free 100000 last at_once";
            "write, last byte", 5_000_000, WriteAfterFree, "after_free 5000000 last at_once";
            "write, whole block", 1000, WriteAfterFree, "after_free 1000 whole at_once";
            "write, after some more frees", 64, WriteAfterFree, "after_free 64 first others";
            "write, after some more frees", 100_000, WriteAfterFree, "after_free 100000 first others";
            "write, after thousands of frees", 64, WriteAfterFree, "after_free 64 first churn";
            "write, after thousands of frees", 1000, WriteAfterFree, "after_free 1000 last churn";
            "write, after frees and as many new blocks", 64, WriteAfterFree, "after_free 64 first again";
            "write, after frees and as many new blocks", 100_000, WriteAfterFree, "after_free 100000 first again";
            "write, then frees of 80 MiB", 5000, WriteAfterFree, "after_free 5000 first at_once 80";
            "write, then frees of 80 MiB", 100_000, WriteAfterFree, "after_free 100000 first at_once 80";
            "write, then frees of 80 MiB", 5_000_000, WriteAfterFree, "after_free 5000000 first at_once 80";
            "write, when another thread freed", 64, WriteAfterFree, "after_free 64 first thread";
            "write, block of a thread that ended", 64, WriteAfterFree, "after_free 64 first gone";
            "write, after realloc moved the block", 64, WriteAfterFree, "after_free 64 first realloc";
            "write, after realloc moved the block", 100_000, WriteAfterFree, "after_free 100000 first realloc";
            "write, after realloc moved the block", 5_000_000, WriteAfterFree, "after_free 5000000 first realloc";
            "read, after realloc moved the block", 64, ReadAfterFree, "after_free 64 read realloc";
            "write, after malloc_trim", 64, WriteAfterFree, "after_free 64 first trim";
            "write through a reference into a grown vector", 64, WriteAfterFree, "cxx reference_into_vector 64";
            "read of c_str() of a string that is gone", 64, ReadAfterFree, "cxx c_str_of_the_dead 64";
        }
        "Double free" {
            "in a row", 16, DoubleFree, "double_free in_a_row 16";
            "in a row", 64, DoubleFree, "double_free in_a_row 64";
            "in a row", 1000, DoubleFree, "double_free in_a_row 1000";
            "in a row", 20_000, DoubleFree, "double_free in_a_row 20000";
            "in a row", 100_000, DoubleFree, "double_free in_a_row 100000";
            "in a row", 5_000_000, DoubleFree, "double_free in_a_row 5000000";
            "in a row, of calloc", 64, DoubleFree, "double_free calloc 64";
            "in a row, of memalign to 4096", 64, DoubleFree, "double_free aligned 64";
            "in a row, of memalign to 4096", 100_000, DoubleFree, "double_free aligned 100000";
            "one free between", 64, DoubleFree, "double_free one_between 64";
            "one free between", 20_000, DoubleFree, "double_free one_between 20000";
            "one free between", 100_000, DoubleFree, "double_free one_between 100000";
            "one free between", 5_000_000, DoubleFree, "double_free one_between 5000000";
            "two frees between", 64, DoubleFree, "double_free two_between 64";
            "100 frees between", 64, DoubleFree, "double_free many_between 64";
            "100 frees between", 1000, DoubleFree, "double_free many_between 1000";
            "100 frees between", 20_000, DoubleFree, "double_free many_between 20000";
            "thousands of frees between", 64, DoubleFree, "double_free thousands_between 64";
            "thousands of frees between", 1000, DoubleFree, "double_free thousands_between 1000";
            "frees of 4 MiB between", 100_000, DoubleFreeOfNothing, "double_free thousands_between 100000";
            "5 frees between, then the end of main", 64, DoubleFree, "double_free then_exit 64";
            "5 frees between, then the end of main", 20_000, DoubleFree, "double_free then_exit 20000";
            "5 frees between, second in a thread that ends", 64, DoubleFree, "double_free then_thread_exit 64";
            "first in a thread that ended", 64, DoubleFree, "double_free other_thread 64";
            "first in a thread that ended", 100_000, DoubleFree, "double_free other_thread 100000";
            "first in a thread that ended", 5_000_000, DoubleFree, "double_free other_thread 5000000";
            "first in a thread that sleeps on", 64, DoubleFree, "double_free thread_that_lives 64";
            "second in a thread that sleeps on", 64, DoubleFree, "double_free second_thread_lives 64";
            "in two threads that sleep on", 64, DoubleFreeInSleepers, "double_free both_threads_live 64";
            "in two threads", 64, DoubleFree, "double_free two_threads 64";
            "in two threads at the same time", 64, DoubleFree, "double_free race 64";
            "in two threads at the same time", 100_000, DoubleFree, "double_free race 100000";
            "block of a thread that freed it and ended", 64, DoubleFree, "double_free ended_thread 64";
            "malloc_trim between", 64, DoubleFree, "double_free trim 64";
            "malloc_trim between", 100_000, DoubleFree, "double_free trim 100000";
            "malloc_trim between", 5_000_000, DoubleFree, "double_free trim 5000000";
            "all else freed and trimmed between", 64, DoubleFreeOfNothing, "double_free trim_of_all 64";
            "all else freed and trimmed between", 100_000, DoubleFreeOfNothing, "double_free trim_of_all 100000";
            "first by realloc to 0", 64, DoubleFree, "double_free realloc_to_0 64";
            "second by realloc", 64, DoubleFree, "double_free realloc 64";
            "second by realloc", 100_000, DoubleFree, "double_free realloc 100000";
            "second by realloc", 5_000_000, DoubleFree, "double_free realloc 5000000";
            "second by realloc, 100 frees between", 64, DoubleFree, "double_free realloc_later 64";
            "realloc to the same size between", 64, DoubleFree, "double_free realloc_in_place 64";
            "of the old address, after realloc moved the block", 64, DoubleFree, "double_free moved 64";
            "of the old address, after realloc moved the block", 100_000, DoubleFree, "double_free moved 100000";
            "of the old address, after realloc moved the block", 5_000_000, DoubleFree, "double_free moved 5000000";
            "by free_sized", 64, DoubleFree, "double_free sized 64";
            "second by cfree", 64, DoubleFree, "double_free cfree 64";
            "by delete", 64, DoubleFree, "cxx delete_twice 64";
            "by delete", 100_000, DoubleFree, "cxx delete_twice 100000";
            "by delete[]", 64, DoubleFree, "cxx delete_array_twice 64";
            "by free and delete", 64, DoubleFree, "cxx free_then_delete 64";
            "by two unique_ptr", 64, DoubleFree, "cxx two_owners 64";
            "in an exit handler", 64, DoubleFree, "double_free at_exit 64";
            "in an exit handler", 100_000, DoubleFree, "double_free at_exit 100000";
            "in a destructor of the program", 64, DoubleFree, "double_free destructor 64";
            "in a child after fork", 64, DoubleFree, "double_free child 64";
            "in a child after fork", 5_000_000, DoubleFree, "double_free child 5000000";
            "of a new owner's block, who then frees it", 64, DoubleFree, "double_free new_owner 64";
            "of a new owner's block, who then frees it", 100_000, DoubleFree, "double_free new_owner 100000";
            "5 frees between, then both copies are handed out", 64, DoubleFreeHandedOut, "double_free both_handed_out 64";
        }
        "Invalid free" {
            "a variable on the stack", 0, InvalidFree, "invalid_free stack 64 0";
            "a static variable", 0, InvalidFree, "invalid_free static 64 0";
            "a string literal", 0, InvalidFree, "invalid_free literal 64 0";
            "a function", 0, InvalidFree, "invalid_free function 64 0";
            "a variable of the environment", 0, InvalidFree, "invalid_free environment 64 0";
            "a page of the program's own mapping", 0, InvalidFree, "invalid_free mapped 65536 4096";
            "an address that is not mapped any more", 0, InvalidFree, "invalid_free unmapped 65536 0";
            "address 1", 0, InvalidFree, "invalid_free at 64 0x1";
            "the first page", 0, InvalidFree, "invalid_free at 64 0xff0";
            "an address of the kernel", 0, InvalidFree, "invalid_free at 64 0xffffffffff600000";
            "an address that cannot be", 0, InvalidFree, "invalid_free at 64 0xdead000000000000";
            "a block of another heap", 100, InvalidFree, "invalid_free other_heap 100 0";
            "a block of another heap", 200_000, InvalidFree, "invalid_free other_heap 200000 0";
            "the allocator's own tables", 0, InvalidFree, "invalid_free own_tables 64 0";
            "the allocator's own tables, further in", 0, InvalidFree, "invalid_free own_tables 64 4096";
            "64 MiB after a block", 64, InvalidFree, "invalid_free far 64 0x4000000";
            "16 GiB after a block", 64, InvalidFree, "invalid_free far 64 0x400000000";
            "the inside, 1 byte in", 64, InteriorFree, "invalid_free inside 64 1";
            "the inside, 16 bytes in", 64, InteriorFree, "invalid_free inside 64 16";
            "the inside, half of it", 1000, InteriorFree, "invalid_free inside 1000 496";
            "the inside, 4096 bytes in", 20_000, InteriorFree, "invalid_free inside 20000 4096";
            "the inside, 16 bytes in", 100_000, InteriorFree, "invalid_free inside 100000 16";
            "the inside, a page in", 100_000, InteriorFree, "invalid_free inside 100000 4096";
            "the inside, 64 KiB in", 1_000_000, InteriorFree, "invalid_free inside 1000000 65536";
            "the inside, 16 bytes in", 5_000_000, InteriorFree, "invalid_free inside 5000000 16";
            "the inside, a page in", 5_000_000, InteriorFree, "invalid_free inside 5000000 4096";
            "the inside, 4 MiB in", 5_000_000, InteriorFree, "invalid_free inside 5000000 0x400000";
            "16 bytes before the start", 64, NeverHandedOut, "invalid_free before 64 16";
            "16 bytes before the start", 100_000, NeverHandedOut, "invalid_free before 100000 16";
            "16 bytes before the start", 5_000_000, NeverHandedOut, "invalid_free before 5000000 16";
            "the end of the last block", 64, NeverHandedOut, "invalid_free behind_last 64 0";
            "the end of the last block", 40, NeverHandedOut, "invalid_free behind_last 40 0";
            "the end of the last block", 102_400, NeverHandedOut, "invalid_free behind_last 102400 0";
            "the end of the last block", 5_001_216, NeverHandedOut, "invalid_free behind_last 5001216 0";
            "an object that was never handed out", 64, NeverHandedOut, "invalid_free never_handed_out 64 64";
            "an object that was never handed out, then the end of main", 64, NeverHandedOut, "invalid_free never_handed_out 64 64 exit";
            "realloc of a variable on the stack", 0, InvalidFree, "invalid_free stack 64 0 realloc";
            "realloc of 16 bytes before the start", 5_000_000, NeverHandedOut, "invalid_free before 5000000 16 realloc";
            "realloc of the inside", 64, InteriorFree, "invalid_free inside 64 16 realloc";
            "realloc of the inside", 100_000, InteriorFree, "invalid_free inside 100000 4096 realloc";
            "realloc of the inside", 5_000_000, InteriorFree, "invalid_free inside 5000000 4096 realloc";
            "free_sized of the inside", 64, InteriorFree, "invalid_free inside 64 16 sized";
            "delete of a variable on the stack", 0, InvalidFree, "cxx delete_stack 64";
            "delete of the inside", 64, InteriorFree, "cxx delete_inside 64";
            "delete of what new[] gave for objects with destructors", 280, InteriorFree, "cxx delete_for_delete_array";
        }
        "Asking for the size of what is no block" {
            "a variable on the stack", 0, None, "invalid_free stack 64 0 usable";
            "address 1", 0, None, "invalid_free at 64 0x1 usable";
            "16 bytes before the start", 64, None, "invalid_free before 64 16 usable";
            "16 bytes before the start", 100_000, None, "invalid_free before 100000 16 usable";
            "16 bytes before the start", 5_000_000, None, "invalid_free before 5000000 16 usable";
            "the inside", 64, None, "invalid_free inside 64 16 usable";
            "the inside", 100_000, None, "invalid_free inside 100000 4096 usable";
            "the inside", 5_000_000, None, "invalid_free inside 5000000 4096 usable";
            "the allocator's own tables", 0, None, "invalid_free own_tables 64 4096 usable";
            "64 MiB after a block", 64, None, "invalid_free far 64 0x4000000 usable";
        }
        "A wrong size" {
            "free_sized, a byte more", 64, WrongSize, "wrong_size free_sized 64 65 0";
            "free_sized, a byte less", 64, WrongSize, "wrong_size free_sized 64 63 0";
            "free_sized, a quarter", 64, WrongSize, "wrong_size free_sized 64 16 0";
            "free_sized, 64 times as much", 64, WrongSize, "wrong_size free_sized 64 4096 0";
            "free_sized, twice as much", 100_000, WrongSize, "wrong_size free_sized 100000 200000 0";
            "free_sized, as if small", 100_000, WrongSize, "wrong_size free_sized 100000 64 0";
            "free_sized, as if small", 5_000_000, WrongSize, "wrong_size free_sized 5000000 64 0";
            "free_sized, twice as much", 5_000_000, WrongSize, "wrong_size free_sized 5000000 10000000 0";
            "free_aligned_sized, twice as much", 256, WrongSize, "wrong_size free_aligned_sized 256 512 64";
            "free_aligned_sized, a quarter", 1024, WrongSize, "wrong_size free_aligned_sized 1024 256 64";
            "free_aligned_sized, twice as much", 100_000, WrongSize, "wrong_size free_aligned_sized 100000 200000 4096";
            "sized delete, 64 times as much", 64, WrongSize, "wrong_size _ZdlPvm 64 4096 0";
            "sized delete, a quarter", 64, WrongSize, "wrong_size _ZdlPvm 64 16 0";
            "sized delete, twice as much", 100_000, WrongSize, "wrong_size _ZdlPvm 100000 200000 0";
            "sized delete, as if small", 5_000_000, WrongSize, "wrong_size _ZdlPvm 5000000 64 0";
            "sized delete[], twice as much", 1000, WrongSize, "wrong_size _ZdaPvm 1000 2000 0";
            "sized aligned delete, twice as much", 256, WrongSize, "wrong_size _ZdlPvmSt11align_val_t 256 512 64";
            "derived class deleted through its base, no virtual destructor", 224, WrongSize, "cxx base_without_virtual_destructor";
        }
        "Reading what was never written" {
            "malloc, fresh", 64, NotWritten, "not_written fresh 64";
            "malloc, fresh", 1000, NotWritten, "not_written fresh 1000";
            "malloc, fresh", 100_000, NotWritten, "not_written fresh 100000";
            "malloc, fresh", 5_000_000, NotWritten, "not_written fresh 5000000";
            "malloc, used before", 64, NotWritten, "not_written recycled 64";
            "malloc, used before", 100_000, NotWritten, "not_written recycled 100000";
            "memalign to 4096", 64, NotWritten, "not_written aligned 64";
            "what realloc added", 1000, NotWritten, "not_written grown 1000";
            "what realloc added", 200_000, NotWritten, "not_written grown 200000";
            "what realloc added", 10_000_000, NotWritten, "not_written grown 10000000";
            "operator new", 64, NotWritten, "not_written new 64";
        }
        "Attempts on the allocator's own state" {
            "a mebibyte written after the end", 64, Overflow, "flood over 64";
            "a mebibyte written after the end", 1000, Overflow, "flood over 1000";
            "a mebibyte written after the end", 100_000, Overflow, "flood over 100000";
            "a mebibyte written after the end", 5_000_000, Overflow, "flood over 5000000";
            "a mebibyte written before the start", 64, Underflow, "flood under 64";
            "a mebibyte written before the start", 100_000, Underflow, "flood under 100000";
            "a mebibyte written before the start", 5_000_000, Underflow, "flood under 5000000";
            "a page written after the end, towards the allocator's own tables", 5_000_000, Overflow, "flood below_tables 5000000 4096";
            "64 KiB written after the end, towards the allocator's own tables", 5_000_000, Overflow, "flood below_tables 5000000 65536";
            "1 KiB written after the end of the first block", 5_000_000, Overflow, "flood first_over 5000000 1024";
            "8 KiB written after the end of the first block", 5_000_000, Overflow, "flood first_over 5000000 8192";
            "16 KiB written before the start of the last block", 5_000_000, Underflow, "flood last_under 5000000 16384";
            "all freed blocks overwritten", 64, WriteAfterFree, "flood freed 64";
            "all freed blocks overwritten", 5000, WriteAfterFree, "flood freed 5000";
            "all freed blocks overwritten", 100_000, WriteAfterFree, "flood freed 100000";
            "all freed blocks overwritten", 5_000_000, WriteAfterFree, "flood freed 5000000";
            "freed blocks overwritten and taken again, 20 times", 64, WriteAfterFree, "flood freed_in_turns 64";
            "freed blocks overwritten and taken again, 20 times", 1000, WriteAfterFree, "flood freed_in_turns 1000";
            "freed blocks overwritten and taken again, 20 times", 100_000, WriteAfterFree, "flood freed_in_turns 100000";
            "all freed blocks overwritten after malloc_trim", 64, WriteAfterFree, "flood freed_and_trimmed 64";
            "all freed blocks overwritten after malloc_trim", 100_000, WriteAfterFree, "flood freed_and_trimmed 100000";
        }
    }
}
