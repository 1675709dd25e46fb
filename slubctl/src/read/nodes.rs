//! Arenas: free blocks, pages in use, and the kinds of pageblocks.

use anyhow::{Result, bail};

use super::{Numbers, Target};
use crate::memory::number;
use crate::record::Record;
use crate::snapshot::Node;

/// No arena is longer.
const MOST_BYTES: u64 = 1 << 46;
/// Records of pageblocks that are read at once.
const BLOCKS: u64 = 64;

/// The addresses of a heap's nodes.
pub(super) fn addresses(heap: &Record<'_>, numbers: &Numbers) -> Result<Vec<u64>> {
    let mut nodes = heap.numbers("nodes", 8)?;
    nodes.truncate(numbers.max_nodes as usize + 1);
    let mut nodes: Vec<_> = nodes.into_iter().take_while(|it| *it != 0).collect();
    let count = nodes.len();
    nodes.dedup();
    match nodes.len() == count {
        true => Ok(nodes),
        false => bail!("damaged tables: a node is there twice"),
    }
}

/// The columns of numastat by node.
pub(super) fn numastat(heap: &Record<'_>, numbers: &Numbers) -> Result<Vec<Vec<u64>>> {
    let all = heap.numbers("numastat", 8)?;
    let columns = (all.len() / numbers.max_nodes as usize).max(1);
    Ok(all.chunks(columns).map(<[u64]>::to_vec).collect())
}

impl Target<'_> {
    pub(super) fn read_node(&self, node: &Record<'_>, numbers: &Numbers) -> Result<Node> {
        let arena = node.inner("arena", "arena")?;
        let data = arena.inner("data", "region")?;
        let state = arena.inner("state", "arena_state")?;
        let buddy = state.inner("buddy", "buddy")?;
        let reserved_bytes = data.number("bytes")?;
        let committed = state.number("committed")?;
        let base = data.number("base")?;
        let free = buddy.numbers("free_blocks", 4)?;
        if reserved_bytes > MOST_BYTES || base.checked_add(reserved_bytes).is_none() {
            bail!("damaged tables: an arena of {reserved_bytes} bytes");
        }
        let committed_bytes = committed.saturating_mul(numbers.page);
        if committed_bytes > reserved_bytes {
            bail!("damaged tables: {committed_bytes} bytes of an arena of {reserved_bytes} in use");
        }
        // While numbers move they need not agree.
        let pages = |pages: u64| pages.saturating_mul(numbers.page).min(committed_bytes);
        Ok(Node {
            id: node.number("id")?,
            start: node.address,
            base,
            reserved_bytes,
            committed_bytes,
            used_bytes: pages(arena.number("used")?),
            dirty_bytes: pages(arena.number("dirty")?),
            free_blocks: free
                .chunks(numbers.orders as usize)
                .take(numbers.kinds as usize)
                .map(<[u64]>::to_vec)
                .collect(),
            pageblocks: self.kinds(&arena, committed_bytes.div_ceil(numbers.block), numbers)?,
            numastat: Vec::new(),
        })
    }

    /// How many of the first `blocks` pageblocks are of each kind.
    fn kinds(&self, arena: &Record<'_>, blocks: u64, numbers: &Numbers) -> Result<Vec<u64>> {
        let map = arena.inner("map", "page_map")?;
        let records = map.number("records")?;
        let blocks = blocks.min(map.number("ready")?);
        let stride = self.directory.size("block_record")?;
        let kind = self.directory.field("block_record.kind")?;
        if kind.size != 1 || kind.offset >= stride || blocks > MOST_BYTES / numbers.block {
            bail!("damaged directory: block_record.kind");
        }
        // A word of each record, not the records: they are long.
        let mut counts = vec![0; numbers.kinds as usize];
        let place = |block: u64| {
            let offset = block.wrapping_mul(stride).wrapping_add(kind.offset);
            records.wrapping_add(offset) & !7
        };
        for first in (0..blocks).step_by(BLOCKS as usize) {
            let range = first..blocks.min(first + BLOCKS);
            let places: Vec<u64> = range.map(place).collect();
            for word in self.memory.read_words(&places).into_iter().flatten() {
                let byte = word.to_le_bytes()[(kind.offset % 8) as usize];
                let kind = number(&[byte]).unwrap_or_default() as usize;
                if let Some(count) = counts.get_mut(kind) {
                    *count += 1;
                }
            }
        }
        Ok(counts)
    }
}
