//! Mappings of huge blocks: how many there are, and where they lie.

use anyhow::{Result, bail};

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

    /// The mappings, in chunks that double in length.
    fn extents(&self, nodes: &Record<'_>) -> Result<Vec<Extent>> {
        let it = &self.directory;
        let first = it.value("extent_first_chunk", 1, 1 << 16)?;
        let heads = it.value("extent_heads", 0, 1 << 16)?;
        let entries = it.value("extent_chunk_entries", 0, 1 << 16)?;
        let end = nodes.number("fresh")?.min(nodes.number("ready")?);
        let end = end.min(MOST_EXTENTS);
        let (stride, chunk) = (it.size("extent")?, it.size("extent_chunk")?);
        let chunks = nodes.address_of("chunks")?;
        let most = nodes.bytes("chunks")?.len() as u64 / chunk;
        let (mut found, mut number) = (Vec::new(), heads);
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
            found.extend(self.extents_in(&bytes, stride)?);
            number += count;
        }
        found.sort_unstable_by_key(|it| it.start);
        Ok(found)
    }

    fn extents_in(&self, bytes: &[u8], stride: u64) -> Result<Vec<Extent>> {
        let it = &self.directory;
        let cell = it.field("extent.cell")?;
        let [start, length] = [it.field("mapping.start")?, it.field("mapping.bytes")?];
        let kind = it.field("extent.kind")?;
        let kinds = ["used", "changed", "noted"].map(|name| format!("extent_{name}"));
        let [used, changed, noted] = [0, 1, 2].map(|index: usize| it.value(&kinds[index], 0, 255));
        let used = [used?, changed?, noted?];
        let word = |node: &[u8], offset: u64, size: u64| {
            let offset = usize::try_from(offset).ok()?;
            number(node.get(offset..offset.checked_add(size as usize)?)?)
        };
        let extent = |node: &[u8]| {
            Some(Extent {
                start: word(node, cell.offset + start.offset, 8)?,
                bytes: word(node, cell.offset + length.offset, 8)?,
                is_used: used.contains(&word(node, kind.offset, 1)?),
            })
        };
        let all = bytes.chunks_exact(stride as usize).filter_map(extent);
        Ok(all
            .filter(|it| it.start != 0 && it.start.checked_add(it.bytes).is_some())
            .collect())
    }
}
