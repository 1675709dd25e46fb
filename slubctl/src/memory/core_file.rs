//! A core file: its segments, and the files that were mapped for what was left out of it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Error, Result, bail};
use nix::unistd::{Whence, lseek};
use object::Endianness;
use object::elf::{FileHeader64, PF_X, PT_LOAD, PT_NOTE};
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};

use super::core_files::{OtherBuild, Places};
use super::core_notes::Notes;
use super::{Mapping, Memory, Page};

/// No notes are longer: a kibibyte or two for each thread, and the names of files.
const MOST_NOTES: u64 = 64 << 20;

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
    /// By address.
    segments: Vec<Segment>,
    pub(super) notes: Notes,
    /// Bytes that the file has, and that it should have.
    length: u64,
    whole: u64,
    /// Whether something was read that is missing.
    has_missed: Cell<bool>,
    pub(super) places: Places,
    /// Whether the file has holes, so that what it has is what was there.
    has_holes: bool,
    /// Files that were opened, by name, or why not.
    files: RefCell<HashMap<String, Result<File, String>>>,
    /// What is wrong with the first file that is of another build.
    pub(super) other: RefCell<Option<OtherBuild>>,
}

impl CoreFile {
    /// The core file at `path`.
    pub fn open(path: &Path, places: Places) -> Result<Self> {
        let shown = path.display();
        let file = File::open(path).with_context(|| shown.to_string())?;
        let mut core = Self {
            has_holes: false,
            file,
            segments: Vec::new(),
            notes: Notes::default(),
            length: 0,
            whole: 0,
            has_missed: Cell::new(false),
            places,
            files: RefCell::default(),
            other: RefCell::default(),
        };
        core.length = core.file.metadata()?.len();
        let parsed = core.parse();
        if let Some(cut) = core.cut() {
            // What comes last may be the notes.
            parsed.with_context(|| format!("{shown} is {cut}"))?;
        } else {
            parsed.with_context(|| format!("{shown} is no core file of a 64-bit program"))?;
        }
        core.has_holes = core
            .data_until(0, Whence::SeekHole)
            .is_some_and(|end| end < core.length);
        core.check_places()?;
        Ok(core)
    }

    /// What is missing of the file, if its end is.
    pub fn cut(&self) -> Option<String> {
        let (length, whole) = (self.length, self.whole);
        (length < whole).then(|| format!("cut off: {length} of {whole} bytes"))
    }

    /// The program's name.
    pub fn command(&self) -> &str {
        &self.notes.command
    }

    /// Why nothing may be found in it: a file of another build, or one that is not there.
    pub fn obstacle(&self) -> Option<Error> {
        if let Some(other) = self.other.borrow().clone() {
            return Some(Error::new(other));
        }
        let files = self.files.borrow();
        let mut missing: Vec<_> = files.values().filter_map(|it| it.as_ref().err()).collect();
        missing.sort_unstable();
        let first = missing.first()?;
        Some(Error::msg(format!(
            "{first}: --exe, --library and --sysroot say where files are"
        )))
    }

    /// Whether all that was looked at was there.
    pub fn had_all(&self) -> bool {
        !self.has_missed.get()
    }

    fn parse(&mut self) -> Result<()> {
        let data = ReadCache::new(self.file.try_clone()?);
        let header = FileHeader64::<Endianness>::parse(&data)?;
        let endian = header.endian()?;
        if header.e_type.get(endian) != object::elf::ET_CORE {
            bail!("it is an ELF file of another kind");
        }
        let segments = header.program_headers(endian, &data);
        let last = match &segments {
            Ok(segments) => segments
                .iter()
                .map(|it| {
                    it.p_offset
                        .get(endian)
                        .saturating_add(it.p_filesz.get(endian))
                })
                .max(),
            // They are cut off themselves.
            Err(_) => {
                let (count, bytes) = (header.e_phnum.get(endian), header.e_phentsize.get(endian));
                let bytes = u64::from(count) * u64::from(bytes);
                Some(header.e_phoff.get(endian).saturating_add(bytes))
            }
        };
        self.whole = last.unwrap_or_default();
        for segment in segments? {
            match segment.p_type.get(endian) {
                PT_LOAD => self.segments.push(Segment {
                    address: segment.p_vaddr.get(endian),
                    bytes: segment.p_memsz.get(endian),
                    file_bytes: segment.p_filesz.get(endian),
                    offset: segment.p_offset.get(endian),
                    flags: segment.p_flags.get(endian),
                }),
                // Wherever they are: debuggers write them last.
                PT_NOTE if segment.p_filesz.get(endian) <= MOST_NOTES => {
                    let end = segment
                        .p_offset
                        .get(endian)
                        .saturating_add(segment.p_filesz.get(endian));
                    if end > self.length {
                        continue;
                    }
                    if let Some(notes) = segment.notes(endian, &data)? {
                        self.notes.add(notes, endian)?;
                    }
                }
                _ => {}
            }
        }
        self.segments.sort_by_key(|it| it.address);
        Ok(())
    }

