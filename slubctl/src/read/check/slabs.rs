//! An arena's slabs: the class map, the records, the page map and what is cached agree about each.

use anyhow::Result;

use super::pages::Heads;
use super::sheaves::{Object, Sorted};
use super::{Faults, Known};
use crate::read::Target;
use crate::read::slab_places::SlabPlaces;
use crate::record::Record;
use crate::snapshot::{Class, Node};
use crate::view::name;

/// Granules that are looked at at once.
const PIECE: u64 = 1024;

/// What was counted of a class's slabs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) slabs: u64,
    pub(super) out: u64,
}

/// The same by class.
#[derive(Debug, Default)]
pub(super) struct Counts(pub(super) Vec<Counted>);

impl Counts {
    /// What was counted of a class.
    pub(super) fn of(&self, class: usize) -> Counted {
        self.0.get(class).copied().unwrap_or_default()
    }
}

/// A slab: where it begins, and its class.
#[derive(Clone, Copy)]
struct Slab<'k> {
    granule: u64,
    end: u64,
    class: usize,
    info: &'k Class,
}

/// What is looked at while an arena's slabs are passed by.
struct Walk<'w> {
    node: &'w Node,
    known: &'w Known<'w>,
    heads: &'w Heads,
    places: SlabPlaces,
    cached: &'w Sorted,
    /// The cached objects that were not passed by yet.
    left: &'w [Object],
}

/// A slab's record, decoded.
pub(super) struct Decoded {
    pub(super) out: u64,
    pub(super) carved: u64,
    pub(super) list: u64,
    pub(super) next: u64,
    pub(super) previous: u64,
    pub(super) bits: Vec<u64>,
}

impl Decoded {
    pub(super) fn of(record: &Record<'_>) -> Result<Self> {
        Ok(Self {
            out: record.number("out")?,
            carved: record.number("carved")?,
            list: record.number("list")?,
            next: record.number("next")?,
            previous: record.number("previous")?,
            bits: record.numbers("bits", 8)?,
        })
    }

    fn has(&self, object: u64) -> bool {
        let word = self.bits.get(object as usize / 64);
        word.is_some_and(|word| word & 1 << (object % 64) != 0)
    }
}

