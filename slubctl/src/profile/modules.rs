//! The program and its libraries, as they are mapped: which file an address of code is of, and where in it.
//!
//! # Invariant
//!
//! Build ID and addresses are those of the image in memory; a file is used for it if it has the same build ID.

use std::ops::Range;

use anyhow::Result;
use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::FileHeader;

use crate::memory::{Mapping, Memory, build_id_of_image};

/// Bytes of an image's beginning in which its program headers are.
const HEADERS: usize = 4096;
/// No process that this program reads has more images.
const MOST: usize = 1 << 14;

/// A program or library in memory.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Its addresses.
    pub range: Range<u64>,
    /// The mapping that it begins with.
    pub first: Range<u64>,
    /// What to subtract from an address for one as its file has it.
    pub bias: u64,
    /// What the kernel calls the file.
    pub name: String,
    /// The build ID, if it has one.
    pub build_id: Option<String>,
    /// Whether it has a copy of the library's directory and is not the program's own code.
    pub is_library: bool,
}

impl Module {
    /// The address as the file has it.
    pub fn within(&self, address: u64) -> u64 {
        address.wrapping_sub(self.bias)
    }

    /// The file's name without its directory.
    pub fn short_name(&self) -> &str {
        let name = self.name.strip_suffix(" (deleted)").unwrap_or(&self.name);
        name.rsplit('/').next().unwrap_or(name)
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    /// By address.
    pub all: Vec<Module>,
}

impl Modules {
    /// Those of a target.
    pub fn of(memory: &dyn Memory) -> Result<Self> {
        let mut all: Vec<Module> = Vec::new();
        for mapping in memory.mappings()? {
            let is_file = mapping.name.starts_with('/') || mapping.name.is_empty();
            if mapping.offset != 0 || !is_file || all.len() == MOST {
                continue;
            }
            // A loader may map a file's beginning twice.
            if all
                .last()
                .is_some_and(|it| it.range.contains(&mapping.range.start))
            {
                continue;
            }
            all.extend(module(memory, &mapping));
        }
        for image in crate::image::find(memory).unwrap_or_default() {
            let holds = |it: &&mut Module| it.range.contains(&image.directory);
            if let Some(module) = all.iter_mut().find(holds) {
                module.is_library = module.short_name().starts_with("libslubmalloc");
            }
        }
        all.sort_by_key(|it| it.range.start);
        Ok(Self { all })
    }

    /// The one that an address lies in, an index.
    pub fn find(&self, address: u64) -> Option<usize> {
        let after = self.all.partition_point(|it| it.range.start <= address);
        let index = after.checked_sub(1)?;
        self.all[index].range.contains(&address).then_some(index)
    }
}

/// The image that begins with a mapping, if one does.
fn module(memory: &dyn Memory, mapping: &Mapping) -> Option<Module> {
    let start = mapping.range.start;
    let mut head = [0; HEADERS];
    memory.read(start, &mut head[..64]).ok()?;
    if !head.starts_with(&object::elf::ELFMAG) {
        return None;
    }
    memory.read(start, &mut head).ok()?;
    let header = FileHeader64::<Endianness>::parse(&head[..]).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &head[..]).ok()?;
    let loads = || {
        segments
            .iter()
            .filter(|it| it.p_type.get(endian) == PT_LOAD)
    };
    let first = loads().find(|it| it.p_offset.get(endian) < HEADERS as u64)?;
    let base = (first.p_vaddr.get(endian)).wrapping_sub(first.p_offset.get(endian));
    let bias = start.wrapping_sub(base);
    let end = loads()
        .map(|it| (it.p_vaddr.get(endian)).wrapping_add(it.p_memsz.get(endian)))
        .max()?;
    let end = bias.wrapping_add(end);
    (end > start).then(|| Module {
        range: start..end,
        first: mapping.range.clone(),
        bias,
        name: mapping.name.clone(),
        build_id: build_id_of_image(memory, start),
        is_library: false,
    })
}
