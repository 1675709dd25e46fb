//! The target's memory, wherever it is: a running process, a core file, or a test's own bytes.
//!
//! # Invariant
//!
//! Nothing here writes to the target or stops it. An address may be anything: what cannot be read is an error.

mod build_id;
mod core_file;
mod core_files;
mod core_notes;
mod entries;
mod process;
mod program;
mod scan;
mod words;

use std::ops::Range;

use anyhow::{Result, bail};

pub(crate) use build_id::of_file as build_id_of_file;
pub use core_file::CoreFile;
pub use core_files::{OtherBuild, Places};
pub(crate) use process::refused;
pub use process::{Process, Refused, is_root};
pub use words::{Bytes, number};

/// The longest piece that is read at once. No table that is read whole is longer.
const LONGEST: usize = 4 << 20;

/// A part of the target's address space that comes from a file or begins with one.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Its addresses.
    pub range: Range<u64>,
    /// Where in its file it begins.
    pub offset: u64,
    /// What the kernel calls it.
    pub name: String,
}

/// What a page has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// No memory of its own: it was never written to, and reads as zeroes.
    #[default]
    Untouched,
    /// It was swapped out.
    Swapped,
    /// Memory.
    Resident,
}

/// What can be read of a target.
pub trait Memory {
    /// Fills `buffer` with the bytes at `address`.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()>;

    /// The mappings that may be programs and libraries.
    fn mappings(&self) -> Result<Vec<Mapping>>;

    /// Says of each page from the one at `address` on what it has; `None` where nobody knows.
    fn pages(&self, address: u64, pages: usize) -> Option<Vec<Page>>;

    /// Whether code of the file that is mapped at `start` is mapped at `address`, as far as is known.
    fn is_code(&self, _start: u64, _address: u64) -> bool {
        true
    }

    /// Bytes of a page.
    fn page_bytes(&self) -> u64;

    /// Reads a word at each address; `None` for one that cannot be read.
    fn read_words(&self, addresses: &[u64]) -> Vec<Option<u64>> {
        let word = |address: &u64| {
            let mut word = [0; 8];
            self.read(*address, &mut word).ok()?;
            Some(u64::from_le_bytes(word))
        };
        addresses.iter().map(word).collect()
    }

    /// The `bytes` bytes at `address`.
    fn bytes(&self, address: u64, bytes: u64) -> Result<Vec<u8>> {
        let Some(bytes) = usize::try_from(bytes).ok().filter(|it| *it <= LONGEST) else {
            bail!("damaged tables: {bytes} bytes at {address:#x}");
        };
        let mut buffer = vec![0; bytes];
        self.read(address, &mut buffer)?;
        Ok(buffer)
    }

    /// As [`Self::bytes`], but untouched pages are passed over and read as zeroes: a look would give them some.
    fn touched_bytes(&self, address: u64, bytes: u64) -> Result<Vec<u8>> {
        let page = self.page_bytes();
        let Some(end) = address.checked_add(bytes) else {
            bail!("damaged tables: {bytes} bytes at {address:#x}");
        };
        let first = address / page;
        let pages = (end.div_ceil(page) - first) as usize;
        if bytes > LONGEST as u64 {
            bail!("damaged tables: {bytes} bytes at {address:#x}");
        }
        let Some(touched) = self.pages(first * page, pages) else {
            return self.bytes(address, bytes);
        };
        let mut buffer = vec![0; bytes as usize];
        let mut index = 0;
        while index < pages {
            let has_any = |it: &&Page| **it != Page::Untouched;
            let run = touched[index..].iter().take_while(has_any).count();
            if run == 0 {
                index += 1;
                continue;
            }
            let start = ((first + index as u64) * page).max(address);
            let stop = ((first + (index + run) as u64) * page).min(end);
            let part = (start - address) as usize..(stop - address) as usize;
            self.read(start, &mut buffer[part])?;
            index += run;
        }
        Ok(buffer)
    }
}

/// The build ID of the image that is mapped at `start`.
pub(crate) fn build_id_of_image(memory: &dyn Memory, start: u64) -> Option<String> {
    build_id::of_image(start, |address, bytes| memory.read(address, bytes))
}

/// A name that the target chose, for terminals: control characters are not for them.
pub(crate) fn printable(name: &str) -> String {
    let plain = |it: char| if it.is_control() { '?' } else { it };
    name.chars().map(plain).collect()
}
