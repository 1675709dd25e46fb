//! Arenas in pieces of 2 MiB: what lies there.

use anyhow::{Result, bail};

use super::slab_owners::Owners;
use super::{Target, nodes};
use crate::directory::Directory;
use crate::image;
use crate::memory::{Memory, Page};
use crate::snapshot::{Class, Heap};

/// Bytes of a piece.
const PIECE: u64 = 2 << 20;

/// No arena has more pieces than are drawn: 2 TiB.
const MOST_PIECES: u64 = 1 << 20;

/// What lies in a piece, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Square {
    /// Objects that are out of their slabs.
    pub used: u64,
    /// Large blocks.
    pub large: u64,
    /// Free pages, and objects in slabs.
    pub free: u64,
    /// Resident pages.
    pub resident: u64,
}

impl Square {
    /// Both together.
    pub fn plus(self, other: &Self) -> Self {
        Self {
            used: self.used + other.used,
            large: self.large + other.large,
            free: self.free + other.free,
            resident: self.resident + other.resident,
        }
    }
}

/// The pieces of each arena, with the arena's number.
pub fn squares(memory: &dyn Memory) -> Result<Vec<(u64, Vec<Square>)>> {
    let mut arenas = Vec::new();
    for image in image::find(memory)? {
        let directory = Directory::read(memory, image.directory)?;
        let target = Target { memory, directory };
        let Some(process) = target.process()? else {
            continue;
        };
        let numbers = target.numbers()?;
        let heap = process.inner("heap", "heap")?;
        let addresses = nodes::addresses(&heap, &numbers)?;
        let mut known = Heap {
            classes: target.read_classes(&numbers)?,
            nodes: target.read_nodes(&addresses, &numbers)?,
            ..Heap::default()
        };
        let owners = target.read_named(&process, &mut known, &numbers)?;
        for address in addresses {
            arenas.push(target.squares(address, &known.classes, &owners)?);
        }
    }
    Ok(arenas)
}

impl Target<'_> {
    fn squares(
        &self,
        address: u64,
        classes: &[Class],
        owners: &Owners,
    ) -> Result<(u64, Vec<Square>)> {
        let numbers = self.numbers()?;
        let record = self.record("node", address)?;
        let node = self.read_node(&record, &numbers)?;
        let tables = record.inner("tables", "slab_tables")?;
        let (map, ready) = (tables.number("classes")?, tables.number("classes_ready")?);
        let near = self.directory.value("near_records", 0, 1 << 20)?;
        let places = [tables.number("near")?, tables.number("records")?];
        let (stride, out) = (
            self.directory.size("slab_record")?,
            self.directory.field("slab_record.out")?,
        );
        let free = super::resident::FreePages::new(
            self,
            record
                .inner("arena", "arena")?
                .inner("map", "page_map")?
                .number("records")?,
            &numbers,
        )?;
        let page = self.memory.page_bytes();
        let per_granule = (numbers.granule / page).max(1);
        let granules = node.committed_bytes.div_ceil(numbers.granule).min(ready);
        let step = (PIECE / numbers.granule).max(1);
        if granules / step > MOST_PIECES {
            bail!(
                "an arena of {} bytes is too large for a map",
                node.committed_bytes
            );
        }
        let mut squares = Vec::new();
        for first in (0..granules).step_by(step as usize) {
            let count = step.min(granules - first);
            let mut square = Square::default();
            let pages = (count * per_granule) as usize;
            let start = node.base + first * numbers.granule;
            let resident = self
                .memory
                .pages(start, pages)
                .unwrap_or_else(|| vec![Page::Resident; pages]);
            let has_memory = |it: &&Page| **it == Page::Resident;
            square.resident = resident.iter().filter(has_memory).count() as u64 * page;
            let all = vec![Page::Resident; per_granule as usize];
            let (mut records, mut slabs) = (Vec::new(), Vec::new());
            let map = self.memory.touched_bytes(map.wrapping_add(first), count)?;
            let map = self.classes_of_granules(&tables, owners, first, &map)?;
            for (granule, class) in (first..).zip(map) {
                match classes.get(class).filter(|it| !it.is_span && it.size > 0) {
                    None => {
                        let bytes = free.in_granule(granule, &all, page)?;
                        square.free += bytes;
                        square.large += numbers.granule - bytes;
                    }
                    Some(info)
                        if granule.is_multiple_of((info.slab_bytes / numbers.granule).max(1)) =>
                    {
                        records.push(match granule.checked_sub(near) {
                            None => places[0]
                                .wrapping_add(granule * stride)
                                .wrapping_add(out.offset),
                            Some(far) => places[1]
                                .wrapping_add(far * stride)
                                .wrapping_add(out.offset),
                        });
                        slabs.push(info);
                    }
                    Some(_) => {}
                }
            }
            for (word, info) in self.memory.read_words(&records).into_iter().zip(slabs) {
                let out = word.unwrap_or_default() & u64::from(u16::MAX);
                let used = (out * info.size).min(info.slab_bytes);
                square.used += used;
                square.free += info.slab_bytes - used;
            }
            squares.push(square);
        }
        Ok((node.id, squares))
    }
}
