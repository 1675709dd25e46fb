//! What sheaves hold: which objects, and that each is in one only.

use anyhow::Result;

use super::{Faults, Known};
use crate::memory::number;
use crate::read::Target;
use crate::record::Record;
use crate::snapshot::{CacheNode, Node};
use crate::view::name;

/// Most objects that are remembered: 64 MiB of them.
const MOST: usize = 1 << 22;
/// Most empty sheaves of a barn.
const MOST_EMPTY: usize = 1 << 16;

/// An object in a sheaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object {
    pub(super) address: u64,
    /// What class the sheaf is of.
    pub(super) class: usize,
    holder: u32,
}

/// Objects, and who has them.
#[derive(Debug, Default)]
pub(super) struct Cached {
    objects: Vec<Object>,
    holders: Vec<String>,
}

/// The same by address.
#[derive(Debug)]
pub(super) struct Sorted(Cached);

impl Cached {
    /// Enters who has the objects that come next.
    pub(super) fn hold(&mut self, name: String) -> u32 {
        self.holders.push(name);
        self.holders.len() as u32 - 1
    }

    /// Enters objects by the words of a sheaf; the lowest bit is a mark.
    pub(super) fn add(&mut self, holder: u32, class: usize, words: &[u8]) {
        let room = MOST - self.objects.len().min(MOST);
        let words = words.chunks_exact(8).filter_map(number).take(room);
        self.objects.extend(words.map(|word| Object {
            address: word & !1,
            class,
            holder,
        }));
    }

    /// Sorts them; each is there once.
    pub(super) fn sorted(mut self, faults: &mut Faults) -> Sorted {
        self.objects
            .sort_unstable_by_key(|it| (it.address, it.holder));
        for pair in self.objects.windows(2) {
            if pair[0].address == pair[1].address {
                let [one, other] = [0, 1].map(|index| self.name(&pair[index]));
                faults.add(format!(
                    "{one}: object {:#x} is also in {other}",
                    pair[0].address
                ));
            }
        }
        Sorted(self)
    }

    fn name(&self, object: &Object) -> &str {
        self.holders
            .get(object.holder as usize)
            .map_or("?", String::as_str)
    }
}

impl Sorted {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.objects.len()
    }

    /// Those in an arena.
    pub(super) fn of(&self, node: &Node) -> &[Object] {
        let end = node.base.saturating_add(node.committed_bytes);
        let at = |address| self.0.objects.partition_point(|it| it.address < address);
        self.0
            .objects
            .get(at(node.base)..at(end))
            .unwrap_or_default()
    }

    /// Who has an object.
    pub(super) fn holder(&self, object: &Object) -> &str {
        self.0.name(object)
    }
}

impl Target<'_> {
    /// Adds the objects of the sheaf at an address, which may be none; how many they are.
    pub(super) fn check_sheaf(
        &self,
        address: u64,
        (class, capacity): (usize, u64),
        holder: u32,
        cached: &mut Cached,
        faults: &mut Faults,
    ) -> Result<u64> {
        if address == 0 {
            return Ok(0);
        }
        let sheaf = self.record("sheaf", address)?;
        let count = sheaf.number("count")?;
        if count > capacity {
            let holder = &cached.holders[holder as usize];
            faults.add(format!(
                "{holder}: a sheaf of {count} objects has room for {capacity}"
            ));
            return Ok(count);
        }
        let first = address.wrapping_add(self.directory.size("sheaf")?);
        let words = self.memory.bytes(first, count * 8)?;
        cached.add(holder, class, &words);
        Ok(count)
    }

    /// The same of a cell in a thread's cache, which has the address of the sheaf's count.
    pub(super) fn check_cell(
        &self,
        cell: u64,
        of_class: (usize, u64),
        holder: u32,
        cached: &mut Cached,
        faults: &mut Faults,
    ) -> Result<()> {
        if cell != 0 {
            let count = self.directory.field("sheaf.count")?.offset;
            self.check_sheaf(cell.wrapping_sub(count), of_class, holder, cached, faults)?;
        }
        Ok(())
    }

    pub(super) fn check_barn(
        &self,
        known: &Known<'_>,
        cache_node: &CacheNode,
        cached: &mut Cached,
        faults: &mut Faults,
    ) -> Result<()> {
        let class = cache_node.class as usize;
        let Some(info) = known.slab_class(class).filter(|_| cache_node.address != 0) else {
            return Ok(());
        };
        let barn = self
            .record("cache_node", cache_node.address)?
            .inner("barn", "barn")?;
        let place = format!("node {}, barn of {}", cache_node.node, name(info));
        let holder = cached.hold(place.clone());
        let (count, full) = (barn.number("count")?, barn.numbers("full", 8)?);
        faults.expect(count <= full.len() as u64, || {
            format!(
                "{place}: {count} full sheaves, and places for {}",
                full.len()
            )
        });
        let of_class = (class, info.sheaf_objects);
        for (index, sheaf) in (0..).zip(&full) {
            let (has, should): (bool, bool) = (*sheaf != 0, index < count);
            faults.expect(has == should, || {
                let what = if has { "is there" } else { "is missing" };
                format!("{place}: full sheaf {index} of {count} {what}")
            });
            if has && should {
                let objects = self.check_sheaf(*sheaf, of_class, holder, cached, faults)?;
                faults.expect(objects >= info.sheaf_objects, || {
                    format!(
                        "{place}: a full sheaf has {objects} objects of {}",
                        info.sheaf_objects
                    )
                });
            }
        }
        let open = barn.number("open")?;
        self.check_sheaf(open, of_class, holder, cached, faults)?;
        self.check_empty(&barn, &place, faults)
    }

    fn check_empty(&self, barn: &Record<'_>, place: &str, faults: &mut Faults) -> Result<()> {
        let mut next = barn.number("empty")?;
        for _ in 0..MOST_EMPTY {
            if next == 0 {
                return Ok(());
            }
            let sheaf = self.record("sheaf", next)?;
            let count = sheaf.number("count")?;
            faults.expect(count == 0, || {
                format!("{place}: an empty sheaf has {count} objects")
            });
            next = sheaf.number("next")?;
        }
        faults.add(format!("{place}: the list of empty sheaves has no end"));
        Ok(())
    }
}
