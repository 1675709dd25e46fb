//! A structure of the target's, read whole, whose fields are found by name.

use anyhow::{Context, Result, anyhow, bail};

use crate::directory::Directory;
use crate::memory::{Memory, number};

/// A structure's bytes.
#[derive(Clone, Debug)]
pub(crate) struct Record<'d> {
    directory: &'d Directory,
    structure: &'static str,
    /// Where the target has it.
    pub(crate) address: u64,
    bytes: Vec<u8>,
}

impl<'d> Record<'d> {
    /// Reads the structure at `address`.
    pub(crate) fn read(
        memory: &dyn Memory,
        directory: &'d Directory,
        structure: &'static str,
        address: u64,
    ) -> Result<Self> {
        let bytes = memory.bytes(address, directory.size(structure)?);
        let bytes = bytes.with_context(|| format!("damaged tables: {structure}"))?;
        Ok(Self::of(directory, structure, address, bytes))
    }

    /// The structure at `address`, which was read already.
    pub(crate) fn of(
        directory: &'d Directory,
        structure: &'static str,
        address: u64,
        bytes: Vec<u8>,
    ) -> Self {
        Self {
            directory,
            structure,
            address,
            bytes,
        }
    }

    /// The bytes of a field, named without its structure.
    pub(crate) fn bytes(&self, field: &str) -> Result<&[u8]> {
        let place = self.place(field)?;
        let end = place.offset.saturating_add(place.size);
        let range = usize::try_from(place.offset)?..usize::try_from(end)?;
        let bytes = self.bytes.get(range);
        bytes.ok_or_else(|| anyhow!("damaged directory: {}.{field}", self.structure))
    }

    /// A field as a number.
    pub(crate) fn number(&self, field: &str) -> Result<u64> {
        number(self.bytes(field)?)
            .ok_or_else(|| anyhow!("damaged directory: {}.{field} is no number", self.structure))
    }

    /// A field as an array of numbers of `bytes` bytes each.
    pub(crate) fn numbers(&self, field: &str, bytes: usize) -> Result<Vec<u64>> {
        let chunks = self.bytes(field)?.chunks_exact(bytes);
        Ok(chunks.filter_map(number).collect())
    }

    /// The address of a field.
    pub(crate) fn address_of(&self, field: &str) -> Result<u64> {
        Ok(self.address.wrapping_add(self.place(field)?.offset))
    }

    /// The structure that a field is, or begins with.
    pub(crate) fn inner(&self, field: &str, structure: &'static str) -> Result<Self> {
        let place = self.place(field)?;
        self.part(place.offset, structure)
    }

    /// The structures of an array that a field is.
    pub(crate) fn array(&self, field: &str, structure: &'static str) -> Result<Vec<Self>> {
        let (place, size) = (self.place(field)?, self.directory.size(structure)?);
        let count = self.bytes(field)?.len() as u64 / size;
        let part = |index| self.part(place.offset + index * size, structure);
        (0..count).map(part).collect()
    }

    fn part(&self, offset: u64, structure: &'static str) -> Result<Self> {
        let end = offset.saturating_add(self.directory.size(structure)?);
        let range = usize::try_from(offset)?..usize::try_from(end)?;
        let Some(bytes) = self.bytes.get(range) else {
            bail!("damaged directory: {structure} in {}", self.structure);
        };
        Ok(Self {
            directory: self.directory,
            structure,
            address: self.address.wrapping_add(offset),
            bytes: bytes.to_vec(),
        })
    }

    fn place(&self, field: &str) -> Result<crate::directory::Field> {
        self.directory.field(&format!("{}.{field}", self.structure))
    }
}
