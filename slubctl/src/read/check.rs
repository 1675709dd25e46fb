//! The consistency check from outside: each table against the others, read until what contradicts itself does so twice.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::named::Owners;
use super::{Numbers, Target, nodes};
use crate::directory::Directory;
use crate::image;
use crate::memory::Memory;
use crate::record::Record;
use crate::snapshot::{Class, Heap};
use crate::view::name;

/// A contradiction counts if it is there in this number of readings one after the other.
const READINGS: usize = 3;
/// Most contradictions that are printed.
const MOST: usize = 100;
/// Records that are read at once.
const PIECE: u64 = 1024;

/// Contradictions in the tables of all copies of the library; none if all is well. `hold` is called before each reading, and
/// what it returns goes after it.
pub fn check<T>(memory: &dyn Memory, hold: impl Fn() -> Result<T>) -> Result<Vec<String>> {
    let mut found: Option<BTreeSet<String>> = None;
    for _ in 0..READINGS {
        let mut now = BTreeSet::new();
        let held = hold()?;
        for image in image::find(memory)? {
            let directory = Directory::read(memory, image.directory)?;
            Target { memory, directory }.check(&mut now)?;
        }
        drop(held);
        // What moves while it is read, or was stopped in the middle of a change, contradicts itself in another way each
        // time.
        let stays = match found {
            Some(before) => before.intersection(&now).cloned().collect(),
            None => now,
        };
        if stays.is_empty() {
            return Ok(Vec::new());
        }
        found = Some(stays);
    }
    Ok(found.unwrap_or_default().into_iter().take(MOST).collect())
}

/// What was counted of a cache node's slabs.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    slabs: u64,
    out: u64,
}

/// Adds what a cache node counts that is not what was seen.
fn compare(name: &str, seen: Counted, slabs: u64, out: u64, faults: &mut BTreeSet<String>) {
    if seen.slabs != slabs {
        faults.insert(format!(
            "{name}: {} slabs in the class map, {slabs} in the cache node",
            seen.slabs
        ));
    } else if seen.out != out {
        faults.insert(format!(
            "{name}: {} objects are out of slabs, {out} out of the cache node",
            seen.out
        ));
    }
}

impl Target<'_> {
    fn check(&self, faults: &mut BTreeSet<String>) -> Result<()> {
        let Some(process) = self.process()? else {
            return Ok(());
        };
        let (numbers, heap) = (self.numbers()?, process.inner("heap", "heap")?);
        let addresses = nodes::addresses(&heap, &numbers)?;
        let mut all = Heap {
            classes: self.read_classes(&numbers)?,
            nodes: self.read_nodes(&addresses, &numbers)?,
            ..Heap::default()
        };
        let owners = self.read_named(&process, &mut all, &numbers)?;
        let classes = all.classes;
        let mut counted_all = vec![Counted::default(); classes.len()];
        for address in addresses {
            let node = self.record("node", address)?;
            let known = self.read_node(&node, &numbers)?;
            let free: u64 = known
                .free_blocks
                .iter()
                .flat_map(|row| (0..).zip(row))
                .fold(0, |all: u64, (order, count): (u32, &u64)| {
                    all.saturating_add(count << order.min(31))
                });
            let free = free.saturating_mul(numbers.page);
            let pages = free.saturating_add(known.used_bytes);
            // What the kernel is taking back at this moment is neither.
            if pages > known.committed_bytes {
                faults.insert(format!(
                    "node {}: {pages} bytes of pages are free or in use, of {} that were committed",
                    known.id, known.committed_bytes
                ));
            }
            let committed = known.committed_bytes;
            let counted =
                self.count_slabs(&node, committed, &numbers, (&classes, &owners), faults)?;
            for (sum, more) in counted_all.iter_mut().zip(&counted) {
                sum.slabs += more.slabs;
                sum.out += more.out;
            }
            let mut sums: BTreeMap<u64, Counted> = BTreeMap::new();
            for cache_node in self.read_cache_nodes(&node, known.id, &numbers, &classes)? {
                let sum = sums.entry(cache_node.class).or_default();
                sum.slabs = sum.slabs.saturating_add(cache_node.slabs);
                sum.out = sum.out.saturating_add(cache_node.out);
            }
            for (class, cache_node) in sums {
                let class = class as usize;
                let what = format!("node {}, {}", known.id, name(&classes[class]));
                compare(
                    &what,
                    counted[class],
                    cache_node.slabs,
                    cache_node.out,
                    faults,
                );
            }
        }
        // Cache nodes of named caches, of all nodes together.
        let named = classes.iter().enumerate();
        for (index, class) in named.filter(|(_, it)| !it.name.is_empty()) {
            let cache_nodes = || all.cache_nodes.iter().filter(|it| it.class == index as u64);
            let slabs = cache_nodes()
                .map(|it| it.slabs)
                .fold(0, u64::saturating_add);
            let out = cache_nodes().map(|it| it.out).fold(0, u64::saturating_add);
            compare(&name(class), counted_all[index], slabs, out, faults);
        }
        Ok(())
    }

    /// Walks the class map and the records of all slabs.
    fn count_slabs(
        &self,
        node: &Record<'_>,
        committed: u64,
        numbers: &Numbers,
        (classes, owners): (&[Class], &Owners),
        faults: &mut BTreeSet<String>,
    ) -> Result<Vec<Counted>> {
        let tables = node.inner("tables", "slab_tables")?;
        let (map, ready) = (tables.number("classes")?, tables.number("classes_ready")?);
        let near = self.directory.value("near_records", 0, 1 << 20)?;
        let places = [tables.number("near")?, tables.number("records")?];
        let stride = self.directory.size("slab_record")?;
        let mut counted = vec![Counted::default(); classes.len()];
        let granules = committed.div_ceil(numbers.granule).min(ready);
        for first in (0..granules).step_by(PIECE as usize) {
            let count = PIECE.min(granules - first);
            let map = self.memory.touched_bytes(map.wrapping_add(first), count)?;
            let map = self.classes_of_granules(&tables, owners, first, &map)?;
            for (granule, class) in (first..).zip(map) {
                let Some(info) = classes.get(class).filter(|it| !it.is_span && it.size > 0) else {
                    continue;
                };
                let length = (info.slab_bytes / numbers.granule).max(1);
                if !granule.is_multiple_of(length) {
                    continue;
                }
                let address = match granule.checked_sub(near) {
                    None => places[0].wrapping_add(granule * stride),
                    Some(far) => places[1].wrapping_add(far * stride),
                };
                let record = self.record("slab_record", address)?;
                let (out, carved) = (record.number("out")?, record.number("carved")?);
                let bits = record.numbers("bits", 8)?;
                let set: u64 = bits.iter().map(|word| u64::from(word.count_ones())).sum();
                counted[class].slabs += 1;
                counted[class].out += out;
                let name = || format!("slab {granule} of {}", name(info));
                if out > info.slab_objects || carved > info.slab_objects {
                    faults.insert(format!("{}: more objects than it has", name()));
                } else if set + out > carved {
                    faults.insert(format!(
                        "{}: {out} objects out, {set} back, {carved} made",
                        name()
                    ));
                }
            }
        }
        Ok(counted)
    }
}
