//! Classes and their cache nodes: slabs, and where the objects are that are out of them.

use anyhow::{Result, bail};

use super::{Numbers, Target};
use crate::record::Record;
use crate::snapshot::{CacheNode, Class, Heap};

/// No table of an arena has more slabs.
const MOST_SLABS: u64 = 1 << 32;

impl Target<'_> {
    /// The classes by number; the first is none.
    pub(super) fn read_classes(&self, numbers: &Numbers) -> Result<Vec<Class>> {
        let count = numbers.all_classes + 1;
        let capacities = self.memory.bytes(self.directory.sheaf_objects, count)?;
        let stride = self.directory.size("class")?;
        let class = |id: u64| {
            let address = self.directory.classes.wrapping_add(id * stride);
            let info = self.record("class", address)?;
            let (size, objects) = (info.number("size")?, info.number("objects")?);
            let granules = info.number("granules")?;
            if size > numbers.block || objects > 1 << 16 || granules > 1 << 10 {
                bail!("damaged directory: a class of {objects} objects of {size} bytes");
            }
            Ok(Class {
                size,
                is_span: id > numbers.classes,
                slab_objects: objects,
                slab_bytes: granules * numbers.granule,
                sheaf_objects: capacities.get(id as usize).copied().map_or(0, u64::from),
                ..Class::default()
            })
        };
        (0..count).map(class).collect()
    }

    /// The cache nodes of a node that hold slabs: each cluster of processors has one for each class.
    pub(super) fn read_cache_nodes(
        &self,
        node: &Record<'_>,
        id: u64,
        numbers: &Numbers,
        classes: &[Class],
    ) -> Result<Vec<CacheNode>> {
        let cache_nodes = node.inner("cache_nodes", "cache_nodes")?;
        let (entries, used) = (
            cache_nodes.number("entries")?,
            cache_nodes.numbers("used", 8)?,
        );
        let places = self
            .memory
            .bytes(self.directory.cache_node_places, numbers.classes + 1)?;
        let stride = self.directory.size("cache_node_padded")?;
        // Each cluster of processors has as many words, and as many entries.
        let words = (numbers.classes + 1).div_ceil(64) as usize;
        let clusters = cache_nodes
            .number("clusters")?
            .min((used.len() / words) as u64);
        let mut found = Vec::new();
        for class in 1..=numbers.classes {
            let place = places.get(class as usize).copied().unwrap_or_default();
            let capacity = classes[class as usize].sheaf_objects;
            for cluster in 0..clusters {
                // A cache node that nobody used has no memory.
                let word = used[(cluster as usize) * words + class as usize / 64];
                if word & 1 << (class % 64) == 0 {
                    continue;
                }
                let place = cluster * (numbers.classes + 1) + u64::from(place);
                let address = entries.wrapping_add(place * stride);
                let entry = self.record("cache_node_entry", address)?;
                let cache_node = CacheNode {
                    node: id,
                    class,
                    cluster,
                    ..self.read_cache_node(&entry.inner("cache_node", "cache_node")?, capacity)?
                };
                if cache_node.is_used() {
                    found.push(cache_node);
                }
            }
        }
        let sampled = self.read_sampled(node, numbers)?;
        found.extend(sampled.into_iter().map(|cache_node| CacheNode {
            node: id,
            cluster: clusters,
            ..cache_node
        }));
        Ok(found)
    }

    /// Those for objects that a heap profile has sampled, which count as one cluster more.
    fn read_sampled(&self, node: &Record<'_>, numbers: &Numbers) -> Result<Vec<CacheNode>> {
        let made = self.directory.value("process_made", 1, 255)?;
        if node.number("sampled_state")? != made {
            return Ok(Vec::new());
        }
        let sampled = self.record("sampled", node.number("sampled")?)?;
        let cache_nodes = sampled.array("cache_nodes", "cache_node_locked")?;
        let mut found = Vec::new();
        for (class, locked) in (0..=numbers.classes).zip(cache_nodes).skip(1) {
            // No sheaf has any of these.
            let cache_node = CacheNode {
                class,
                ..self.read_cache_node(&locked.inner("cache_node", "cache_node")?, 0)?
            };
            if cache_node.is_used() {
                found.push(cache_node);
            }
        }
        Ok(found)
    }

    pub(super) fn read_cache_node(
        &self,
        cache_node: &Record<'_>,
        capacity: u64,
    ) -> Result<CacheNode> {
        let barn = cache_node.inner("barn", "barn")?;
        let full = barn
            .number("count")?
            .min(barn.bytes("full")?.len() as u64 / 8);
        let mut lists = Vec::new();
        for list in cache_node.array("lists", "slab_list")? {
            lists.push(list.number("count")?);
        }
        let partial = self.directory.value("partial_lists", 1, 64)? as usize;
        let slabs = cache_node.number("slabs")?;
        let out = cache_node.number("out")?;
        if slabs > MOST_SLABS || out > MOST_SLABS << 16 {
            bail!("damaged tables: a cache node of {slabs} slabs");
        }
        Ok(CacheNode {
            address: cache_node.address,
            slabs,
            empty_slabs: lists.get(partial).copied().unwrap_or_default().min(slabs),
            partial_slabs: lists.iter().take(partial).sum(),
            out,
            in_barn: full * capacity + self.objects_of_sheaf(barn.number("open")?)?,
            full_sheaves: full,
            taken: barn.number("taken")?,
            ..CacheNode::default()
        })
    }

    /// The objects of the sheaf at `address`, which may be none.
    fn objects_of_sheaf(&self, address: u64) -> Result<u64> {
        if address == 0 {
            return Ok(0);
        }
        let count = self.directory.field("sheaf.count")?;
        let word = self
            .memory
            .read_words(&[address.wrapping_add(count.offset)]);
        // Others may be taking it away at this moment.
        Ok(word
            .first()
            .copied()
            .flatten()
            .filter(|it| *it < 1 << 16)
            .unwrap_or(0))
    }
}

/// Adds cache nodes and caches up by class.
pub(super) fn sum_up(heap: &mut Heap) {
    let Heap {
        classes,
        cache_nodes,
        caches,
        ..
    } = heap;
    for cache in caches.iter() {
        for (id, count) in &cache.objects {
            if let Some(class) = classes.get_mut(*id as usize) {
                class.in_sheaves += count;
            }
        }
        for (id, count) in &cache.aliens {
            if let Some(class) = classes.get_mut(*id as usize) {
                class.in_aliens += count;
            }
        }
    }
    for cache_node in cache_nodes.iter() {
        let Some(class) = classes.get_mut(cache_node.class as usize) else {
            continue;
        };
        class.slabs += cache_node.slabs;
        class.in_barns += cache_node.in_barn;
        class.empty_slabs += cache_node.empty_slabs;
        class.in_use += cache_node.out;
        let objects =
            (cache_node.slabs - cache_node.empty_slabs).saturating_mul(class.slab_objects);
        class.in_partial += objects.saturating_sub(cache_node.out);
    }
    for class in classes.iter_mut().filter(|it| !it.is_span) {
        let cached = class.in_sheaves + class.in_barns + class.in_aliens;
        class.in_use = class.in_use.saturating_sub(cached);
    }
}