    fn segment(&self, address: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|it| it.address <= address);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        (address - segment.address < segment.bytes).then_some(segment)
    }

    /// Reads what a segment has in the core file itself.
    pub(super) fn read_dumped(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        let segment = self.segment(address).context("not there")?;
        let inside = address - segment.address;
        if inside.saturating_add(buffer.len() as u64) > segment.file_bytes {
            bail!("left out");
        }
        self.file
            .read_exact_at(buffer, segment.offset.saturating_add(inside))?;
        Ok(())
    }

    /// Reads what no segment has from the file that was mapped there.
    fn read_mapped(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        let mut mappings = self.notes.mappings.iter();
        let Some(mapping) = mappings.find(|it| it.range.contains(&address)) else {
            bail!("the core file has nothing at {address:#x}");
        };
        let mut files = self.files.borrow_mut();
        let file = files
            .entry(mapping.name.clone())
            .or_insert_with(|| self.open_mapped(&mapping.name));
        let file = file.as_ref().map_err(|error| Error::msg(error.clone()))?;
        let offset = (address - mapping.range.start).saturating_add(mapping.offset);
        file.read_exact_at(buffer, offset)
            .with_context(|| mapping.name.clone())
    }

    /// Where data, or a hole, begins in the core file from `offset` on; the file ends with a hole.
    fn data_until(&self, offset: u64, what: Whence) -> Option<u64> {
        let found = lseek(&self.file, i64::try_from(offset).ok()?, what).ok()?;
        u64::try_from(found).ok()
    }

    /// Says of each page of a range of the file whether it has anything.
    fn pages_with_data(&self, offset: u64, pages: usize) -> Vec<bool> {
        let page = self.notes.page_bytes;
        let end = offset.saturating_add(pages as u64 * page);
        let (mut found, mut next) = (vec![false; pages], offset);
        if !self.has_holes {
            let mut bytes = vec![0; page as usize];
            for (index, found) in found.iter_mut().enumerate() {
                let read = self
                    .file
                    .read_exact_at(&mut bytes, offset + index as u64 * page);
                *found = read.is_ok() && bytes.iter().any(|byte| *byte != 0);
            }
            return found;
        }
        while next < end {
            let Some(start) = self
                .data_until(next, Whence::SeekData)
                .filter(|it| *it < end)
            else {
                break;
            };
            let stop = self
                .data_until(start, Whence::SeekHole)
                .unwrap_or(end)
                .min(end);
            let (first, last) = ((start - offset) / page, (stop - offset).div_ceil(page));
            found[first as usize..last as usize].fill(true);
            next = stop.max(start + 1);
        }
        found
    }
}

impl Memory for CoreFile {
    fn read(&self, mut address: u64, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            let segment = self.segment(address);
            let inside = segment.map_or(0, |it| it.file_bytes.saturating_sub(address - it.address));
            let outside = segment.map_or(self.notes.page_bytes, |it| {
                it.bytes - (address - it.address)
            });
            let length = if inside > 0 { inside } else { outside };
            let length = buffer.len().min(usize::try_from(length)?);
            let (part, rest) = buffer.split_at_mut(length);
            match segment.filter(|_| inside > 0) {
                Some(it) => {
                    let offset = it.offset.saturating_add(address - it.address);
                    let read = self.file.read_exact_at(part, offset);
                    self.has_missed.set(self.has_missed.get() || read.is_err());
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
        // Where nobody wrote a list of files the segments themselves are looked at.
        Ok(match self.notes.mappings.is_empty() {
            true => self.segments.iter().map(of_segment).collect(),
            false => self.notes.mappings.clone(),
        })
    }

    fn pages(&self, address: u64, pages: usize) -> Option<Vec<Page>> {
        // What is missing may have had anything.
        if self.cut().is_some() {
            return None;
        }
        let page = self.notes.page_bytes;
        let mut found = vec![Page::Untouched; pages];
        let mut index = 0;
        while index < pages {
            let at = address.saturating_add(index as u64 * page);
            let Some(segment) = self.segment(at) else {
                index += 1;
                continue;
            };
            // What lies beyond the file's part has nothing that was written.
            let inside = at - segment.address;
            let in_file = segment.file_bytes.saturating_sub(inside).div_ceil(page);
            let in_segment = (segment.bytes - inside).div_ceil(page).max(1);
            let left = (pages - index) as u64;
            let count = in_file.min(left) as usize;
            let data = self.pages_with_data(segment.offset.saturating_add(inside), count);
            for (page, has_data) in found[index..].iter_mut().zip(data) {
                if has_data {
                    *page = Page::Resident;
                }
            }
            index += in_segment.min(left) as usize;
        }
        Some(found)
    }

    fn is_code(&self, _: u64, address: u64) -> bool {
        let segment = self.segment(address);
        segment.is_none_or(|it| it.flags & PF_X != 0)
    }

    fn page_bytes(&self) -> u64 {
        self.notes.page_bytes
    }
}
