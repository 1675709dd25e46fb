//! Where a target has copies of the library: ELF images in its memory that carry the note.
//!
//! # Invariant
//!
//! Everything is read from memory: the file may have been replaced, or be in another mount namespace.

use anyhow::Result;
use object::Endianness;
use object::elf::{FileHeader64, PF_X, PT_LOAD, PT_NOTE};
use object::read::elf::{FileHeader, NoteIterator};

use crate::directory::Directory;
use crate::memory::{Memory, Refused, number};

/// The note's name and type.
const NAME: &[u8] = b"slubmalloc";
const TYPE: u32 = 1;
/// Bytes of an image's beginning in which its program headers are.
const HEADERS: usize = 4096;
/// No segment of notes is longer.
const MOST_NOTES: u64 = 64 << 10;
/// Most copies that are listed.
const MOST_COPIES: usize = 64;

/// A copy of the library.
#[derive(Clone, Debug)]
pub struct Image {
    /// What the kernel calls the file.
    pub name: String,
    /// The directory's address.
    pub directory: u64,
}

/// All copies of the library in a target, by address.
pub fn find(memory: &dyn Memory) -> Result<Vec<Image>> {
    let mut found = Vec::new();
    for mapping in memory.mappings()? {
        if mapping.offset != 0 || found.len() == MOST_COPIES {
            continue;
        }
        let directory = match directory_of(memory, mapping.range.start) {
            // Who may see what is mapped need not be allowed to read it.
            Err(error) if error.is::<Refused>() => return Err(error),
            directory => directory.ok().flatten(),
        };
        // A loader may map a file's beginning twice.
        let is_new = |it: &u64| !found.iter().any(|image: &Image| image.directory == *it);
        let directory = directory.filter(is_new);
        found.extend(directory.map(|directory| Image {
            name: mapping.name,
            directory,
        }));
    }
    // What has no directory is named as damaged only if there is nothing else.
    if found.iter().any(|it| it.has_directory(memory)) {
        found.retain(|it| it.has_directory(memory));
    }
    Ok(found)
}

impl Image {
    fn has_directory(&self, memory: &dyn Memory) -> bool {
        Directory::is_at(memory, self.directory)
    }
}

/// The address of the directory that the image at `start` has a note of; none of a file that was mapped as plain data.
fn directory_of(memory: &dyn Memory, start: u64) -> Result<Option<u64>> {
    let mut head = [0; HEADERS];
    memory.read(start, &mut head[..64])?;
    if !head.starts_with(&object::elf::ELFMAG) {
        return Ok(None);
    }
    memory.read(start, &mut head)?;
    let header = FileHeader64::<Endianness>::parse(&head[..])?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, &head[..])?;
    let is_first = |it: &&object::elf::ProgramHeader64<Endianness>| {
        it.p_type.get(endian) == PT_LOAD && it.p_offset.get(endian) < HEADERS as u64
    };
    let Some(first) = segments.iter().find(is_first) else {
        return Ok(None);
    };
    let base = first
        .p_vaddr
        .get(endian)
        .wrapping_sub(first.p_offset.get(endian));
    let bias = start.wrapping_sub(base);
    let is_code = |it: &&object::elf::ProgramHeader64<Endianness>| {
        it.p_type.get(endian) == PT_LOAD && it.p_flags.get(endian) & PF_X != 0
    };
    let code = segments.iter().find(is_code);
    let code = code.map(|it| bias.wrapping_add(it.p_vaddr.get(endian)));
    if code.is_some_and(|address| !memory.is_code(start, address)) {
        return Ok(None);
    }
    for segment in segments
        .iter()
        .filter(|it| it.p_type.get(endian) == PT_NOTE)
    {
        let address = bias.wrapping_add(segment.p_vaddr.get(endian));
        let bytes = segment.p_memsz.get(endian).min(MOST_NOTES);
        let data = memory.bytes(address, bytes)?;
        let align = segment.p_align.get(endian);
        let mut notes = NoteIterator::<FileHeader64<Endianness>>::new(endian, align, &data)?;
        while let Some(note) = notes.next()? {
            if note.name() != NAME || note.n_type(endian) != TYPE {
                continue;
            }
            // An offset from itself.
            let place = note.desc().as_ptr() as usize - data.as_ptr() as usize;
            let offset = note.desc().get(..8).and_then(number).unwrap_or_default();
            return Ok(Some(
                address.wrapping_add(place as u64).wrapping_add(offset),
            ));
        }
    }
    Ok(None)
}
