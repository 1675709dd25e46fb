//! Names of code in one ELF file: by its debug information, which also knows inlined functions, files and lines, or else by its
//! symbols.
//!
//! # Invariant
//!
//! A file may say anything: what it says wrongly is left out, and a section has a limit.

use std::borrow::Cow;
use std::collections::HashMap;

use addr2line::Context;
use addr2line::gimli::{DwarfSections, EndianSlice, RunTimeEndian, SectionId};
use anyhow::{Result, bail};
use object::{File, Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::demangle::demangle;
use super::location::Location;

/// No section of debug information is longer when it is decompressed.
const LONGEST: u64 = 1 << 30;
/// No address has more inlined functions.
const MOST_INLINED: usize = 64;

type Sections<'d> = DwarfSections<Cow<'d, [u8]>>;
type Reader<'d> = EndianSlice<'d, RunTimeEndian>;

/// The files that tell about one program or library.
#[derive(Default)]
pub(super) struct Contents {
    /// The file itself, if it is there.
    pub(super) image: Option<Vec<u8>>,
    /// Its separate debug information.
    pub(super) debug: Option<Vec<u8>>,
    /// What several of those have in common (dwz(1)).
    pub(super) common: Option<Vec<u8>>,
}

impl Contents {
    /// The build ID of the file that has what this one has in common with others.
    pub(super) fn common_id(&self) -> Option<Vec<u8>> {
        let file = self
            .parsed(self.debug.as_ref())
            .or(self.parsed(self.image.as_ref()))?;
        let (_, id) = file.gnu_debugaltlink().ok()??;
        Some(id.to_vec())
    }

    fn parsed<'d>(&self, data: Option<&'d Vec<u8>>) -> Option<File<'d>> {
        File::parse(data?.as_slice()).ok()
    }

    /// The functions at addresses of code, the innermost first; those of which nothing is known are left out.
    pub(super) fn name(&self, addresses: &[u64]) -> HashMap<u64, Vec<Location>> {
        let image = self.parsed(self.image.as_ref());
        let debug = self.parsed(self.debug.as_ref());
        let common = self.parsed(self.common.as_ref());
        let common = common.and_then(|it| sections(&it).ok());
        let has_lines = |it: &&File<'_>| it.section_by_name(".debug_info").is_some();
        let with_lines = image.iter().chain(&debug).find(has_lines);
        let sections = with_lines.and_then(|it| sections(it).ok());
        let context = sections.as_ref().and_then(|it| {
            let endian = match with_lines.is_some_and(Object::is_little_endian) {
                true => RunTimeEndian::Little,
                false => RunTimeEndian::Big,
            };
            let reader = |section| EndianSlice::new(Cow::as_ref(section), endian);
            Context::from_dwarf(match &common {
                Some(common) => it.borrow_with_sup(common, reader),
                None => it.borrow(reader),
            })
            .ok()
        });
        let symbols = Symbols::of(image.iter().chain(&debug));
        let mut found = HashMap::new();
        for address in addresses {
            let symbol = symbols.find(*address);
            let mut lines = context
                .as_ref()
                .and_then(|it| lines(it, *address, symbol).ok())
                .unwrap_or_default();
            if lines.is_empty() {
                lines.extend(symbol.map(|name| Location::of(demangle(name))));
            }
            if !lines.is_empty() {
                found.insert(*address, lines);
            }
        }
        found
    }
}

/// The sections of debug information.
fn sections<'d>(file: &File<'d>) -> Result<Sections<'d>> {
    DwarfSections::load(|id: SectionId| {
        let Some(section) = file.section_by_name(id.name()) else {
            return Ok(Cow::Borrowed(&[][..]));
        };
        let data = section.compressed_data()?;
        if data.uncompressed_size > LONGEST {
            bail!("{} has {} bytes", id.name(), data.uncompressed_size);
        }
        Ok(data.decompress()?)
    })
}

/// What debug information has of an address: each function that is inlined there, and the one that they are in.
fn lines(
    context: &Context<Reader<'_>>,
    address: u64,
    symbol: Option<&str>,
) -> Result<Vec<Location>> {
    let mut frames = context.find_frames(address).skip_all_loads()?;
    let (mut found, mut has_path) = (Vec::<Location>::new(), false);
    while let Some(frame) = frames.next()?.filter(|_| found.len() < MOST_INLINED) {
        let function = match &frame.function {
            Some(name) => {
                let name = name.raw_name()?;
                has_path = is_mangled(&name);
                demangle(&name)
            }
            None => match symbol {
                Some(name) => demangle(name),
                None => break,
            },
        };
        let place = frame.location.as_ref();
        let file = place.and_then(|it| it.file).unwrap_or_default();
        found.push(Location {
            function,
            file: crate::memory::printable(file),
            line: place.and_then(|it| it.line).unwrap_or_default(),
        });
    }
    // Where debug information has little more than lines, names in it lack what they are in. The symbol is that of the outermost.
    if let Some(outermost) = found.last_mut().filter(|_| !has_path)
        && let Some(symbol) = symbol.filter(|it| is_mangled(it))
    {
        outermost.function = demangle(symbol);
    }
    Ok(found)
}

fn is_mangled(name: &str) -> bool {
    name.starts_with("_Z") || name.starts_with("_R")
}

/// The functions of symbol tables, by address.
#[derive(Default)]
struct Symbols<'d>(Vec<(u64, u64, &'d str)>);

impl<'d> Symbols<'d> {
    /// Those of the first file that has a table that was not stripped, or else of dynamic symbols.
    fn of<'f>(files: impl Iterator<Item = &'f File<'d>> + Clone) -> Self
    where
        'd: 'f,
    {
        let table = files.clone().map(|it| Self::from(it, it.symbols()));
        let dynamic = files.map(|it| Self::from(it, it.dynamic_symbols()));
        let mut tables = table.chain(dynamic);
        tables.find(|it| !it.0.is_empty()).unwrap_or_default()
    }

    fn from<S: ObjectSymbol<'d>>(file: &File<'d>, symbols: impl Iterator<Item = S>) -> Self {
        let functions = symbols.filter(|it| it.kind() == SymbolKind::Text && !it.is_undefined());
        // One of assembly may have no size: it ends with its section, if no other begins before that.
        let rest = |it: &S| {
            let section = file.section_by_index(it.section_index()?).ok()?;
            let end = section.address().checked_add(section.size())?;
            end.checked_sub(it.address())
        };
        let size = |it: &S| match it.size() {
            0 => rest(it).unwrap_or_default(),
            size => size,
        };
        let entry = |it: S| Some((it.address(), size(&it), it.name().ok()?));
        let mut found: Vec<_> = functions.filter_map(entry).collect();
        found.sort_unstable();
        Self(found)
    }

    /// The name of the function that an address is in.
    fn find(&self, address: u64) -> Option<&'d str> {
        let after = self.0.partition_point(|(start, _, _)| *start <= address);
        // A function may be one of several with one beginning, or lie in another.
        let near = self.0.get(after.saturating_sub(8)..after)?;
        let mut near = near.iter().rev();
        let (_, _, name) = near.find(|(start, size, _)| address - start < *size)?;
        Some(*name)
    }
}
