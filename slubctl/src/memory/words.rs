//! Bytes as numbers, and a test's own memory.

use anyhow::{Result, bail};

use super::{Mapping, Memory, Page};

/// The number that one, two, four or eight bytes are.
pub fn number(bytes: &[u8]) -> Option<u64> {
    match *bytes {
        [a] => Some(u64::from(a)),
        [a, b] => Some(u64::from(u16::from_le_bytes([a, b]))),
        [a, b, c, d] => Some(u64::from(u32::from_le_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Some(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    }
}

/// Memory made of pieces, for tests: what was read of a process, perhaps damaged.
#[derive(Clone, Debug, Default)]
pub struct Bytes {
    /// Pieces and their addresses, which do not overlap.
    pub pieces: Vec<(u64, Vec<u8>)>,
    /// The mappings that are told of.
    pub mappings: Vec<Mapping>,
}

impl Memory for Bytes {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        for (start, piece) in &self.pieces {
            let Some(offset) = address.checked_sub(*start) else {
                continue;
            };
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = offset.saturating_add(buffer.len());
            if let Some(found) = piece.get(offset..end) {
                buffer.copy_from_slice(found);
                return Ok(());
            }
        }
        bail!("nothing at {address:#x}");
    }

    fn mappings(&self) -> Result<Vec<Mapping>> {
        Ok(self.mappings.clone())
    }

    fn pages(&self, _: u64, _: usize) -> Option<Vec<Page>> {
        None
    }

    fn page_bytes(&self) -> u64 {
        4096
    }
}
