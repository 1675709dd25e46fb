//! Blocks of pools that are no objects of slabs.

use std::collections::HashMap;

use anyhow::Result;

use super::Target;
use crate::record::Record;

/// Blocks that are read at once.
const BLOCKS: u64 = 4096;
/// No heap has more blocks of pools.
const MOST_BLOCKS: u64 = 1 << 20;

/// A block of a pool's that is no object of a slab.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolBlock {
    /// Where it begins.
    pub(super) start: u64,
    /// Its number in the table.
    pub(super) number: u64,
    /// Its bytes.
    pub(super) bytes: u64,
    /// The place of its pool.
    pub(super) pool: u64,
    /// The next one of its bucket and of its pool.
    pub(super) beside: u64,
    pub(super) next: u64,
}

impl Target<'_> {
    /// How many blocks that are no objects of slabs each pool has, by place, and their bytes.
    pub(super) fn pool_blocks(&self, blocks: &Record<'_>) -> Result<HashMap<u64, (u64, u64)>> {
        let mut found: HashMap<u64, (u64, u64)> = HashMap::new();
        for block in self.all_pool_blocks(blocks, blocks.number("count")?)? {
            let sum = found.entry(block.pool).or_default();
            sum.0 += 1;
            sum.1 = sum.1.saturating_add(block.bytes);
        }
        Ok(found)
    }

    /// The first `most` blocks of pools that are no objects of slabs.
    pub(super) fn all_pool_blocks(&self, blocks: &Record<'_>, most: u64) -> Result<Vec<PoolBlock>> {
        let (table, stride) = (blocks.number("table")?, self.directory.size("pool_block")?);
        let ready = blocks.number("ready")?.min(MOST_BLOCKS);
        let mut left = most.min(ready);
        let mut found = Vec::new();
        for first in (0..ready).step_by(BLOCKS as usize) {
            // Those that are none lie between.
            if left == 0 {
                break;
            }
            let count = BLOCKS.min(ready - first);
            let address = table.wrapping_add(first * stride);
            let bytes = self.memory.touched_bytes(address, count * stride)?;
            for (place, bytes) in (first..).zip(bytes.chunks_exact(stride as usize)) {
                let address = table.wrapping_add(place * stride);
                let record = Record::of(&self.directory, "pool_block", address, bytes.to_vec());
                let start = record.number("start")?;
                if start != 0 {
                    left = left.saturating_sub(1);
                    found.push(PoolBlock {
                        start,
                        number: place + 1,
                        bytes: record.number("bytes")?,
                        pool: record.number("pool")?,
                        beside: record.number("beside")?,
                        next: record.number("next")?,
                    });
                }
            }
        }
        Ok(found)
    }
}
