//! Where an arena's tables have the records of slabs and the owners of granules.

use anyhow::{Result, bail};

use super::Target;
use crate::record::Record;

/// Where the records of an arena's slabs are.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlabPlaces {
    near: u64,
    places: [u64; 2],
    stride: u64,
}

impl SlabPlaces {
    /// The record of the slab that begins at a granule.
    pub(super) fn of(&self, granule: u64) -> u64 {
        let [near, far] = self.places;
        match granule.checked_sub(self.near) {
            None => near.wrapping_add(granule.wrapping_mul(self.stride)),
            Some(granule) => far.wrapping_add(granule.wrapping_mul(self.stride)),
        }
    }
}

impl Target<'_> {
    /// Where the records of an arena's slabs are.
    pub(super) fn slab_places(&self, tables: &Record<'_>) -> Result<SlabPlaces> {
        Ok(SlabPlaces {
            near: self.directory.value("near_records", 0, 1 << 20)?,
            places: [tables.number("near")?, tables.number("records")?],
            stride: self.directory.size("slab_record")?,
        })
    }

    /// The table of the owners of an arena's granules, and how many it has; none where nothing ever had an owner.
    pub(super) fn owner_table(&self, tables: &Record<'_>) -> Result<Option<(u64, u64)>> {
        let once = tables.inner("owners", "owners_once")?;
        let made = self
            .directory
            .value("process_made", 1, u64::from(u32::MAX))?;
        if once.number("state")? != made {
            return Ok(None);
        }
        let table = once.inner("value", "owners")?;
        let (entries, ready) = (table.number("entries")?, table.number("ready")?);
        if ready > 1 << 32 {
            bail!("damaged tables: {ready} owners");
        }
        Ok(Some((entries, ready)))
    }
}
