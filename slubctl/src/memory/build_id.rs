//! Build IDs: which build of a program or library a file is, and which one was mapped.

use std::fmt::Write;
use std::fs::File;

use anyhow::Result;
use object::Endianness;
use object::elf::{FileHeader64, NT_GNU_BUILD_ID, PT_LOAD, PT_NOTE};
use object::read::elf::{FileHeader, NoteIterator};
use object::read::{ReadCache, ReadRef};

/// Bytes of an image's beginning in which its program headers are.
const HEADERS: usize = 4096;
/// No segment of notes is longer.
const MOST_NOTES: u64 = 64 << 10;

/// The build ID of a file, if it is an ELF file that has one.
pub(crate) fn of_file(file: File) -> Option<String> {
    let data = ReadCache::new(file);
    let header = FileHeader64::<Endianness>::parse(&data).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &data).ok()?;
    let notes = segments
        .iter()
        .filter(|it| it.p_type.get(endian) == PT_NOTE);
    for segment in notes.filter(|it| it.p_filesz.get(endian) <= MOST_NOTES) {
        let (offset, bytes) = (segment.p_offset.get(endian), segment.p_filesz.get(endian));
        let data = (&data).read_bytes_at(offset, bytes).ok()?;
        if let Some(found) = in_notes(data, segment.p_align.get(endian), endian) {
            return Some(found);
        }
    }
    None
}

/// The build ID of the image that is mapped at `start`, as far as `read` can tell.
pub(super) fn of_image(start: u64, read: impl Fn(u64, &mut [u8]) -> Result<()>) -> Option<String> {
    let mut head = [0; HEADERS];
    read(start, &mut head).ok()?;
    let header = FileHeader64::<Endianness>::parse(&head[..]).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &head[..]).ok()?;
    let first = segments
        .iter()
        .find(|it| it.p_type.get(endian) == PT_LOAD)?;
    let base = (first.p_vaddr.get(endian)).wrapping_sub(first.p_offset.get(endian));
    let bias = start.wrapping_sub(base);
    let notes = segments
        .iter()
        .filter(|it| it.p_type.get(endian) == PT_NOTE);
    for segment in notes.filter(|it| it.p_memsz.get(endian) <= MOST_NOTES) {
        let mut data = vec![0; segment.p_memsz.get(endian) as usize];
        if read(bias.wrapping_add(segment.p_vaddr.get(endian)), &mut data).is_err() {
            continue;
        }
        if let Some(found) = in_notes(&data, segment.p_align.get(endian), endian) {
            return Some(found);
        }
    }
    None
}

fn in_notes(data: &[u8], align: u64, endian: Endianness) -> Option<String> {
    let mut notes = NoteIterator::<FileHeader64<Endianness>>::new(endian, align, data).ok()?;
    while let Ok(Some(note)) = notes.next() {
        if note.name() == b"GNU" && note.n_type(endian) == NT_GNU_BUILD_ID {
            let mut text = String::new();
            for byte in note.desc() {
                let _ = write!(text, "{byte:02x}");
            }
            return Some(text);
        }
    }
    None
}
