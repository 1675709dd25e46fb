//! An arena's page map: each committed page is free or in one span, free buddies are joined, and the counts and the summary are
//! those of the records.

use anyhow::{Result, bail};

use super::{Faults, Known};
use crate::memory::number;
use crate::read::Target;
use crate::record::Record;
use crate::snapshot::Node;

/// Records that are read at once.
const PIECE: u64 = 64;

/// Where spans begin: page, pages, and whether it is a large block.
#[derive(Debug, Default)]
pub(super) struct Heads(Vec<(u64, u64, bool)>);

impl Heads {
    /// The span that begins at a page.
    pub(super) fn at(&self, page: u64) -> Option<(u64, bool)> {
        let index = self.0.binary_search_by_key(&page, |it| it.0).ok()?;
        let (_, pages, is_large) = *self.0.get(index)?;
        Some((pages, is_large))
    }

    /// How many of them are slabs.
    pub(super) fn slabs(&self) -> u64 {
        self.0.iter().filter(|it| !it.2).count() as u64
    }
}

/// A pageblock's record, decoded.
struct Block {
    /// A bit for each block of an order, order by order.
    free: Vec<Vec<u64>>,
    dirty: Vec<u64>,
    heads: Vec<u64>,
    kind: u64,
}

impl Block {
    fn is_free(&self, page: u64, order: usize) -> bool {
        let index = page >> order;
        let word = self.free[order].get(index as usize / 64);
        word.is_some_and(|word| word & 1 << (index % 64) != 0)
    }

    /// The order of the free block that a page is in, and the first page of that.
    fn free_block_of(&self, page: u64) -> Option<(u64, usize)> {
        let orders = 0..self.free.len();
        orders
            .map(|order| (page >> order << order, order))
            .find(|(first, order)| self.is_free(*first, *order))
    }

    fn dirty_pages(&self, first: u64, pages: u64) -> u64 {
        let bit = |page: &u64| self.dirty[*page as usize / 64] & 1 << (page % 64) != 0;
        (first..first + pages).filter(bit).count() as u64
    }
}

/// What was counted.
struct Sums {
    used: u64,
    dirty: u64,
    /// Free blocks by kind and order.
    free: Vec<Vec<u64>>,
}

