//! Mappings of huge blocks: how many there are, and where they lie.

use anyhow::{Context, Result, bail};

use super::Target;
use crate::memory::number;
use crate::record::Record;
use crate::snapshot::{Extent, Huge};

/// Most mappings that are listed; the sums are of all.
const MOST_EXTENTS: u64 = 1 << 18;
/// No address space is larger.
const MOST_BYTES: u64 = 1 << 57;
/// Mappings that are read at once.
const PIECE: u64 = 256;

impl Target<'_> {
    pub(super) fn read_huge(&self, record: &Record<'_>) -> Result<Huge> {
        let state = record.inner("state", "huge_state")?;
        let extents = state.inner("extents", "extents")?;
        let parked = self.parked(&record.inner("recent", "recent")?)?;
        let parked_bytes: u64 = parked.iter().fold(0, |all, it| all.saturating_add(*it));
        let all = extents.number("blocks")?;
        let blocks = all.saturating_sub(parked.len() as u64);
        let used = extents.number("used_bytes")?.saturating_sub(parked_bytes);
        let markers = all.saturating_mul(self.memory.page_bytes());
        let bytes = |bytes: u64| bytes.min(MOST_BYTES);
        Ok(Huge {
            blocks,
            bytes: bytes(used.saturating_sub(markers)),
            kept_bytes: bytes(extents.number("kept_bytes")?.saturating_add(parked_bytes)),
            vacant_bytes: bytes(extents.number("vacant_bytes")?),
            lost_bytes: bytes(state.number("lost_bytes")?),
            extents: self.extents(&extents.inner("nodes", "extent_nodes")?)?,
        })
    }

    /// The lengths of freed blocks that are parked.
    fn parked(&self, recent: &Record<'_>) -> Result<Vec<u64>> {
        let parked = self.directory.value("recent_parked_bit", 1, u64::MAX)?;
        let flags = self.directory.value("recent_flag_bits", 1, 32)?;
        let shift = self.directory.value("recent_page_shift", flags, 63)?;
        let page = self.directory.value("page_bytes", 1 << 12, 1 << 16)?;
        let words = recent.numbers("entries", 8)?.into_iter();
        let length = |word: u64| ((word & ((1 << shift) - 1)) >> flags).saturating_mul(page);
        Ok(words
            .filter(|word| word & parked != 0)
            .map(length)
            .collect())
    }

    /// The mappings by address.
    fn extents(&self, nodes: &Record<'_>) -> Result<Vec<Extent>> {
        let kinds = ["extent_used", "extent_changed", "extent_noted"];
        let [used, changed, noted] = kinds.map(|name| self.directory.value(name, 0, 255));
        let used = [used?, changed?, noted?];
        let mut found = Vec::new();
        self.each_extent(nodes, |it| {
            if it.start != 0 && it.start.checked_add(it.bytes).is_some() {
                found.push(Extent {
                    start: it.start,
                    bytes: it.bytes,
                    is_used: used.contains(&it.kind),
                });
            }
        })?;
        found.sort_unstable_by_key(|it| it.start);
        Ok(found)
    }

    /// All nodes by number, those of no mapping too; the first is the head of the list by address.
    pub(super) fn extent_nodes(&self, nodes: &Record<'_>) -> Result<Vec<ExtentNode>> {
        let mut found = Vec::new();
        self.each_extent(nodes, |it| found.push(it))?;
        Ok(found)
    }

    /// Passes the nodes of mappings, in chunks that double in length.
    fn each_extent(&self, nodes: &Record<'_>, mut each: impl FnMut(ExtentNode)) -> Result<()> {
        let it = &self.directory;
        let first = it.value("extent_first_chunk", 1, 1 << 16)?;
        let entries = it.value("extent_chunk_entries", 0, 1 << 16)?;
        let end = nodes.number("fresh")?.min(nodes.number("ready")?);
        let end = end.min(MOST_EXTENTS);
        let (stride, chunk) = (it.size("extent")?, it.size("extent_chunk")?);
        let chunks = nodes.address_of("chunks")?;
        let most = nodes.bytes("chunks")?.len() as u64 / chunk;
        let mut number = 0;
        while number < end {
            let index = u64::from(((number + first) / first).ilog2());
            let start = (first << index) - first;
            if index >= most {
                bail!("damaged tables: more mappings than there can be");
            }
            let place = chunks.wrapping_add(index * chunk).wrapping_add(entries);
            let base = self.memory.bytes(place, 8)?;
            let base = crate::memory::number(&base).unwrap_or_default();
            let offset = number - start;
            let count = PIECE.min(end - number).min((first << index) - offset);
            let address = base.wrapping_add(offset.wrapping_mul(stride));
            let bytes = self.memory.bytes(address, count * stride)?;
            for node in bytes.chunks_exact(stride as usize) {
                each(self.extent_node(node)?);
            }
            number += count;
        }
        Ok(())
    }

    fn extent_node(&self, node: &[u8]) -> Result<ExtentNode> {
        let it = &self.directory;
        let cell = it.field("extent.cell")?.offset;
        let word = |offset: u64, size: usize| {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let bytes = node.get(offset..offset.saturating_add(size));
            bytes.and_then(number).context("damaged directory: extent")
        };
        Ok(ExtentNode {
            start: word(cell.saturating_add(it.field("mapping.start")?.offset), 8)?,
            bytes: word(cell.saturating_add(it.field("mapping.bytes")?.offset), 8)?,
            kind: word(it.field("extent.kind")?.offset, 1)?,
            after: word(it.field("extent.after")?.offset, 4)?,
            before: word(it.field("extent.before")?.offset, 4)?,
        })
    }
}

/// A mapping as the target has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtentNode {
    pub(super) start: u64,
    pub(super) bytes: u64,
    pub(super) kind: u64,
    /// The next one by address, and the one before.
    pub(super) after: u64,
    pub(super) before: u64,
}
