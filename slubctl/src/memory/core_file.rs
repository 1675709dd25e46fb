//! A core file: its segments, and the files that were mapped for what was left out of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use nix::unistd::{Whence, lseek};
use object::Endianness;
use object::elf::{FileHeader64, PF_X, PT_LOAD, PT_NOTE};
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};

use super::core_notes::Notes;
use super::{Mapping, Memory, Page, build_id};

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

/// Where files are that a core file is to be read with, if they are not where they were.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The program.
    pub program: Option<PathBuf>,
    /// The shared library.
    pub library: Option<PathBuf>,
    /// A directory that is the target's root.
    pub root: Option<PathBuf>,
}

/// A core file.
#[derive(Debug)]
pub struct CoreFile {
    file: File,
    /// By address.
    segments: Vec<Segment>,
    notes: Notes,
    places: Places,
    /// Whether the file has holes, so that what it has is what was there.
    has_holes: bool,
    /// Files that were opened, by name, or why not.
    files: RefCell<HashMap<String, Result<File, String>>>,
    /// What is wrong with the first file that is of another build.
    other: RefCell<Option<OtherBuild>>,
}

/// A file of another build than the one that the core is of.
#[derive(Clone, Debug)]
pub struct OtherBuild(String);

impl std::error::Error for OtherBuild {}

impl Display for OtherBuild {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
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
            places,
            files: RefCell::default(),
            other: RefCell::default(),
        };
        core.parse()
            .with_context(|| format!("{shown} is no core file of a 64-bit program"))?;
        let size = core.file.metadata()?.len();
        core.has_holes = core
            .data_until(0, Whence::SeekHole)
            .is_some_and(|end| end < size);
        Ok(core)
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

    fn parse(&mut self) -> Result<()> {
        let data = ReadCache::new(self.file.try_clone()?);
        let header = FileHeader64::<Endianness>::parse(&data)?;
        let endian = header.endian()?;
        if header.e_type.get(endian) != object::elf::ET_CORE {
            bail!("it is an ELF file of another kind");
        }
        for segment in header.program_headers(endian, &data)? {
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
    fn read_dumped(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
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

    /// Opens a file that was mapped, if it is still of the same build.
    fn open_mapped(&self, name: &str) -> Result<File, String> {
        let path = self.place_of(name);
        let shown = path.display();
        let file = File::open(&path).map_err(|error| format!("{shown}: {error}"))?;
        let first = |it: &&Mapping| it.name == name && it.offset == 0;
        let mapped = self.notes.mappings.iter().find(first).and_then(|it| {
            build_id::of_image(it.range.start, |address, bytes| {
                self.read_dumped(address, bytes)
            })
        });
        let copy = file
            .try_clone()
            .map_err(|error| format!("{shown}: {error}"))?;
        let has = build_id::of_file(copy);
        match (mapped, has) {
            (Some(mapped), has) if has.as_ref() != Some(&mapped) => {
                let has = has.unwrap_or_else(|| "none".to_owned());
                let line = format!(
                    "{shown} is another build than the core's: its build ID is {has}, and {mapped} was mapped; \
                     --exe, --library and --sysroot say where files are"
                );
                self.other
                    .borrow_mut()
                    .get_or_insert(OtherBuild(line.clone()));
                Err(line)
            }
            _ => Ok(file),
        }
    }

    /// Where a file is that was mapped.
    fn place_of(&self, name: &str) -> PathBuf {
        let is_program = self.notes.program() == Some(name);
        if let Some(program) = self.places.program.as_ref().filter(|_| is_program) {
            return program.clone();
        }
        let file_name = |path: &Path| path.file_name().map(|it| it.to_string_lossy().into_owned());
        let plain = name.strip_suffix(" (deleted)").unwrap_or(name);
        if let Some(library) = self.places.library.as_ref().filter(|_| !is_program) {
            let own = file_name(Path::new(plain)).unwrap_or_default();
            if own.starts_with("libslubmalloc") || file_name(library).as_ref() == Some(&own) {
                return library.clone();
            }
        }
        match &self.places.root {
            Some(root) => root.join(plain.trim_start_matches('/')),
            None => PathBuf::from(plain),
        }
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
