//! Which named cache or pool has an object, for reports.
#![forbid(unsafe_code)]

use super::process::PROCESS;
use crate::report::{Line, name_objects_by};

/// The most of a name that is printed.
const NAME: usize = 64;

/// Has reports name caches and pools from now on.
pub(super) fn name_objects() {
    name_objects_by(name_object);
}

/// Writes which named cache or pool has the object at an address, for a report.
fn name_object(address: usize, line: &mut Line<256>) -> bool {
    let Some(process) = PROCESS.get() else {
        return false;
    };
    let named = || {
        let kmem = process.kmem.get()?;
        match process.modes.owner_in_report(address) {
            Some(owner) => kmem.cache_of_owner(owner),
            None => Some(kmem.cache_of(address)?.0),
        }
    };
    if let Some(cache) = named() {
        line.text(" in ").quoted(cache.title(), NAME);
        return true;
    }
    let pools = process.pools.get();
    let pool = pools.and_then(|pools| pools.object_of(address));
    if let Some(pool) = pool {
        let name = pool.name();
        let end = name.iter().position(|byte| *byte == 0);
        line.text(" in pool ").quoted(
            name.get(..end.unwrap_or(name.len())).unwrap_or_default(),
            NAME,
        );
    }
    pool.is_some()
}
