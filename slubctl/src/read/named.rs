//! Named caches: their slabs, and what threads have of them. Each is a class of its own after those of sizes.

use std::collections::HashMap;

use anyhow::{Result, bail};

use super::caches::plausible;
use super::slab_owners::Owners;
use super::{Numbers, Target};
use crate::record::Record;
use crate::snapshot::{CacheNode, Class, Heap, Node};
use crate::view;

/// Most structures that are read, and the longest name.
const MOST: u64 = 1 << 16;
const NAME: u64 = 255;
/// Pointers that are read at once.
const PIECE: u64 = 512;
/// No more objects of a bin are detached than this.
const MOST_DETACHED: u64 = 1 << 16;
/// No table of bins is longer.
const MOST_BIN_BYTES: u64 = 4 << 20;

impl Target<'_> {
    /// Adds the named caches to a heap whose classes are known, and returns the class of each owner of slabs.
    pub(super) fn read_named(
        &self,
        process: &Record<'_>,
        heap: &mut Heap,
        numbers: &Numbers,
    ) -> Result<Owners> {
        let mut owners = Owners::default();
        let once = process.inner("kmem", "kmem_once")?;
        let made = self
            .directory
            .value("process_made", 1, u64::from(u32::MAX))?;
        if once.number("state")? == made {
            let kmem = once.inner("value", "kmem")?;
            self.add_named(&kmem, heap, numbers, &mut owners)?;
        }
        self.add_pool_classes(process, heap, numbers, &mut owners)?;
        owners.insert_profile(
            self.directory.value("profile_number", 1, 1 << 20)?,
            self.directory.value("owner_number_shift", 1, 31)?,
        );
        Ok(owners)
    }

    fn add_named(
        &self,
        kmem: &Record<'_>,
        heap: &mut Heap,
        numbers: &Numbers,
        owners: &mut Owners,
    ) -> Result<()> {
        let ids: Vec<u64> = heap.nodes.iter().map(|it| it.id).collect();
        for address in self.named_addresses(kmem)? {
            let record = self.record("named_cache", address)?;
            if record.number("state")? != 0 {
                let first = record.address_of("first")?;
                let class = self.named_class(&record, heap, numbers)?;
                self.add(heap, class, first, &ids)?;
                owners.insert(record.number("owner")?, heap.classes.len() as u64 - 1);
            }
        }
        let sizes = self.directory.value("kmem_store_sizes", 1, 64)?;
        let smallest = self
            .directory
            .value("kmem_store_smallest", 1, numbers.block)?;
        let (cache_nodes, stride) = (
            kmem.inner("store", "kmem_store")?.number("cache_nodes")?,
            self.directory.size("named_entry_padded")?,
        );
        let shift = self.directory.value("owner_number_shift", 1, 31)?;
        for index in 0..sizes {
            let size = smallest << index;
            let of_size = |it: &(u64, &Class)| it.1.size == size && it.1.name.is_empty();
            let Some((id, class)) = (0..).zip(&heap.classes).find(of_size) else {
                bail!("damaged directory: no class of {size} bytes");
            };
            let class = Class {
                name: format!("kmem_store-{size}"),
                ..plain(class)
            };
            let node = ids.first().copied().into_iter().collect::<Vec<_>>();
            self.add(heap, class, cache_nodes.wrapping_add(index * stride), &node)?;
            owners.insert(1 << shift | id, heap.classes.len() as u64 - 1);
        }
        Ok(())
    }

    /// The arenas at these addresses.
    pub(super) fn read_nodes(&self, addresses: &[u64], numbers: &Numbers) -> Result<Vec<Node>> {
        let nodes = addresses.iter().map(|address| {
            let record = self.record("node", *address)?;
            self.read_node(&record, numbers)
        });
        nodes.collect()
    }

    /// The structures that were ever made.
    pub(super) fn named_addresses(&self, kmem: &Record<'_>) -> Result<Vec<u64>> {
        let entries = kmem.number("caches")?;
        let ready = kmem.number("caches_ready")?.min(MOST);
        let mut found = Vec::new();
        // The first number is 1.
        for first in (1..ready).step_by(PIECE as usize) {
            let count = PIECE.min(ready - first);
            let bytes = self
                .memory
                .bytes(entries.wrapping_add(8 * first), 8 * count)?;
            for word in bytes.chunks_exact(8).filter_map(crate::memory::number) {
                if word == 0 {
                    return Ok(found);
                }
                found.push(word);
            }
        }
        Ok(found)
    }

    fn named_class(&self, record: &Record<'_>, heap: &Heap, numbers: &Numbers) -> Result<Class> {
        let id = record.number("owner")? & 0xff;
        let Some(class) = heap
            .classes
            .get(id as usize)
            .filter(|_| (1..=numbers.classes).contains(&id))
        else {
            bail!("damaged tables: a named cache of class {id}");
        };
        Ok(Class {
            name: self.named_name(record)?,
            is_named: true,
            sheaf_objects: record.number("capacity")?,
            ..plain(class)
        })
    }

    /// The name of a named cache.
    pub(super) fn named_name(&self, record: &Record<'_>) -> Result<String> {
        let (name, length) = (
            record.number("name")?,
            record.number("name_bytes")?.min(NAME),
        );
        Ok(match name {
            // It was destroyed, and its slabs wait for the end of a grace period.
            0 => "(destroyed)".to_owned(),
            name => printable(&self.memory.bytes(name, length)?),
        })
    }

    /// Adds a class, and its cache node on each of the nodes, of which the first is at an address and knows the next.
    fn add(&self, heap: &mut Heap, class: Class, first: u64, nodes: &[u64]) -> Result<()> {
        let id = heap.classes.len() as u64;
        let mut next = first;
        for node in nodes {
            if next == 0 {
                break;
            }
            let entry = self.record("named_entry", next)?;
            next = entry.number("next")?;
            let cache_node = self.read_cache_node(
                &entry.inner("cache_node", "cache_node")?,
                class.sheaf_objects,
            )?;
            if cache_node.is_used() {
                heap.cache_nodes.push(CacheNode {
                    node: *node,
                    class: id,
                    ..cache_node
                });
            }
        }
        heap.classes.push(class);
        Ok(())
    }

    /// Objects in a thread's bins of named caches, by number from 1 on, where there are any.
    pub(super) fn read_named_bins(&self, cache: &Record<'_>) -> Result<Vec<(u64, u64)>> {
        let (bins, bytes) = (cache.number("named_bins")?, cache.number("named_bytes")?);
        let stride = self.directory.size("bin")?;
        if bins == 0 {
            return Ok(Vec::new());
        }
        if bytes > MOST_BIN_BYTES {
            bail!("damaged tables: {bytes} bytes of a thread's bins");
        }
        let (mut counts, mut spares) = (Vec::new(), Vec::new());
        for index in 0..bytes / stride {
            let bin = self.record("bin", bins.wrapping_add(index * stride))?;
            let notes = self.notes_of_named(bins.wrapping_add(bytes), index)?;
            let detached = notes.number("detached")?.min(MOST_DETACHED);
            counts.push(self.objects_of_main(&bin)? + detached);
            spares.push(notes.number("spare")?);
        }
        self.add_spares(&mut counts, &spares);
        let all = (1..).zip(counts);
        Ok(all.filter(|(_, count)| *count > 0).collect())
    }

    /// What is known of a bin beside its main sheaf, from the notes after the bins.
    pub(super) fn notes_of_named(&self, notes: u64, index: u64) -> Result<Record<'_>> {
        let stride = self.directory.size("named_notes")?;
        self.record("named_notes", notes.wrapping_add(index * stride))
    }

    /// The class of each of an arena's granules from `first` on, given what the class map has: named caches have one mark there.
    pub(super) fn classes_of_granules(
        &self,
        tables: &Record<'_>,
        owners: &Owners,
        first: u64,
        map: &[u8],
    ) -> Result<Vec<usize>> {
        let mut found: Vec<usize> = map.iter().map(|class| usize::from(*class)).collect();
        let mark = self.directory.value("named_class", 1, 255)?;
        if !map.contains(&(mark as u8)) {
            return Ok(found);
        }
        let (entries, ready) = self.owner_table(tables)?.unwrap_or_default();
        let count = ready.saturating_sub(first).min(map.len() as u64);
        let words = self
            .memory
            .bytes(entries.wrapping_add(4 * first), 4 * count)?;
        let words = words
            .chunks_exact(4)
            .filter_map(crate::memory::number)
            .chain(std::iter::repeat(0));
        for (class, owner) in found.iter_mut().zip(words) {
            if *class as u64 == mark {
                // Of no owner while it comes or goes.
                *class = owners.class(owner);
            }
        }
        Ok(found)
    }

    /// Adds what the spare sheaves at these addresses, 0 for none, hold.
    pub(super) fn add_spares(&self, counts: &mut [u64], spares: &[u64]) {
        let filled: Vec<u64> = spares.iter().copied().filter(|it| *it != 0).collect();
        let mut words = self.memory.read_words(&filled).into_iter();
        for (count, spare) in counts.iter_mut().zip(spares) {
            if *spare != 0 {
                *count += plausible(words.next().flatten());
            }
        }
    }
}

/// Numbers classes, and names those of sizes. One whose name another has, as a cache that a program calls kmalloc-64, gets a
/// number after it.
pub(super) fn name_all(classes: &mut [Class]) {
    let mut names: HashMap<String, u64> = HashMap::new();
    for (id, class) in (0..).zip(classes).filter(|(_, class)| class.size > 0) {
        class.id = id;
        let plain = view::name(class);
        class.name.clone_from(&plain);
        while let Some(count) = names.get_mut(&class.name) {
            *count += 1;
            class.name = format!("{plain}#{count}");
        }
        names.insert(class.name.clone(), 1);
    }
}

/// The class's numbers that are the same for every cache of its size.
fn plain(class: &Class) -> Class {
    Class {
        size: class.size,
        slab_objects: class.slab_objects,
        slab_bytes: class.slab_bytes,
        sheaf_objects: class.sheaf_objects,
        ..Class::default()
    }
}

/// A name for people and formats whose fields end at blanks.
fn printable(name: &[u8]) -> String {
    let plain = |byte: &u8| match byte {
        b'!'..=b'~' => char::from(*byte),
        _ => '_',
    };
    name.iter().map(plain).collect()
}