impl Target<'_> {
    pub(super) fn check_pages(
        &self,
        known: &Known<'_>,
        node: &Node,
        faults: &mut Faults,
    ) -> Result<Heads> {
        let numbers = &known.numbers;
        let record = self.record("node", node.start)?;
        let arena = record.inner("arena", "arena")?;
        let map = arena.inner("map", "page_map")?;
        let committed = node.committed_bytes / numbers.page;
        let per_block = numbers.block / numbers.page;
        let blocks = committed.div_ceil(per_block);
        if blocks > map.number("ready")? {
            bail!("{committed} pages are committed, which is beyond its end");
        }
        let summary = Summary::new(self, &map, known, (node.id, blocks))?;
        let mut sums = Sums {
            used: 0,
            dirty: 0,
            free: vec![vec![0; numbers.orders as usize]; numbers.kinds as usize],
        };
        let (mut heads, mut page, mut wrong) = (Vec::new(), 0, None);
        let name = |page: u64| format!("node {}, page {page}", node.id);
        let large = self.directory.value("head_large_bit", 1, 1 << 15)?;
        for first in (0..blocks).step_by(PIECE as usize) {
            let count = PIECE.min(blocks - first);
            let decoded = self.blocks(&map, first, count, known)?;
            for (index, block) in (first..).zip(&decoded) {
                let (start, end) = (index * per_block, ((index + 1) * per_block).min(committed));
                summary.expect(index, block, faults);
                let mut free_dirty = 0;
                while page < end {
                    let inside = page - start;
                    let head = block.heads.get(inside as usize).copied().unwrap_or(0);
                    let span = (head & !large, head & large != 0);
                    match (block.free_block_of(inside), head != 0) {
                        (Some((first, order)), false) => {
                            faults.expect(first == inside, || {
                                format!("{}: a free block begins inside of another", name(page))
                            });
                            let pages = (1 << order) - (inside - first);
                            let is_joined = order + 1 == block.free.len()
                                || !block.is_free(first ^ 1 << order, order);
                            faults.expect(is_joined, || {
                                format!("{}: free buddies of order {order} coexist", name(page))
                            });
                            free_dirty += block.dirty_pages(inside, pages);
                            if let Some(row) = sums.free.get_mut(block.kind as usize) {
                                row[order] += 1;
                            }
                            page += pages;
                        }
                        (None, true) => {
                            sums.used += span.0;
                            heads.push((page, span.0, span.1));
                            // The next page is looked at at least.
                            page += span.0.max(1);
                        }
                        (free, _) => {
                            let what = match free {
                                Some(_) => "is free and in use",
                                None => "is neither free nor in use",
                            };
                            // Of a run of such pages the first is named.
                            let before = wrong.replace((page + 1, what));
                            faults.expect(before == Some((page, what)), || {
                                format!("{}: {what}", name(page))
                            });
                            page += 1;
                        }
                    }
                }
                summary.expect_dirty(index, free_dirty, faults);
                sums.dirty += free_dirty;
            }
        }
        summary.finish(faults)?;
        self.compare(known, node, &arena, &sums, faults)?;
        Ok(Heads(heads))
    }

    fn compare(
        &self,
        known: &Known<'_>,
        node: &Node,
        arena: &Record<'_>,
        sums: &Sums,
        faults: &mut Faults,
    ) -> Result<()> {
        let (id, committed) = (node.id, node.committed_bytes / known.numbers.page);
        let rows = sums.free.iter().flatten().count();
        let orders = (0..rows).map(|index| index % known.numbers.orders as usize);
        let free: u64 = sums
            .free
            .iter()
            .flatten()
            .zip(orders)
            .map(|(count, order)| count << order)
            .sum();
        let used = sums.used;
        faults.expect(used + free == committed, || {
            format!("node {id}: {used} pages are in use and {free} free, of {committed} that are committed")
        });
        let counted = arena.number("used")?;
        faults.expect(counted == used, || {
            format!(
                "node {id}: {used} pages are in use in the page map, {counted} in the arena's count"
            )
        });
        let (dirty, counted) = (sums.dirty, arena.number("dirty")?);
        faults.expect(counted == dirty, || {
            format!("node {id}: {dirty} free pages are dirty in the page map, {counted} in the arena's count")
        });
        for (kind, (seen, counted)) in (0..).zip(sums.free.iter().zip(&node.free_blocks)) {
            let kind: u64 = kind;
            for (order, (seen, counted)) in (0..).zip(seen.iter().zip(counted)) {
                let order: u64 = order;
                faults.expect(seen == counted, || {
                    format!(
                        "node {id}: {seen} free blocks of order {order} and kind {kind} in the page map, {counted} in the buddies' count"
                    )
                });
            }
        }
        Ok(())
    }

    fn blocks(
        &self,
        map: &Record<'_>,
        first: u64,
        count: u64,
        known: &Known<'_>,
    ) -> Result<Vec<Block>> {
        let stride = self.directory.size("block_record")?;
        let records = map.number("records")?;
        let address = records.wrapping_add(first * stride);
        let bytes = self.memory.touched_bytes(address, count * stride)?;
        let pages = known.numbers.block / known.numbers.page;
        let block = |bytes: &[u8]| {
            let record = Record::of(&self.directory, "block_record", 0, bytes.to_vec());
            let mut words = record.numbers("free", 8)?;
            let mut free = Vec::new();
            for order in 0..known.numbers.orders.min(31) {
                let count = ((pages >> order).div_ceil(64) as usize).min(words.len());
                let rest = words.split_off(count);
                free.push(std::mem::replace(&mut words, rest));
            }
            let mut dirty = record.numbers("dirty", 8)?;
            dirty.resize(pages.div_ceil(64) as usize, 0);
            Ok(Block {
                free,
                dirty,
                heads: record.numbers("heads", 2)?,
                kind: record.number("kind")?,
            })
        };
        bytes.chunks_exact(stride as usize).map(block).collect()
    }
}

