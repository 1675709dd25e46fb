//! Which of a heap's pages are resident, by what lies on them.

use anyhow::Result;

use super::slab_owners::Owners;
use super::{Numbers, Target};
use crate::memory::Page;
use crate::snapshot::{Heap, Node, Resident};

/// Pages that are looked at at once.
const PAGES: u64 = 1 << 14;
/// Most pages that are looked at in all; of a larger heap nothing is said: tables that lie would keep this program busy.
const MOST_PAGES: u64 = 1 << 27;

/// No table of pools has more entries.
const MOST_ENTRIES: u64 = 1 << 20;

/// Writes into a heap which of its bytes are resident, where the kernel says so.
pub(super) fn read(target: &Target<'_>, heap: &mut Heap) -> Result<()> {
    let numbers = target.numbers()?;
    let page = target.memory.page_bytes();
    let of_nodes = heap.nodes.iter().map(|it| {
        it.base
            .saturating_sub(it.start)
            .saturating_add(it.committed_bytes)
    });
    let of_extents = heap.huge.extents.iter().map(|it| it.bytes);
    let all = of_nodes.chain(of_extents).fold(0_u64, u64::saturating_add);
    if all / page > MOST_PAGES {
        return Ok(());
    }
    let owners = owners(target, heap, &numbers)?;
    let mut found = Resident::default();
    let mut by_class = vec![0; heap.classes.len()];
    for node in &heap.nodes {
        let metadata = node.base.saturating_sub(node.start);
        let Some((metadata, swapped)) = count(target, node.start, metadata) else {
            return Ok(());
        };
        found.metadata += metadata * page;
        found.swapped += swapped * page;
        let classes = (&owners, by_class.as_mut_slice());
        if arena(target, node, &numbers, classes, &mut found)?.is_none() {
            return Ok(());
        }
    }
    for (start, bytes) in tables_of_pools(target)? {
        let (metadata, swapped) = count(target, start, bytes).unwrap_or_default();
        found.metadata += metadata * page;
        found.swapped += swapped * page;
    }
    for extent in &heap.huge.extents {
        let (pages, swapped) = count(target, extent.start, extent.bytes).unwrap_or_default();
        found.swapped += swapped * page;
        match extent.is_used {
            true => found.huge += pages * page,
            false => found.huge_kept += pages * page,
        }
    }
    for (class, bytes) in heap.classes.iter_mut().zip(by_class) {
        class.resident_bytes = (!class.is_span).then_some(bytes);
    }
    heap.resident = Some(found);
    Ok(())
}

/// The named caches by the marks of their slabs, as the heap's classes are numbered.
fn owners(target: &Target<'_>, heap: &Heap, numbers: &Numbers) -> Result<Owners> {
    let Some(process) = target.process()? else {
        return Ok(Owners::default());
    };
    let mut known = Heap {
        classes: target.read_classes(numbers)?,
        nodes: heap.nodes.clone(),
        ..Heap::default()
    };
    target.read_named(&process, &mut known, numbers)
}

/// Where pools and their blocks are known, which is beside the arenas.
fn tables_of_pools(target: &Target<'_>) -> Result<Vec<(u64, u64)>> {
    let process = target.process()?;
    let pools = process.map(|process| target.pools(&process)).transpose()?;
    let Some(pools) = pools.flatten() else {
        return Ok(Vec::new());
    };
    let blocks = pools.inner("blocks", "pool_blocks")?;
    let size = |name: &str| target.directory.size(name);
    let tables = [
        (
            pools.number("table")?,
            pools.number("ready")?,
            size("pool")?,
        ),
        (
            blocks.number("table")?,
            blocks.number("ready")?,
            size("pool_block")?,
        ),
        (
            blocks.number("buckets")?,
            blocks.number("buckets_ready")?,
            4,
        ),
    ];
    let page = target.memory.page_bytes();
    let range = |(start, count, stride): (u64, u64, u64)| (start, count.min(MOST_ENTRIES) * stride);
    let ranges = tables.map(range).into_iter();
    Ok(ranges
        .map(|(start, bytes)| (start / page * page, bytes))
        .collect())
}

/// Resident pages of a range, and swapped ones.
fn count(target: &Target<'_>, start: u64, bytes: u64) -> Option<(u64, u64)> {
    let (mut resident, mut swapped, page) = (0, 0, target.memory.page_bytes());
    let pages = bytes.div_ceil(page);
    for first in (0..pages).step_by(PAGES as usize) {
        let part = PAGES.min(pages - first) as usize;
        let found = target
            .memory
            .pages(start.checked_add(first * page)?, part)?;
        resident += of_kind(&found, Page::Resident);
        swapped += of_kind(&found, Page::Swapped);
    }
    Some((resident, swapped))
}

fn of_kind(pages: &[Page], kind: Page) -> u64 {
    pages.iter().filter(|it| **it == kind).count() as u64
}

