//! Cache nodes: their lists of slabs, and their counts against what is in the class map.

use anyhow::Result;

use super::slabs::{Counted, Counts, Decoded};
use super::{Faults, Known};
use crate::read::Target;
use crate::record::Record;
use crate::snapshot::{CacheNode, Heap, Node};
use crate::view::name;

/// Adds what a cache node counts that is not what was seen.
fn compare(name: &str, seen: Counted, slabs: u64, out: u64, faults: &mut Faults) {
    if seen.slabs != slabs {
        let seen = seen.slabs;
        faults.add(format!(
            "{name}: {seen} slabs in the class map, {slabs} in the cache node"
        ));
    } else if seen.out != out {
        let seen = seen.out;
        faults.add(format!(
            "{name}: {seen} objects are out of slabs, {out} out of the cache node"
        ));
    }
}

impl Target<'_> {
    pub(super) fn check_cache_nodes(
        &self,
        known: &Known<'_>,
        all: &Heap,
        slabs: &[Counts],
        faults: &mut Faults,
    ) -> Result<()> {
        let sum = |is_wanted: &dyn Fn(&CacheNode) -> bool| {
            let wanted = all.cache_nodes.iter().filter(|it| is_wanted(it));
            wanted.fold((0_u64, 0_u64), |(slabs, out), it| {
                (slabs.saturating_add(it.slabs), out.saturating_add(it.out))
            })
        };
        for (class, info) in known.classes.iter().enumerate() {
            if known.slab_class(class).is_none() || info.is_pools {
                continue;
            }
            let of_class = |it: &CacheNode| it.class == class as u64;
            if info.name.is_empty() {
                for (node, counts) in all.nodes.iter().zip(slabs) {
                    let (slabs, out) = sum(&|it| of_class(it) && it.node == node.id);
                    let what = format!("node {}, {}", node.id, name(info));
                    compare(&what, counts.of(class), slabs, out, faults);
                }
                continue;
            }
            // Of all nodes together.
            let seen = slabs
                .iter()
                .fold(Counted::default(), |sum, counts| Counted {
                    slabs: sum.slabs + counts.of(class).slabs,
                    out: sum.out + counts.of(class).out,
                });
            let (slabs, out) = sum(&of_class);
            compare(&name(info), seen, slabs, out, faults);
        }
        for cache_node in all.cache_nodes.iter().filter(|it| it.address != 0) {
            let node = all.nodes.iter().find(|it| it.id == cache_node.node);
            if let Some(node) = node {
                self.check_lists(known, node, cache_node, faults)?;
            }
        }
        Ok(())
    }

    fn check_lists(
        &self,
        known: &Known<'_>,
        node: &Node,
        cache_node: &CacheNode,
        faults: &mut Faults,
    ) -> Result<()> {
        let class = cache_node.class as usize;
        let Some(info) = known.slab_class(class) else {
            return Ok(());
        };
        let tables = self
            .record("node", node.start)?
            .inner("tables", "slab_tables")?;
        let record = self.record("cache_node", cache_node.address)?;
        let cluster = cache_node.cluster;
        let name = format!("node {}, cluster {cluster}, {}", node.id, name(info));
        let mut listed = 0;
        for (number, list) in (1_u64..).zip(record.array("lists", "slab_list")?) {
            let place = format!("{name}, list {number}");
            let count = list.number("count")?;
            let seen =
                self.check_list(known, node, &tables, (&list, number, class), &place, faults)?;
            faults.expect(seen == count, || {
                format!("{place}: {seen} slabs are linked, {count} in its count")
            });
            listed += seen;
        }
        let (slabs, out) = (record.number("slabs")?, record.number("out")?);
        faults.expect(listed <= slabs, || {
            format!("{name}: {listed} slabs are listed, of {slabs}")
        });
        let most = slabs.saturating_mul(info.slab_objects);
        faults.expect(out <= most, || {
            format!("{name}: {out} objects are out, of {most}")
        });
        Ok(())
    }

    /// Follows a list, and returns how many slabs are on it.
    fn check_list(
        &self,
        known: &Known<'_>,
        node: &Node,
        tables: &Record<'_>,
        (list, number, class): (&Record<'_>, u64, usize),
        place: &str,
        faults: &mut Faults,
    ) -> Result<u64> {
        let places = self.slab_places(tables)?;
        let granules = node.committed_bytes / known.numbers.granule;
        let (most, map) = (list.number("count")?, tables.number("classes")?);
        let (mut next, mut previous, mut seen) = (list.number("first")?, 0, 0);
        while let Some(granule) = next.checked_sub(1) {
            if granule >= granules {
                faults.add(format!("{place}: slab {granule} lies beyond the arena"));
                break;
            }
            // A list that is longer than its count may be a cycle.
            if seen > most {
                break;
            }
            seen += 1;
            let record = Decoded::of(&self.record("slab_record", places.of(granule))?)?;
            faults.expect(record.list == number, || {
                format!(
                    "{place}: slab {granule} says that it is on list {}",
                    record.list
                )
            });
            let byte = self.memory.bytes(map.wrapping_add(granule), 1)?;
            let found = self.classes_of_granules(tables, known.owners, granule, &byte)?;
            faults.expect(found.first() == Some(&class), || {
                format!("{place}: slab {granule} has another class or owner")
            });
            faults.expect(record.previous == previous, || {
                format!("{place}: slab {granule} has another one before it than the list")
            });
            (previous, next) = (next, record.next);
        }
        Ok(seen)
    }
}