/// The bits over the pageblocks, level by level.
struct Summary {
    node: u64,
    kinds: usize,
    orders: usize,
    columns: usize,
    /// The words of the lowest level, and what was seen there: whether each word of a column has a bit.
    lowest: Vec<u64>,
    /// The levels above, the middle one first.
    above: [Vec<u64>; 2],
    is_coarse: bool,
}

impl Summary {
    fn new(
        target: &Target<'_>,
        map: &Record<'_>,
        known: &Known<'_>,
        (node, blocks): (u64, u64),
    ) -> Result<Self> {
        let numbers = &known.numbers;
        let summary = map.inner("summary", "summary")?;
        let (words, ready) = (summary.number("words")?, summary.number("ready")?);
        let levels = summary.numbers("levels", 8)?;
        let [top, middle, low] = levels[..] else {
            bail!("damaged directory: summary.levels");
        };
        let stride = target.directory.size("summary_words")?;
        let columns = (numbers.kinds * numbers.orders + 1) as usize;
        if stride != columns as u64 * 8 {
            bail!("damaged directory: summary_words");
        }
        let level = |start: u64, entries: u64| -> Result<Vec<u64>> {
            if start.checked_add(entries).is_none_or(|end| end > ready) {
                bail!("the summary is shorter than the page map");
            }
            let mut all = Vec::new();
            for first in (0..entries).step_by(PIECE as usize) {
                let count = PIECE.min(entries - first);
                let address = words.wrapping_add((start + first).wrapping_mul(stride));
                let bytes = target.memory.touched_bytes(address, count * stride)?;
                all.extend(bytes.chunks_exact(8).filter_map(number));
            }
            Ok(all)
        };
        let entries = blocks.div_ceil(64);
        Ok(Self {
            node,
            kinds: numbers.kinds as usize,
            orders: numbers.orders as usize,
            columns,
            lowest: level(low, entries)?,
            above: [
                level(middle, entries.div_ceil(64))?,
                level(top, entries.div_ceil(64).div_ceil(64))?,
            ],
            is_coarse: target.memory.page_bytes() > numbers.page,
        })
    }

    fn has(&self, block: u64, column: usize) -> bool {
        let word = block as usize / 64 * self.columns + column;
        self.lowest
            .get(word)
            .is_some_and(|it| it & 1 << (block % 64) != 0)
    }

    /// Compares the marks of a pageblock with its record.
    fn expect(&self, index: u64, block: &Block, faults: &mut Faults) {
        for kind in 0..self.kinds {
            for order in 0..self.orders {
                let has_free = block.free[order].iter().any(|word| *word != 0);
                let is_right = has_free && block.kind == kind as u64;
                let is_listed = self.has(index, kind * self.orders + order);
                faults.expect(is_listed == is_right, || {
                    let node = self.node;
                    let what = if is_listed { "is listed and not there" } else { "is not listed" };
                    format!("node {node}, pageblock {index}: a free block of order {order} and kind {kind} {what}")
                });
            }
        }
    }

    fn expect_dirty(&self, index: u64, dirty: u64, faults: &mut Faults) {
        let is_known = dirty == 0 || self.is_coarse || self.has(index, self.columns - 1);
        faults.expect(is_known, || {
            format!(
                "node {}, pageblock {index}: {dirty} free dirty pages are forgotten",
                self.node
            )
        });
    }

    /// Compares each level with the one below.
    fn finish(&self, faults: &mut Faults) -> Result<()> {
        let [middle, top] = &self.above;
        for (level, (above, below)) in [(middle, &self.lowest), (top, middle)]
            .into_iter()
            .enumerate()
        {
            for (index, word) in below.iter().enumerate() {
                let (place, column) = (index / self.columns, index % self.columns);
                let upper = above.get(place / 64 * self.columns + column);
                let has_bit = upper.is_some_and(|it| it & 1 << (place % 64) != 0);
                faults.expect(has_bit == (*word != 0), || {
                    format!("node {}, summary: word {place} of column {column} on level {level} contradicts the level above", self.node)
                });
            }
        }
        Ok(())
    }
}