/// Adds an arena's pages by the class of their granule, and those without a class by whether they are free.
fn arena(
    target: &Target<'_>,
    node: &Node,
    numbers: &Numbers,
    (owners, by_class): (&Owners, &mut [u64]),
    found: &mut Resident,
) -> Result<Option<()>> {
    let record = target.record("node", node.start)?;
    let tables = record.inner("tables", "slab_tables")?;
    let classes = tables.number("classes")?;
    let granules = node.committed_bytes.div_ceil(numbers.granule);
    let granules = granules.min(tables.number("classes_ready")?);
    let page = target.memory.page_bytes();
    let per_granule = (numbers.granule / page).max(1);
    let step = PAGES / per_granule;
    let map = record.inner("arena", "arena")?.inner("map", "page_map")?;
    let free = FreePages::new(target, map.number("records")?, numbers)?;
    for first in (0..granules).step_by(step as usize) {
        let count = step.min(granules - first);
        let start = node.base + first * numbers.granule;
        let pages = (count * per_granule) as usize;
        let Some(resident) = target.memory.pages(start, pages) else {
            return Ok(None);
        };
        found.swapped += of_kind(&resident, Page::Swapped) * page;
        if !resident.contains(&Page::Resident) {
            continue;
        }
        let classes = target
            .memory
            .touched_bytes(classes.wrapping_add(first), count)?;
        let classes_by_owner = target.classes_of_granules(&tables, owners, first, &classes)?;
        let granules = resident.chunks(per_granule as usize).zip(classes);
        let granules = granules.zip(classes_by_owner);
        for (index, ((pages, class), number)) in (first..).zip(granules) {
            let here = of_kind(pages, Page::Resident) * page;
            if here == 0 {
                continue;
            }
            let is_named = target.directory.value("named_class", 1, 255);
            let is_slab = (1..=numbers.classes).contains(&u64::from(class));
            if is_slab || is_named.is_ok_and(|it| it == u64::from(class)) {
                found.slabs += here;
                if let Some(bytes) = by_class.get_mut(number) {
                    *bytes += here;
                }
                continue;
            }
            let free = free.in_granule(index, pages, page)?;
            found.free += free;
            found.large += here - free;
        }
    }
    Ok(Some(()))
}

/// The bits of free blocks.
pub(super) struct FreePages<'t> {
    target: &'t Target<'t>,
    records: u64,
    stride: u64,
    free: u64,
    words: u64,
    numbers: Numbers,
    /// The last pageblock's free pages.
    last: std::cell::RefCell<(u64, Vec<bool>)>,
}

impl<'t> FreePages<'t> {
    pub(super) fn new(target: &'t Target<'t>, records: u64, numbers: &Numbers) -> Result<Self> {
        let field = target.directory.field("block_record.free")?;
        Ok(Self {
            target,
            records,
            stride: target.directory.size("block_record")?,
            free: field.offset,
            words: field.size / 8,
            numbers: *numbers,
            last: (u64::MAX, Vec::new()).into(),
        })
    }

    /// Bytes of a granule's resident pages that are free.
    pub(super) fn in_granule(&self, granule: u64, resident: &[Page], page: u64) -> Result<u64> {
        let per_block = self.numbers.block / self.numbers.granule;
        let block = granule / per_block;
        if self.last.borrow().0 != block {
            *self.last.borrow_mut() = (block, self.read(block)?);
        }
        let last = self.last.borrow();
        let first = granule % per_block * self.numbers.granule;
        // A page of the kernel's may be several of the arena's.
        let is_free = |index: usize| {
            let at = (first + index as u64 * page) / self.numbers.page;
            last.1.get(at as usize).copied().unwrap_or_default()
        };
        let free = resident
            .iter()
            .enumerate()
            .filter(|(index, it)| **it == Page::Resident && is_free(*index));
        Ok(free.count() as u64 * page)
    }

    /// The free pages of a pageblock: words of one bit for each block of an order, order by order.
    fn read(&self, block: u64) -> Result<Vec<bool>> {
        let pages = self.numbers.block / self.numbers.page;
        let address = self.records.wrapping_add(block.wrapping_mul(self.stride));
        let words = self
            .target
            .memory
            .bytes(address.wrapping_add(self.free), self.words * 8)?;
        let words: Vec<u64> = words
            .chunks_exact(8)
            .filter_map(crate::memory::number)
            .collect();
        let (mut free, mut first) = (vec![false; pages as usize], 0);
        for order in 0..self.numbers.orders.min(31) {
            let blocks = pages >> order;
            for index in 0..blocks {
                let word = words
                    .get(first + index as usize / 64)
                    .copied()
                    .unwrap_or_default();
                if word & 1 << (index % 64) != 0 {
                    let start = (index << order) as usize;
                    free[start..start + (1 << order)].fill(true);
                }
            }
            first += blocks.div_ceil(64) as usize;
        }
        Ok(free)
    }
}
