//! Huge blocks: the mappings by address do not overlap, free neighbours are one, and the sums are theirs.

use anyhow::Result;

use super::Faults;
use crate::read::Target;
use crate::record::Record;

impl Target<'_> {
    pub(super) fn check_huge(&self, huge: &Record<'_>, faults: &mut Faults) -> Result<()> {
        let extents = huge
            .inner("state", "huge_state")?
            .inner("extents", "extents")?;
        let all = self.extent_nodes(&extents.inner("nodes", "extent_nodes")?)?;
        let kind = |name: &str| self.directory.value(&format!("extent_{name}"), 0, 255);
        let used = [kind("used")?, kind("changed")?, kind("noted")?];
        let (kept, vacant) = (kind("kept")?, kind("vacant")?);
        let (mut blocks, mut sums) = (0, [0_u64; 3]);
        let (mut place, mut end, mut last_kind) = (0, 0, 0);
        for step in 0..=all.len() {
            let next = all.get(place as usize).map_or(0, |it| it.after);
            if next == 0 {
                break;
            }
            let Some(extent) = all.get(next as usize).filter(|_| step < all.len()) else {
                faults.add(format!(
                    "huge blocks: extent {place} is linked to {next}, which is none"
                ));
                break;
            };
            let name = || format!("huge blocks, extent {next} at {:#x}", extent.start);
            faults.expect(extent.before == place, || {
                format!(
                    "{}: {} is before it, and not {place}",
                    name(),
                    extent.before
                )
            });
            faults.expect(extent.start >= end, || {
                format!("{}: begins inside of the one before", name())
            });
            let index = match extent.kind {
                it if used.contains(&it) => 0,
                it if it == kept => 1,
                it if it == vacant => 2,
                it => {
                    faults.add(format!("{}: of kind {it}, which is none", name()));
                    break;
                }
            };
            blocks += u64::from(index == 0);
            faults.expect(extent.bytes > 0, || format!("{}: has no bytes", name()));
            let is_one = index != 0 && extent.kind == last_kind && extent.start == end;
            faults.expect(!is_one, || {
                format!("{}: free as the one before, and apart", name())
            });
            sums[index] = sums[index].saturating_add(extent.bytes);
            (place, end, last_kind) =
                (next, extent.start.saturating_add(extent.bytes), extent.kind);
        }
        let counted = ["used_bytes", "kept_bytes", "vacant_bytes"].map(|name| extents.number(name));
        for ((what, seen), counted) in ["used", "kept", "vacant"]
            .into_iter()
            .zip(sums)
            .zip(counted)
        {
            let counted = counted?;
            faults.expect(seen == counted, || {
                format!(
                    "huge blocks: {seen} bytes are {what} in the extents, {counted} in the count"
                )
            });
        }
        let counted = extents.number("blocks")?;
        faults.expect(blocks == counted, || {
            format!("huge blocks: {blocks} blocks in the extents, {counted} in the count")
        });
        Ok(())
    }
}
