//! The consistency check from outside: each table against the others, read until what contradicts itself does so several times.

mod caches;
mod huge;
mod lists;
mod pages;
mod pool_blocks;
mod pools;
mod sheaves;
mod slabs;

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::slab_owners::Owners;
use super::{Numbers, Target, nodes};
use crate::directory::Directory;
use crate::image;
use crate::memory::Memory;
use crate::snapshot::{Class, Heap, Node};
use sheaves::Cached;

/// A contradiction counts if it is there in this number of readings one after the other.
const READINGS: usize = 5;
/// Most contradictions that are printed …
const MOST: usize = 100;
/// … and kept of a reading.
const MOST_KEPT: usize = 10_000;
/// Most bytes of an arena: tables that lie would keep this program busy.
const MOST_BYTES: u64 = 1 << 39;

/// Contradictions in the tables of all copies of the library; none if all is well. `hold` is called before each reading, and
/// what it returns goes after it.
pub fn check<T>(memory: &dyn Memory, hold: impl Fn() -> Result<T>) -> Result<Vec<String>> {
    let mut found: Option<BTreeSet<String>> = None;
    for _ in 0..READINGS {
        let mut now = Faults::default();
        let held = hold()?;
        for image in image::find(memory)? {
            let directory = Directory::read(memory, image.directory)?;
            Target { memory, directory }.check(&mut now)?;
        }
        drop(held);
        // What moves while it is read, or was stopped in the middle of a change, contradicts itself in another way each
        // time.
        let stays = match found {
            Some(before) => before.intersection(&now.0).cloned().collect(),
            None => now.0,
        };
        if stays.is_empty() {
            return Ok(Vec::new());
        }
        found = Some(stays);
    }
    Ok(found.unwrap_or_default().into_iter().take(MOST).collect())
}

/// What contradicts itself: a line each, which names the table, the place and the numbers.
#[derive(Debug, Default)]
struct Faults(BTreeSet<String>);

impl Faults {
    fn add(&mut self, line: String) {
        if self.0.len() < MOST_KEPT {
            self.0.insert(line);
        }
    }

    /// Adds a line if something is not as it should be.
    fn expect(&mut self, is_right: bool, line: impl FnOnce() -> String) {
        if !is_right {
            self.add(line());
        }
    }

    /// A part of the check; what cannot be read is a contradiction of its own.
    fn part(&mut self, what: &str, run: impl FnOnce(&mut Self) -> Result<()>) {
        if let Err(error) = run(self) {
            self.add(format!("{what}: {error:#}"));
        }
    }
}

/// What all parts of the check go by.
struct Known<'k> {
    numbers: Numbers,
    classes: &'k [Class],
    owners: &'k Owners,
}

impl Known<'_> {
    /// The class of a number, if its objects come from slabs.
    fn slab_class(&self, class: usize) -> Option<&Class> {
        let class = self.classes.get(class);
        class.filter(|it| !it.is_span && it.size > 0)
    }

    /// Granules of a class's slabs.
    fn granules(&self, class: &Class) -> u64 {
        (class.slab_bytes / self.numbers.granule).max(1)
    }
}

impl Target<'_> {
    fn check(&self, faults: &mut Faults) -> Result<()> {
        let Some(process) = self.process()? else {
            return Ok(());
        };
        let (numbers, heap) = (self.numbers()?, process.inner("heap", "heap")?);
        let addresses = nodes::addresses(&heap, &numbers)?;
        let mut all = Heap {
            classes: self.read_classes(&numbers)?,
            ..Heap::default()
        };
        for address in &addresses {
            let record = self.record("node", *address)?;
            let node = self.read_node(&record, &numbers)?;
            if node.committed_bytes > MOST_BYTES {
                bail!(
                    "an arena of {} bytes is too large for a check",
                    node.committed_bytes
                );
            }
            let cache_nodes = self.read_cache_nodes(&record, node.id, &numbers, &all.classes)?;
            all.cache_nodes.extend(cache_nodes);
            all.nodes.push(node);
        }
        let owners = self.read_named(&process, &mut all, &numbers)?;
        let known = Known {
            numbers,
            classes: &all.classes,
            owners: &owners,
        };
        let mut cached = Cached::default();
        faults.part("thread caches", |faults| {
            self.check_caches(&known, &addresses, &mut cached, faults)
        });
        for cache_node in &all.cache_nodes {
            faults.part("barns", |faults| {
                self.check_barn(&known, cache_node, &mut cached, faults)
            });
        }
        let cached = cached.sorted(faults);
        let mut inside = 0;
        let mut slabs = Vec::new();
        for node in &all.nodes {
            let of_node = self.check_node(&known, node, &cached, faults);
            inside += cached.of(node).len();
            slabs.push(of_node);
        }
        faults.expect(inside == cached.len(), || {
            let outside = cached.len() - inside;
            format!("sheaves: {outside} objects lie in no arena")
        });
        faults.part("cache nodes", |faults| {
            self.check_cache_nodes(&known, &all, &slabs, faults)
        });
        faults.part("huge blocks", |faults| {
            self.check_huge(&heap.inner("huge", "huge")?, faults)
        });
        faults.part("pools", |faults| {
            self.check_pools(&process, &known, &all.nodes, faults)
        });
        Ok(())
    }

    /// Checks an arena's pages and slabs, and returns what slabs it has.
    fn check_node(
        &self,
        known: &Known<'_>,
        node: &Node,
        cached: &sheaves::Sorted,
        faults: &mut Faults,
    ) -> slabs::Counts {
        let mut heads = pages::Heads::default();
        faults.part(&format!("node {}: page map", node.id), |faults| {
            heads = self.check_pages(known, node, faults)?;
            Ok(())
        });
        let mut counts = slabs::Counts::default();
        faults.part(&format!("node {}: slabs", node.id), |faults| {
            counts = self.check_slabs(known, node, &heads, cached, faults)?;
            Ok(())
        });
        counts
    }
}
