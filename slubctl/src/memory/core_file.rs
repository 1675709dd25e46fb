//! A core file: its segments, and the files that were mapped for what the kernel left out of it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::Endianness;
use object::elf::{FileHeader64, NT_FILE, NT_PRPSINFO, PF_X, PT_LOAD, PT_NOTE};
use object::read::elf::{FileHeader, ProgramHeader};

use super::{Mapping, Memory, number, printable};

/// Bytes at the beginning in which headers and notes are looked for.
const LONGEST: u64 = 8 << 20;

/// A segment: addresses, and where their bytes lie in the file.
#[derive(Debug)]
struct Segment {
    address: u64,
    bytes: u64,
    file_bytes: u64,
    offset: u64,
    flags: u32,
}

/// A core file.
#[derive(Debug)]
pub struct CoreFile {
    file: File,
    segments: Vec<Segment>,
    mappings: Vec<Mapping>,
    /// What stands in for the first mapped file.
    program: Option<PathBuf>,
    /// The program's name.
    pub command: String,
}

impl CoreFile {
    /// The core file at `path`; `program` is what it is the core of, if that is not where it was.
    pub fn open(path: &Path, program: Option<&Path>) -> Result<Self> {
        let shown = path.display();
        let file = File::open(path).with_context(|| shown.to_string())?;
        let size = file.metadata()?.len();
        let mut start = vec![0; size.min(LONGEST) as usize];
        // Headers, and then the notes, are at the beginning.
        file.read_exact_at(&mut start, 0)?;
        let mut core = Self {
            file,
            segments: Vec::new(),
            mappings: Vec::new(),
            program: program.map(Path::to_owned),
            command: "?".to_owned(),
        };
        core.parse(&start)
            .with_context(|| format!("{shown} is no core file of a 64-bit program"))?;
        Ok(core)
    }

    fn parse(&mut self, data: &[u8]) -> Result<()> {
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        if header.e_type.get(endian) != object::elf::ET_CORE {
            bail!("it is an ELF file of another kind");
        }
        for segment in header.program_headers(endian, data)? {
            match segment.p_type.get(endian) {
                PT_LOAD => self.segments.push(Segment {
                    address: segment.p_vaddr.get(endian),
                    bytes: segment.p_memsz.get(endian),
                    file_bytes: segment.p_filesz.get(endian),
                    offset: segment.p_offset.get(endian),
                    flags: segment.p_flags.get(endian),
                }),
                PT_NOTE => {
                    let Some(mut notes) = segment.notes(endian, data)? else {
                        continue;
                    };
                    while let Some(note) = notes.next()? {
                        match note.n_type(endian) {
                            NT_FILE => self.mappings = mapped_files(note.desc())?,
                            NT_PRPSINFO => self.command = command(note.desc()),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn segment(&self, address: u64) -> Option<&Segment> {
        let holds = |it: &&Segment| address.wrapping_sub(it.address) < it.bytes;
        self.segments.iter().find(holds)
    }

    /// Reads what no segment has from the file that was mapped there.
    fn read_mapped(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        let Some(index) = (self.mappings.iter()).position(|it| it.range.contains(&address)) else {
            bail!("the core file has nothing at {address:#x}");
        };
        let mapping = &self.mappings[index];
        let first = &self.mappings[0].name;
        let path = match &self.program {
            Some(program) if mapping.name == *first => program.clone(),
            _ => PathBuf::from(&mapping.name),
        };
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        let offset = (address - mapping.range.start).saturating_add(mapping.offset);
        file.read_exact_at(buffer, offset)
            .with_context(|| path.display().to_string())
    }
}

/// The name in `struct elf_prpsinfo`: 16 bytes, 40 from the beginning.
fn command(data: &[u8]) -> String {
    let name = data.get(40..56).unwrap_or_default();
    let end = name
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(name.len());
    printable(&String::from_utf8_lossy(&name[..end]))
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

impl Memory for CoreFile {
    fn read(&self, mut address: u64, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            let segment = self.segment(address);
            let inside = segment.map_or(0, |it| it.file_bytes.saturating_sub(address - it.address));
            let outside = segment.map_or(4096, |it| it.bytes - (address - it.address));
            let length = if inside > 0 { inside } else { outside };
            let length = buffer.len().min(usize::try_from(length)?);
            let (part, rest) = buffer.split_at_mut(length);
            match segment.filter(|_| inside > 0) {
                Some(it) => {
                    let offset = it.offset.saturating_add(address - it.address);
                    let read = self.file.read_exact_at(part, offset);
                    read.context("the core file is cut off")?;
                }
                None => self.read_mapped(address, part)?,
            }
            let Some(next) = address.checked_add(length as u64) else {
                bail!("the core file has nothing there");
            };
            (address, buffer) = (next, rest);
        }
        Ok(())
    }

    fn mappings(&self) -> Result<Vec<Mapping>> {
        let of_segment = |it: &Segment| Mapping {
            range: it.address..it.address.saturating_add(it.bytes),
            offset: 0,
            name: String::new(),
        };
        // Where the kernel wrote no list of files the segments themselves are looked at.
        Ok(match self.mappings.is_empty() {
            true => self.segments.iter().map(of_segment).collect(),
            false => self.mappings.clone(),
        })
    }

    fn resident(&self, address: u64, pages: usize) -> Option<Vec<bool>> {
        let is_there = |page: u64| {
            let at = address.saturating_add(page * 4096);
            self.segment(at)
                .is_some_and(|it| at - it.address < it.file_bytes)
        };
        Some((0..pages as u64).map(is_there).collect())
    }

    fn is_code(&self, _: u64, address: u64) -> bool {
        let segment = self.segment(address);
        segment.is_none_or(|it| it.flags & PF_X != 0)
    }

    fn page_bytes(&self) -> u64 {
        4096
    }
}
