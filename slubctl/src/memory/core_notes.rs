//! What the notes of a core file say: the files that were mapped, the program's name, and where its headers were.

use anyhow::{Result, bail};
use object::Endianness;
use object::elf::{FileHeader64, NT_AUXV, NT_FILE, NT_PRPSINFO};
use object::read::elf::NoteIterator;

use super::{Mapping, number, printable};

/// Keys of the auxiliary vector (getauxval(3)): the program's headers, and bytes of a page.
const AT_PHDR: u64 = 3;
const AT_PAGESZ: u64 = 6;

/// What they say.
#[derive(Debug)]
pub(super) struct Notes {
    /// Files by address.
    pub(super) mappings: Vec<Mapping>,
    /// The program's name.
    pub(super) command: String,
    /// Where the program's headers were; 0 where nothing says so.
    pub(super) headers: u64,
    /// Bytes of a page.
    pub(super) page_bytes: u64,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            mappings: Vec::new(),
            command: "?".to_owned(),
            headers: 0,
            page_bytes: 4096,
        }
    }
}

impl Notes {
    /// Adds what the notes of a segment say.
    pub(super) fn add(
        &mut self,
        mut notes: NoteIterator<'_, FileHeader64<Endianness>>,
        endian: Endianness,
    ) -> Result<()> {
        while let Some(note) = notes.next()? {
            match note.n_type(endian) {
                NT_FILE => self.mappings = mapped_files(note.desc())?,
                NT_PRPSINFO => self.command = command(note.desc()),
                NT_AUXV => self.add_auxiliary(note.desc()),
                _ => {}
            }
        }
        Ok(())
    }

    fn add_auxiliary(&mut self, data: &[u8]) {
        let words: Vec<u64> = data.chunks_exact(8).filter_map(number).collect();
        for pair in words.chunks_exact(2) {
            match *pair {
                [AT_PHDR, address] => self.headers = address,
                [AT_PAGESZ, bytes @ 0x1000..=0x1_0000] if bytes.is_power_of_two() => {
                    self.page_bytes = bytes;
                }
                _ => {}
            }
        }
    }

    /// The name of the program's file: what its headers are mapped from, or else the first file.
    pub(super) fn program(&self) -> Option<&str> {
        let of_headers = |it: &&Mapping| it.range.contains(&self.headers);
        let mapping = self.mappings.iter().find(of_headers);
        let mapping = mapping.or(self.mappings.first())?;
        Some(&mapping.name)
    }
}

/// The name in `struct elf_prpsinfo`: 16 bytes, 40 from the beginning.
fn command(data: &[u8]) -> String {
    let name = data.get(40..56).unwrap_or_default();
    let end = name.iter().position(|byte| *byte == 0);
    let name = &name[..end.unwrap_or(name.len())];
    printable(&String::from_utf8_lossy(name))
}

/// The files of an `NT_FILE` note: their number, the page size, three words for each, and then the names.
fn mapped_files(data: &[u8]) -> Result<Vec<Mapping>> {
    let words: Vec<u64> = data.chunks_exact(8).filter_map(number).collect();
    let [count, page, rest @ ..] = words.as_slice() else {
        bail!("its list of files is cut off");
    };
    let count = usize::try_from(*count).unwrap_or(usize::MAX);
    let names = count.saturating_mul(24).saturating_add(16);
    let mut names = data
        .get(names..)
        .unwrap_or_default()
        .split(|byte| *byte == 0);
    let mapping = |words: &[u64]| Mapping {
        range: words[0]..words[1],
        offset: words[2].saturating_mul(*page),
        name: String::from_utf8_lossy(names.next().unwrap_or_default()).into_owned(),
    };
    Ok(rest.chunks_exact(3).take(count).map(mapping).collect())
}
