//! Recorded calls of real programs: how they are stored, and how they are read back.
//!
//! A file is one deflate stream. Unpacked it is a sequence of unsigned varints (seven bits a byte,
//! lowest first, the high bit set on all but the last): the version, the number of block ids, the
//! number of calls, then the calls. A call is `kind | thread << 3`, the block's id, and for all
//! but `free` the size; for `memalign` the alignment's logarithm follows. Ids are reused lowest
//! first, so that they stay small; `realloc` keeps its block's id.

#![forbid(unsafe_code)]

use core::fmt::Display;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::mapped::Mapped;

const VERSION: u64 = 1;

/// One call, its block named by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `malloc(size)`
    Malloc {
        /// The id that the result gets.
        block: u32,
        /// In bytes.
        size: u32,
    },
    /// `calloc(1, size)`
    Calloc {
        /// The id that the result gets.
        block: u32,
        /// In bytes.
        size: u32,
    },
    /// `realloc(block, size)`
    Realloc {
        /// The id of the block, before and after.
        block: u32,
        /// In bytes.
        size: u32,
    },
    /// `memalign(1 << alignment, size)`
    Memalign {
        /// The id that the result gets.
        block: u32,
        /// In bytes.
        size: u32,
        /// The alignment's logarithm.
        alignment: u8,
    },
    /// `free(block)`
    Free {
        /// The id, which may be given again.
        block: u32,
    },
}

/// A whole recording.
#[derive(Debug)]
pub struct Trace {
    /// Ids are below this.
    pub blocks: usize,
    /// In the order in which they happened, over all threads.
    pub calls: Mapped<Call>,
}

impl Trace {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is no trace.
    pub fn load(path: &Path) -> std::io::Result<Self> {
        let mut input = Varints(BufReader::new(DeflateDecoder::new(BufReader::new(
            File::open(path)?,
        ))));
        if input.next()? != VERSION {
            return Err(bad("another version of the format"));
        }
        let blocks = input.next()? as usize;
        let count = input.next()? as usize;
        let mut failed = None;
        let calls = Mapped::filled(count, |_| {
            let call = input.call(blocks);
            call.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                Call::Free { block: 0 }
            })
        });
        failed.map_or(Ok(Self { blocks, calls }), Err)
    }

    /// A few calls, for use without a file.
    #[must_use]
    pub fn example() -> Self {
        let calls = [
            Call::Malloc {
                block: 0,
                size: 100,
            },
            Call::Calloc {
                block: 1,
                size: 5000,
            },
            Call::Realloc {
                block: 0,
                size: 100_000,
            },
            Call::Memalign {
                block: 2,
                size: 3,
                alignment: 6,
            },
            Call::Free { block: 1 },
            Call::Free { block: 0 },
        ];
        Self {
            blocks: 3,
            calls: Mapped::filled(calls.len(), |index| calls[index]),
        }
    }
}

/// Writes calls to a file; `threads` gives each call's thread, counted from zero.
///
/// # Errors
///
/// When the file cannot be written.
pub fn store(path: &Path, blocks: usize, calls: &[Call], threads: &[u32]) -> std::io::Result<()> {
    let mut output = DeflateEncoder::new(BufWriter::new(File::create(path)?), Compression::best());
    for number in [VERSION, blocks as u64, calls.len() as u64] {
        write(&mut output, number)?;
    }
    for (&call, &thread) in calls.iter().zip(threads) {
        let (kind, block, rest) = parts(call);
        write(&mut output, kind | u64::from(thread) << 3)?;
        write(&mut output, u64::from(block))?;
        rest.into_iter()
            .flatten()
            .try_for_each(|number| write(&mut output, number))?;
    }
    output.finish()?.flush()
}

fn parts(call: Call) -> (u64, u32, [Option<u64>; 2]) {
    match call {
        Call::Malloc { block, size } => (0, block, [Some(size.into()), None]),
        Call::Calloc { block, size } => (1, block, [Some(size.into()), None]),
        Call::Realloc { block, size } => (2, block, [Some(size.into()), None]),
        Call::Memalign {
            block,
            size,
            alignment,
        } => (3, block, [Some(size.into()), Some(alignment.into())]),
        Call::Free { block } => (4, block, [None, None]),
    }
}

fn write(output: &mut impl Write, mut number: u64) -> std::io::Result<()> {
    let mut bytes = [0; 10];
    let mut len = 0;
    loop {
        bytes[len] = (number & 0x7f) as u8;
        number >>= 7;
        len += 1;
        if number == 0 {
            return output.write_all(&bytes[..len]);
        }
        bytes[len - 1] |= 0x80;
    }
}

struct Varints<R>(R);

impl<R: Read> Varints<R> {
    fn next(&mut self) -> std::io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(number);
            }
        }
        Err(bad("a number without an end"))
    }

    fn small(&mut self) -> std::io::Result<u32> {
        u32::try_from(self.next()?).map_err(bad)
    }

    fn call(&mut self, blocks: usize) -> std::io::Result<Call> {
        let kind = self.next()? & 7;
        let block = self.small()?;
        if block as usize >= blocks {
            return Err(bad("a block id out of range"));
        }
        Ok(match kind {
            0 => Call::Malloc {
                block,
                size: self.small()?,
            },
            1 => Call::Calloc {
                block,
                size: self.small()?,
            },
            2 => Call::Realloc {
                block,
                size: self.small()?,
            },
            3 => Call::Memalign {
                block,
                size: self.small()?,
                alignment: (self.small()? & 31) as u8,
            },
            4 => Call::Free { block },
            _ => return Err(bad("an unknown call")),
        })
    }
}

fn bad(reason: impl Display) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Trace, store};

    #[test]
    fn what_is_stored_is_loaded() {
        let path = std::env::temp_dir().join(format!("trace-{}.bin", std::process::id()));
        let example = Trace::example();
        store(&path, example.blocks, &example.calls, &[0, 1, 0, 2, 0, 0]).expect("stored");
        let loaded = Trace::load(&path).expect("loaded");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(
            (loaded.blocks, &*loaded.calls),
            (example.blocks, &*example.calls)
        );
    }
}
