//! From a target's tables to a snapshot.
//!
//! # Invariant
//!
//! Whatever the tables say, reading ends and takes bounded memory: every count has a limit, every list is followed only to
//! what was not seen before.

mod caches;
mod check;
mod huge;
mod named;
mod nodes;
mod owner_names;
mod owners;
mod cache_nodes;
mod pool_blocks;
mod pools;
mod requests;
mod resident;
mod slab_owners;
mod slab_places;
mod squares;

pub use check::check;
pub use owner_names::Label;
pub(crate) use owner_names::OwnerNames;
pub use squares::{Square, squares};

use anyhow::{Result, bail};

use crate::directory::Directory;
use crate::image::{self, Image};
use crate::memory::{Memory, Process};
use crate::record::Record;
use crate::snapshot::{Heap, Settings, Snapshot};

/// Most readings of a heap until two agree.
const READINGS: usize = 5;

/// What is read besides the numbers that cost little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Only what cache nodes, arenas and caches count.
    Counts,
    /// And which pages are resident.
    Resident,
}

/// One copy of the library in a target.
pub(crate) struct Target<'m> {
    pub(crate) memory: &'m dyn Memory,
    pub(crate) directory: Directory,
}

/// Numbers that the library was built with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    pub(crate) page: u64,
    pub(crate) granule: u64,
    pub(crate) block: u64,
    pub(crate) orders: u64,
    pub(crate) kinds: u64,
    pub(crate) classes: u64,
    pub(crate) all_classes: u64,
    pub(crate) max_nodes: u64,
}

/// Looks at the process `pid`.
pub fn process(pid: i32, depth: Depth) -> Result<Snapshot> {
    let process = Process::open(pid);
    let mut snapshot = process.unless_gone(target(&process, depth))?;
    // What ended or began another program meanwhile looks damaged, or as if it did not use the library.
    let is_whole = !snapshot.heaps.is_empty() && snapshot.unread.is_empty();
    if let Some(gone) = process.gone().filter(|_| !is_whole) {
        return Err(gone);
    }
    if snapshot.heaps.is_empty() {
        bail!("process {pid} does not use slubmalloc");
    }
    snapshot.pid = pid;
    snapshot.command = process.command();
    owners::name(&process, &mut snapshot);
    requests::add(&process, &mut snapshot);
    Ok(snapshot)
}

/// Looks at whatever has this memory; a target without the library has no heaps.
pub fn target(memory: &dyn Memory, depth: Depth) -> Result<Snapshot> {
    let images = image::find(memory)?;
    let (mut heaps, mut errors) = (Vec::new(), Vec::new());
    for image in &images {
        match heap(memory, image, depth) {
            Ok(heap) => heaps.push(heap),
            Err(error) => errors.push(error),
        }
    }
    // One that cannot be read hides no other.
    match errors.pop_if(|_| heaps.is_empty()) {
        Some(error) => Err(error),
        None => Ok(Snapshot {
            heaps,
            unread: errors.iter().map(|it| format!("{it:#}")).collect(),
            ..Snapshot::default()
        }),
    }
}

/// Looks at one copy of the library, until two readings agree.
pub fn heap(memory: &dyn Memory, image: &Image, depth: Depth) -> Result<Heap> {
    let directory = Directory::read(memory, image.directory)?;
    let target = Target { memory, directory };
    let mut last = target.read(image);
    for _ in 1..READINGS {
        let mut next = target.read(image);
        match (&last, &mut next) {
            (Ok(before), Ok(now)) if before == now => break,
            (_, Ok(now)) => now.is_approximate = true,
            // What moves may be torn; what is damaged stays so.
            (_, Err(_)) => {}
        }
        last = match (next, last) {
            (Err(_), Ok(before)) => Ok(before),
            (next, _) => next,
        };
    }
    let mut last = last?;
    if depth == Depth::Resident && last.is_made {
        resident::read(&target, &mut last)?;
    }
    Ok(last)
}