impl Target<'_> {
    pub(super) fn check_slabs(
        &self,
        known: &Known<'_>,
        node: &Node,
        heads: &Heads,
        cached: &Sorted,
        faults: &mut Faults,
    ) -> Result<Counts> {
        let record = self.record("node", node.start)?;
        let tables = record.inner("tables", "slab_tables")?;
        let (map, ready) = (tables.number("classes")?, tables.number("classes_ready")?);
        let numbers = &known.numbers;
        let mut walk = Walk {
            node,
            known,
            heads,
            places: self.slab_places(&tables)?,
            cached,
            left: cached.of(node),
        };
        let mut counts = vec![Counted::default(); known.classes.len()];
        let granules = node.committed_bytes.div_ceil(numbers.granule).min(ready);
        let mut current: Option<Slab<'_>> = None;
        for first in (0..granules).step_by(PIECE as usize) {
            let count = PIECE.min(granules - first);
            let raw = self.memory.touched_bytes(map.wrapping_add(first), count)?;
            let map = self.classes_of_granules(&tables, known.owners, first, &raw)?;
            for (granule, class) in (first..).zip(map) {
                let name_of = |class: usize| match known.classes.get(class) {
                    Some(info) if class > 0 => name(info),
                    _ => "none".to_owned(),
                };
                let place = || format!("node {}, granule {granule}", node.id);
                if let Some(slab) = current.filter(|it| granule < it.end) {
                    faults.expect(class == slab.class, || {
                        let (own, other) = (name(slab.info), name_of(class));
                        format!(
                            "{}: of {other} in the class map, in a slab of {own}",
                            place()
                        )
                    });
                    continue;
                }
                let Some(info) = known.slab_class(class) else {
                    let byte = raw.get((granule - first) as usize).copied().unwrap_or(0);
                    let span = known.classes.get(usize::from(byte)).filter(|it| it.is_span);
                    let head = heads.at(granule * (numbers.granule / numbers.page));
                    let is_right = match span {
                        Some(span) => head == Some((span.size.div_ceil(numbers.page), true)),
                        None => byte == 0,
                    };
                    faults.expect(is_right, || match span {
                        Some(span) => {
                            let size = span.size;
                            format!("{}: a block of {size} bytes in the class map, and not in the page map", place())
                        }
                        None => format!("{}: a slab of nobody in the class map", place()),
                    });
                    continue;
                };
                let length = known.granules(info);
                if !granule.is_multiple_of(length) {
                    faults.add(format!(
                        "{}: of {} in the class map, where no slab begins",
                        place(),
                        name(info)
                    ));
                    continue;
                }
                let slab = Slab {
                    granule,
                    end: granule + length,
                    class,
                    info,
                };
                current = Some(slab);
                let out = self.check_slab(&mut walk, slab, faults)?;
                counts[class].slabs += 1;
                counts[class].out += out;
            }
        }
        let end = node.base.saturating_add(node.committed_bytes);
        self.pass_outside(&mut walk, end, faults);
        let slabs: u64 = counts.iter().map(|it| it.slabs).sum();
        let spans = heads.slabs();
        faults.expect(slabs == spans, || {
            format!(
                "node {}: {slabs} slabs in the class map, {spans} in the page map",
                node.id
            )
        });
        Ok(Counts(counts))
    }

    /// Checks a slab's record and the cached objects that lie in it, and returns how many are out.
    fn check_slab(&self, walk: &mut Walk<'_>, slab: Slab<'_>, faults: &mut Faults) -> Result<u64> {
        let (numbers, info) = (&walk.known.numbers, slab.info);
        let name = || {
            format!(
                "node {}, slab {} of {}",
                walk.node.id,
                slab.granule,
                name(info)
            )
        };
        let head = walk
            .heads
            .at(slab.granule * (numbers.granule / numbers.page));
        faults.expect(
            head == Some((info.slab_bytes / numbers.page, false)),
            || format!("{}: another span in the page map", name()),
        );
        let record = self.record("slab_record", walk.places.of(slab.granule))?;
        let decoded = self.check_record(&record, info, name, faults)?;
        let in_pools = usize::from(info.is_pools);
        let lists = match info.is_pools {
            true => self.pool_list(&decoded, info)?,
            false => self.list_for(&decoded, info)?,
        };
        faults.expect(decoded.list == lists, || {
            let what = ["list", "pool's list"][in_pools];
            format!("{}: on {what} {}, belongs on {lists}", name(), decoded.list)
        });
        let start = walk.node.base + slab.granule * numbers.granule;
        self.pass_outside(walk, start, faults);
        let inside = walk
            .left
            .partition_point(|it| it.address < start + info.slab_bytes);
        let (objects, left) = walk.left.split_at(inside);
        walk.left = left;
        for object in objects {
            let offset = object.address - start;
            let (index, holder) = (offset / info.size, walk.cached.holder(object));
            let what = match () {
                () if object.class != slab.class => "is of another class than its slab",
                () if !offset.is_multiple_of(info.size) => {
                    "does not begin where one of its slab does"
                }
                () if index >= decoded.carved => "was never handed out by its slab",
                () if decoded.has(index) => "is free in its slab as well",
                () => continue,
            };
            faults.add(format!("{holder}: object {:#x} {what}", object.address));
        }
        Ok(decoded.out)
    }

    /// The counts and bits of a slab's record.
    fn check_record(
        &self,
        record: &Record<'_>,
        info: &Class,
        name: impl Fn() -> String,
        faults: &mut Faults,
    ) -> Result<Decoded> {
        let it = Decoded::of(record)?;
        let set: u64 = it
            .bits
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum();
        if it.out > info.slab_objects || it.carved > info.slab_objects {
            let (out, made, most) = (it.out, it.carved, info.slab_objects);
            faults.add(format!(
                "{}: {out} objects out, {made} made, of {most}",
                name()
            ));
            return Ok(it);
        }
        // Of the first page some may be passed over.
        let skips =
            record.number("fresh")? & self.directory.value("slab_skipped_bit", 1, 255)? != 0;
        let page = self.directory.value("page_bytes", 1 << 12, 1 << 16)?;
        let most = if skips { page / info.size.max(1) } else { 0 };
        let missing = it.carved.checked_sub(set + it.out);
        faults.expect(missing.is_some_and(|it| it <= most), || {
            format!(
                "{}: {} objects out, {set} back, {} made",
                name(),
                it.out,
                it.carved
            )
        });
        let skipped = missing.unwrap_or(0).min(most);
        let outside = (0..skipped).chain(it.carved..it.bits.len() as u64 * 64);
        let mut outside = outside.filter(|index| it.has(*index));
        if let Some(index) = outside.next() {
            faults.add(format!(
                "{}: object {index} is free, which was never out",
                name()
            ));
        }
        let hint = record.number("hint")?;
        let is_before = it.bits.iter().take(hint as usize).any(|word| *word != 0);
        faults.expect(!is_before, || {
            format!("{}: a free object lies before the hint, {hint}", name())
        });
        Ok(it)
    }

    /// Passes by the cached objects below an address, which lie in no slab.
    fn pass_outside(&self, walk: &mut Walk<'_>, end: u64, faults: &mut Faults) {
        let outside = walk.left.partition_point(|it| it.address < end);
        let (objects, left) = walk.left.split_at(outside);
        walk.left = left;
        for object in objects {
            let page_bytes = walk.known.numbers.page;
            let offset = object.address.saturating_sub(walk.node.base);
            let span = walk.heads.at(offset / page_bytes);
            let class = walk.known.classes.get(object.class);
            let is_span = class.is_some_and(|class| {
                class.is_span
                    && offset.is_multiple_of(page_bytes)
                    && span == Some((class.size.div_ceil(page_bytes), true))
            });
            faults.expect(is_span, || {
                let holder = walk.cached.holder(object);
                format!("{holder}: object {:#x} lies in no slab", object.address)
            });
        }
    }

    /// The list that a slab belongs on: 0 where nothing is free, the last one where everything is.
    pub(super) fn list_for(&self, record: &Decoded, info: &Class) -> Result<u64> {
        let lists = self.directory.value("partial_lists", 1, 64)?;
        let objects = info.slab_objects;
        let free = objects.saturating_sub(record.out);
        Ok(match free {
            0 => 0,
            _ if free == objects => lists + 1,
            _ => (1..=lists)
                .filter(|list| free * lists > (list - 1) * objects)
                .count() as u64,
        })
    }

    /// The same for a pool's slab.
    fn pool_list(&self, record: &Decoded, info: &Class) -> Result<u64> {
        let list = match record.out >= info.slab_objects {
            true => "pool_full_list",
            false => "pool_partial_list",
        };
        self.directory.value(list, 1, 255)
    }
}
