//! The blocks of pools that are no objects of slabs: each is in the list of its bucket and in that of its pool.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::{Faults, Known};
use crate::memory::number;
use crate::read::Target;
use crate::read::pool_blocks::PoolBlock;
use crate::record::Record;

impl Target<'_> {
    /// Checks the blocks, and returns the bytes of each pool's, by place.
    pub(super) fn check_pool_blocks(
        &self,
        blocks: &Record<'_>,
        known: &Known<'_>,
        pools: &[Record<'_>],
        faults: &mut Faults,
    ) -> Result<HashMap<u64, u64>> {
        let all = self.all_pool_blocks(blocks, u64::MAX)?;
        let by_number: HashMap<u64, &PoolBlock> = all.iter().map(|it| (it.number, it)).collect();
        let counted = blocks.number("count")?;
        let seen = all.len() as u64;
        faults.expect(seen == counted, || {
            format!("blocks of pools: {seen} in the table, {counted} in the count")
        });
        let mut left: HashSet<u64> = by_number.keys().copied().collect();
        let (factor, shift) = (
            self.directory.value("pool_bucket_factor", 1, u64::MAX)?,
            self.directory.value("pool_bucket_shift", 0, 63)?,
        );
        let buckets = self.directory.value("pool_buckets", 1, 1 << 20)?;
        let ready = blocks.number("buckets_ready")?.min(buckets);
        let heads = self
            .memory
            .touched_bytes(blocks.number("buckets")?, 4 * ready)?;
        for (bucket, head) in (0..).zip(heads.chunks_exact(4).filter_map(number)) {
            let mut next = head;
            while next != 0 {
                let Some(block) = by_number.get(&next).filter(|_| left.remove(&next)) else {
                    faults.add(format!("blocks of pools: bucket {bucket} leads to {next}, which is none or is elsewhere"));
                    break;
                };
                let own = (block.start / known.numbers.page).wrapping_mul(factor) >> shift
                    & (buckets - 1);
                faults.expect(own == bucket, || {
                    format!(
                        "blocks of pools: {:#x} is in bucket {bucket}, and belongs in {own}",
                        block.start
                    )
                });
                next = block.beside;
            }
        }
        for number in left.into_iter().filter_map(|it| by_number.get(&it)) {
            faults.add(format!(
                "blocks of pools: {:#x} is in no bucket",
                number.start
            ));
        }
        let mut bytes = HashMap::new();
        let mut listed = 0;
        for pool in pools {
            let (place, mut next) = (pool.number("place")?, pool.number("blocks")?);
            let (mut sum, mut seen) = (0_u64, HashSet::new());
            while next != 0 {
                let is_new = seen.insert(next);
                let Some(block) = by_number.get(&next).filter(|it| is_new && it.pool == place)
                else {
                    faults.add(format!(
                        "pool {:#x}: its list of blocks leads to {next}, which is none of its",
                        pool.address
                    ));
                    break;
                };
                listed += 1;
                sum = sum.saturating_add(block.bytes);
                next = block.next;
            }
            bytes.insert(place, sum);
        }
        faults.expect(listed == all.len(), || {
            format!(
                "blocks of pools: {} in the table, {listed} in the lists of pools",
                all.len()
            )
        });
        Ok(bytes)
    }
}
