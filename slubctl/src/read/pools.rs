//! Pools: their accounts, the slabs that are theirs, and their other blocks. The objects of all pools of one size are a class of
//! their own after those of named caches.

use std::collections::HashMap;

use anyhow::Result;

use super::slab_owners::{Owners, PoolOwners};
use super::{Numbers, Target};
use crate::memory::{number, printable};
use crate::record::Record;
use crate::snapshot::{CacheNode, Class, Heap, Pool, PoolClass};

/// No heap has more pools.
const MOST: u64 = 1 << 16;
/// Structures that are read at once.
const PIECE: u64 = 64;
/// Granules that are looked at at once.
const GRANULES: u64 = 1024;

/// What slabs of one class a pool has on all nodes.
#[derive(Clone, Copy, Debug, Default)]
struct Slabs {
    slabs: u64,
    out: u64,
}

/// The slabs of pools by place and class of sizes, and by node and class of sizes.
#[derive(Debug, Default)]
struct Found {
    by_pool: HashMap<(u64, u64), Slabs>,
    by_node: HashMap<(u64, u64), CacheNode>,
}

impl Target<'_> {
    /// The registry of pools, if there is one.
    pub(super) fn pools<'d>(&self, process: &Record<'d>) -> Result<Option<Record<'d>>> {
        let once = process.inner("pools", "pools_once")?;
        let made = self
            .directory
            .value("process_made", 1, u64::from(u32::MAX))?;
        match once.number("state")? == made {
            true => Ok(Some(once.inner("value", "pools")?)),
            false => Ok(None),
        }
    }

    /// Adds the classes of pools to a heap whose other classes are known, and says whose slabs are of them.
    pub(super) fn add_pool_classes(
        &self,
        process: &Record<'_>,
        heap: &mut Heap,
        numbers: &Numbers,
        owners: &mut Owners,
    ) -> Result<()> {
        if self.pools(process)?.is_none() {
            return Ok(());
        }
        owners.insert_pools(PoolOwners {
            first: self.directory.value("first_pool_number", 1, 1 << 20)?,
            shift: self.directory.value("owner_number_shift", 1, 31)?,
            class: heap.classes.len() as u64,
        });
        for id in 1..=numbers.classes as usize {
            let class = &heap.classes[id];
            heap.classes.push(Class {
                name: format!("pools-{}", class.size),
                is_pools: true,
                size: class.size,
                slab_objects: class.slab_objects,
                slab_bytes: class.slab_bytes,
                ..Class::default()
            });
        }
        Ok(())
    }

    /// Reads the pools into a heap that has their classes.
    pub(super) fn read_pools(
        &self,
        process: &Record<'_>,
        heap: &mut Heap,
        numbers: &Numbers,
        owners: &Owners,
    ) -> Result<()> {
        let Some(pools) = self.pools(process)? else {
            return Ok(());
        };
        let mut found = Found::default();
        for index in 0..heap.nodes.len() {
            self.find_pool_slabs(heap, index, numbers, owners, &mut found)?;
        }
        let blocks = self.pool_blocks(&pools.inner("blocks", "pool_blocks")?)?;
        let node_ids: HashMap<u64, u64> = heap.nodes.iter().map(|it| (it.start, it.id)).collect();
        for record in self.pool_records(&pools)? {
            let mut pool = self.read_pool(&record, &heap.classes, &found)?;
            pool.node = node_ids.get(&record.number("node")?).copied().unwrap_or(0);
            let place = record.number("place")?;
            (pool.blocks, pool.block_bytes) = blocks.get(&place).copied().unwrap_or_default();
            for class in &pool.classes {
                let all = owners.class_of_pools(class.class);
                let all = all.and_then(|it| heap.classes.get_mut(it as usize));
                if let Some(all) = all {
                    all.in_sheaves = all.in_sheaves.saturating_add(class.at_hand);
                }
            }
            heap.pools.push(pool);
        }
        heap.pools.sort_by_key(|it| it.address);
        let mut nodes: Vec<_> = found.by_node.into_iter().collect();
        nodes.sort_unstable_by_key(|(key, _)| *key);
        heap.cache_nodes
            .extend(nodes.into_iter().map(|(_, cache_node)| cache_node));
        Ok(())
    }

    /// The structures of pools that exist, or of which blocks do.
    pub(super) fn pool_records(&self, pools: &Record<'_>) -> Result<Vec<Record<'_>>> {
        let (table, stride) = (pools.number("table")?, self.directory.size("pool")?);
        let made = pools.number("made")?.min(pools.number("ready")?).min(MOST);
        let mut found = Vec::new();
        for first in (0..made).step_by(PIECE as usize) {
            let count = PIECE.min(made - first);
            let address = table.wrapping_add(first * stride);
            let bytes = self.memory.touched_bytes(address, count * stride)?;
            for (place, bytes) in (first..).zip(bytes.chunks_exact(stride as usize)) {
                let address = table.wrapping_add(place * stride);
                let record = Record::of(&self.directory, "pool", address, bytes.to_vec());
                if record.number("state")? != 0 {
                    found.push(record);
                }
            }
        }
        Ok(found)
    }

    fn read_pool(&self, record: &Record<'_>, classes: &[Class], found: &Found) -> Result<Pool> {
        let account = record.inner("account", "pool_account")?;
        let place = record.number("place")?;
        let state = record.number("state")?;
        let mut pool = Pool {
            address: record.address,
            name: name(record.bytes("name")?),
            parent: record.number("parent")?,
            is_closed: state != self.directory.value("pool_live", 1, 255)?,
            is_kept: state == self.directory.value("pool_resting", 1, 255)?,
            is_single: record.number("flags")?
                & self.directory.value("pool_single_thread", 1, 1 << 31)?
                != 0,
            limit_bytes: account.number("limit")?,
            ..Pool::default()
        };
        for (id, class) in (0..).zip(record.array("classes", "pool_class")?) {
            let Some(info) = classes.get(id as usize) else {
                break;
            };
            let at_hand = at_hand(&class)?;
            let slabs = found.by_pool.get(&(place, id)).copied().unwrap_or_default();
            if slabs.slabs == 0 && at_hand == 0 {
                continue;
            }
            pool.at_hand_bytes = pool.at_hand_bytes.saturating_add(at_hand * info.size);
            let bytes = slabs.slabs.saturating_mul(info.slab_bytes);
            pool.slab_bytes = pool.slab_bytes.saturating_add(bytes);
            pool.classes.push(PoolClass {
                class: id,
                size: info.size,
                slabs: slabs.slabs,
                in_use: slabs.out.saturating_sub(at_hand),
                at_hand,
            });
        }
        let idle = account.number("slack")?.saturating_add(pool.at_hand_bytes);
        pool.used_bytes = account.number("charged")?.saturating_sub(idle);
        pool.own_bytes = account.number("own")?.saturating_sub(idle);
        Ok(pool)
    }

    /// Adds the slabs of pools on a node.
    fn find_pool_slabs(
        &self,
        heap: &Heap,
        index: usize,
        numbers: &Numbers,
        owners: &Owners,
        found: &mut Found,
    ) -> Result<()> {
        let node = &heap.nodes[index];
        let tables = self
            .record("node", node.start)?
            .inner("tables", "slab_tables")?;
        let Some((words, ready)) = self.owner_table(&tables)? else {
            return Ok(());
        };
        let granules = node.committed_bytes.div_ceil(numbers.granule).min(ready);
        let out = self.directory.field("slab_record.out")?;
        let places = self.slab_places(&tables)?;
        for first in (0..granules).step_by(GRANULES as usize) {
            let count = GRANULES.min(granules - first);
            let bytes = self
                .memory
                .touched_bytes(words.wrapping_add(4 * first), 4 * count)?;
            let (mut slabs, mut records) = (Vec::new(), Vec::new());
            for (granule, word) in (first..).zip(bytes.chunks_exact(4).filter_map(number)) {
                let Some((place, id)) = owners.pool(word) else {
                    continue;
                };
                let Some(class) = heap.classes.get(id as usize).filter(|it| !it.is_span) else {
                    continue;
                };
                if granule.is_multiple_of((class.slab_bytes / numbers.granule).max(1)) {
                    slabs.push((place, id));
                    records.push(places.of(granule).wrapping_add(out.offset));
                }
            }
            for ((place, id), word) in slabs.into_iter().zip(self.memory.read_words(&records)) {
                let out = word.unwrap_or_default() & u64::from(u16::MAX);
                let slabs = found.by_pool.entry((place, id)).or_default();
                slabs.slabs += 1;
                slabs.out += out;
                let class = owners.class_of_pools(id).unwrap_or_default();
                let node = found.by_node.entry((node.id, id)).or_insert(CacheNode {
                    node: node.id,
                    class,
                    ..CacheNode::default()
                });
                node.slabs += 1;
                node.out += out;
                node.empty_slabs += u64::from(out == 0);
                node.partial_slabs += u64::from(out < heap.classes[id as usize].slab_objects);
            }
        }
        Ok(())
    }
}

/// The objects of a pool's class that are at hand.
fn at_hand(class: &Record<'_>) -> Result<u64> {
    let ready = class.number("ready")?.count_ones();
    Ok(u64::from(ready) + u64::from(class.number("last")? != 0))
}

/// A name that is filled up with zeroes.
pub(super) fn name(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let name = &bytes[..end.unwrap_or(bytes.len())];
    printable(&String::from_utf8_lossy(name))
}
