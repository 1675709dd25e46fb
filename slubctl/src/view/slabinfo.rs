//! `/proc/slabinfo`, version 2.1.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::snapshot::{Class, Snapshot};

/// A class as the kernel names it, or a cache by its name.
pub fn name(class: &Class) -> String {
    match class.name.as_str() {
        "" => format!("kmalloc-{}", class.size),
        name => name.to_owned(),
    }
}

/// Whether a class is none of sizes, and the size of one that is.
pub(super) type Order = (bool, u64);

/// What classes are sorted by before their names: those of sizes come first, by size.
pub(super) fn order(class: &Class) -> Order {
    let is_other = class.is_named || class.is_pools || !name(class).starts_with("kmalloc-");
    (is_other, if is_other { 0 } else { class.size })
}

/// The file's text. Objects in caches count as active, as they do in the kernel.
pub fn slabinfo(snapshot: &Snapshot) -> String {
    let mut text = String::from(
        "slabinfo - version: 2.1\n\
         # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> \
         : tunables <limit> <batchcount> <sharedfactor> \
         : slabdata <active_slabs> <num_slabs> <sharedavail>\n",
    );
    // Copies of one class, in several copies of the library, are one cache.
    let mut rows: BTreeMap<(Order, String), (u64, u64, &Class)> = BTreeMap::new();
    let classes = snapshot.heaps.iter().flat_map(|heap| &heap.classes);
    for class in classes.filter(|it| !it.is_span && it.slabs > 0) {
        let active = class.in_use + class.in_sheaves + class.in_barns + class.in_aliens;
        let row = rows
            .entry((order(class), name(class)))
            .or_insert_with(|| (0, 0, class));
        row.0 += active;
        row.1 += class.slabs;
    }
    for (active, slabs, class) in rows.into_values() {
        let objects = slabs.saturating_mul(class.slab_objects);
        let pages = class.slab_bytes / 4096;
        let _ = write!(
            text,
            "{:<17} {:6} {:6} {:6} {:4} {:4}",
            name(class),
            active.min(objects),
            objects,
            class.size,
            class.slab_objects,
            pages
        );
        let _ = write!(text, " : tunables {:4} {:4} {:4}", 0, 0, 0);
        let _ = writeln!(text, " : slabdata {slabs:6} {slabs:6} {:6}", 0);
    }
    text
}
