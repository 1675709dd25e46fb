//! Whether a cache node's lists and counts agree with the records.
#![forbid(unsafe_code)]

use super::cache_node::{CacheNode, list_for};
use super::class::info;
use super::place::Place;
use crate::report::check;
use crate::units::ClassId;

impl CacheNode {
    /// Checks every listed slab; aborts if a count is wrong.
    pub(crate) fn validate(&self, place: Place<'_>, id: ClassId) {
        let mut listed = 0;
        for (number, list) in (1_u8..).zip(&self.lists) {
            let mut slab = list.first();
            let mut count = 0;
            while let Some(granule) = slab {
                let record = place.tables.record(granule);
                record.validate(info(id));
                check(
                    record.list() == number,
                    "a slab is on a list that it does not name",
                );
                check(
                    list_for(record, info(id)) == number,
                    "a slab is on the wrong list",
                );
                check(
                    place.is_entered(granule, id),
                    "a slab has another class or owner",
                );
                count += 1;
                slab = record.next();
            }
            check(count == list.count(), "a list of slabs is miscounted");
            listed += count;
        }
        check(listed <= self.slabs, "more slabs are listed than there are");
        let most = u64::from(self.slabs) * u64::from(info(id).objects);
        check(self.out <= most, "more objects are out than there are");
    }
}