impl Target<'_> {
    pub(crate) fn record(&self, structure: &'static str, address: u64) -> Result<Record<'_>> {
        Record::read(self.memory, &self.directory, structure, address)
    }

    pub(crate) fn numbers(&self) -> Result<Numbers> {
        let it = &self.directory;
        let power = |name: &str, least: u64, most: u64| {
            let value = it.value(name, least, most)?;
            match value.is_power_of_two() {
                true => Ok(value),
                false => bail!("damaged directory: {name} is {value}"),
            }
        };
        Ok(Numbers {
            page: power("page_bytes", 1 << 12, 1 << 16)?,
            granule: power("granule_bytes", 1 << 14, 1 << 24)?,
            block: power("block_bytes", 1 << 20, 1 << 30)?,
            orders: it.value("orders", 1, 32)?,
            kinds: it.value("kinds", 1, 16)?,
            classes: it.value("classes", 1, 255)?,
            all_classes: it.value("all_classes", 1, 255)?,
            max_nodes: it.value("max_nodes", 1, 1024)?,
        })
    }

    /// The process that the library has made, if it has.
    pub(crate) fn process(&self) -> Result<Option<Record<'_>>> {
        let once = self.record("process_once", self.directory.process)?;
        let made = self
            .directory
            .value("process_made", 1, u64::from(u32::MAX))?;
        match once.number("state")? == made {
            true => Ok(Some(once.inner("value", "process")?)),
            false => Ok(None),
        }
    }

    fn read(&self, image: &Image) -> Result<Heap> {
        let mut heap = Heap {
            release: self.directory.release.clone(),
            file: image.name.clone(),
            directory: image.directory,
            ..Heap::default()
        };
        let Some(process) = self.process()? else {
            return Ok(heap);
        };
        let numbers = self.numbers()?;
        heap.is_made = true;
        let record = process.inner("heap", "heap")?;
        heap.settings = self.settings(&process, &record)?;
        heap.classes = self.read_classes(&numbers)?;
        let addresses = nodes::addresses(&record, &numbers)?;
        let numastat = nodes::numastat(&record, &numbers)?;
        for address in &addresses {
            let node = self.record("node", *address)?;
            let mut found = self.read_node(&node, &numbers)?;
            found.numastat = numastat.get(found.id as usize).cloned().unwrap_or_default();
            let cache_nodes = self.read_cache_nodes(&node, found.id, &numbers, &heap.classes)?;
            heap.cache_nodes.extend(cache_nodes);
            heap.nodes.push(found);
        }
        let owners = self.read_named(&process, &mut heap, &numbers)?;
        self.read_pools(&process, &mut heap, &numbers, &owners)?;
        let registry = self.record("registry", self.directory.caches)?;
        heap.threads = registry.number("owned")?;
        heap.births = registry.number("births")?;
        heap.caches = self.read_caches(&registry, &numbers, addresses.len(), &owners)?;
        heap.huge = self.read_huge(&record.inner("huge", "huge")?)?;
        cache_nodes::sum_up(&mut heap);
        named::name_all(&mut heap.classes);
        Ok(heap)
    }

    fn settings(&self, process: &Record<'_>, heap: &Record<'_>) -> Result<Settings> {
        let settings = heap.inner("settings", "settings")?;
        let bounds = heap.inner("bounds", "bounds")?;
        let purge = process.inner("purge", "purge")?;
        let steps = self.directory.value("purge_steps", 1, 1 << 16)?;
        Ok(Settings {
            arena_bytes: settings.number("arena_bytes")?,
            reuse_bytes: settings.number("reuse_bytes")?,
            is_tiny: settings.number("is_tiny")? != 0,
            purge_ms: purge.number("step")?.saturating_mul(steps),
            has_purge_thread: None,
            limit_bytes: bounds.number("hard")?,
        })
    }
}
