//! Pools: their slabs, what they have at hand, their accounts, and how they lie below each other.

use std::collections::HashMap;

use anyhow::Result;

use super::slabs::Decoded;
use super::{Faults, Known};
use crate::read::Target;
use crate::record::Record;
use crate::snapshot::{Class, Node};

/// Where a pool's slabs lie.
struct Place<'p> {
    node: &'p Node,
    tables: Record<'p>,
    /// The pool's place in the table of pools.
    pool: u64,
    name: String,
}

/// What a pool's classes add up to.
#[derive(Default)]
struct Sums {
    in_use: u64,
    at_hand: u64,
}

impl Target<'_> {
    pub(super) fn check_pools(
        &self,
        process: &Record<'_>,
        known: &Known<'_>,
        nodes: &[Node],
        faults: &mut Faults,
    ) -> Result<()> {
        let Some(pools) = self.pools(process)? else {
            return Ok(());
        };
        let records = self.pool_records(&pools)?;
        let blocks = self.check_pool_blocks(
            &pools.inner("blocks", "pool_blocks")?,
            known,
            &records,
            faults,
        )?;
        let mut below: HashMap<u64, (u64, u64)> = HashMap::new();
        for record in &records {
            let account = record.inner("account", "pool_account")?;
            let sum = below.entry(record.number("parent")?).or_default();
            sum.0 += 1;
            sum.1 = sum.1.saturating_add(account.number("charged")?);
        }
        let places: HashMap<u64, &Record<'_>> = records.iter().map(|it| (it.address, it)).collect();
        for record in &records {
            let place = record.number("place")?;
            let name = format!("pool {:#x}", record.address);
            let account = record.inner("account", "pool_account")?;
            let parent = record.number("parent")?;
            faults.expect(parent == 0 || places.contains_key(&parent), || {
                format!("{name}: the pool above it, {parent:#x}, does not exist")
            });
            let is_below_itself = self.is_below_itself(record, &places)?;
            faults.expect(!is_below_itself, || format!("{name}: it lies below itself"));
            let states = [
                self.directory.value("pool_live", 1, 255)?,
                self.directory.value("pool_closed", 1, 255)?,
                self.directory.value("pool_resting", 1, 255)?,
            ];
            let state = record.number("state")?;
            faults.expect(states.contains(&state), || {
                format!("{name}: of state {state}, which is none")
            });
            let (children, charged) = below.get(&record.address).copied().unwrap_or_default();
            let counted = record.number("children")?;
            faults.expect(children == counted, || {
                format!("{name}: {children} pools are below it, {counted} in its count")
            });
            let own = account.number("own")?;
            let (all, sum) = (account.number("charged")?, own.saturating_add(charged));
            faults.expect(all == sum, || {
                format!(
                    "{name}: {all} bytes are charged, its own and those of pools below it are {sum}"
                )
            });
            let node = record.number("node")?;
            let Some(node) = nodes.iter().find(|it| it.start == node) else {
                faults.add(format!("{name}: its node, {node:#x}, does not exist"));
                continue;
            };
            let place = Place {
                node,
                tables: self
                    .record("node", node.start)?
                    .inner("tables", "slab_tables")?,
                pool: place,
                name,
            };
            let mut sums = Sums::default();
            for (id, class) in record.array("classes", "pool_class")?.iter().enumerate() {
                if let Some(info) = known.slab_class(id) {
                    self.check_pool_class(known, &place, (class, id, info), &mut sums, faults)?;
                }
            }
            let bytes = blocks.get(&place.pool).copied().unwrap_or_default();
            let used = sums.in_use.saturating_add(bytes);
            let idle = account.number("slack")?.saturating_add(sums.at_hand);
            let charged = own.saturating_sub(idle);
            faults.expect(charged == used, || {
                format!(
                    "{}: {charged} bytes are charged for its blocks, which have {used}",
                    place.name
                )
            });
        }
        Ok(())
    }

    fn is_below_itself(&self, pool: &Record<'_>, all: &HashMap<u64, &Record<'_>>) -> Result<bool> {
        let mut next = pool.number("parent")?;
        for _ in 0..=all.len() {
            if next == pool.address {
                return Ok(true);
            }
            match all.get(&next) {
                Some(above) => next = above.number("parent")?,
                None => return Ok(false),
            }
        }
        // A circle above it.
        Ok(false)
    }

    fn check_pool_class(
        &self,
        known: &Known<'_>,
        place: &Place<'_>,
        (class, id, info): (&Record<'_>, usize, &Class),
        sums: &mut Sums,
        faults: &mut Faults,
    ) -> Result<()> {
        let name = || format!("{}, class of {}", place.name, info.size);
        let (mut out, mut empty) = (0_u64, 0);
        for list in ["partial", "full"] {
            let number = self.directory.value(&format!("pool_{list}_list"), 1, 255)?;
            let first = class.number(list)?;
            let lost = self.each_of_list(known, place, first, |granule, slab, owner| {
                out += slab.out;
                empty += u64::from(slab.out == 0);
                let is_own = known.owners.pool(owner) == Some((place.pool, id as u64));
                faults.expect(is_own, || {
                    format!("{}: slab {granule} has another owner", name())
                });
                faults.expect(slab.list == number, || {
                    format!(
                        "{}: slab {granule} is on the {list} list, and says it is on {}",
                        name(),
                        slab.list
                    )
                });
            })?;
            if let Some(granule) = lost {
                faults.add(format!(
                    "{}: the {list} list has no end, or leads to {granule}",
                    name()
                ));
            }
        }
        faults.expect(empty <= 1, || {
            format!("{}: {empty} slabs are empty", name())
        });
        let [ready, known_bits, last] = ["ready", "known", "last"].map(|field| class.number(field));
        let (ready, known_bits, last) = (ready?, known_bits?, last?);
        faults.expect(ready & !known_bits == 0, || {
            format!(
                "{}: objects at hand, {ready:#x}, are none of those that are out, {known_bits:#x}",
                name()
            )
        });
        let at_hand = u64::from(ready.count_ones()) + u64::from(last != 0);
        faults.expect(at_hand <= out, || {
            format!("{}: {at_hand} objects are at hand, and {out} out", name())
        });
        let first = class.number("first")?;
        if first != 0 {
            self.check_word(known, place, (first, known_bits, info), &name(), faults)?;
        }
        let in_use = out.saturating_sub(at_hand).saturating_mul(info.size);
        sums.in_use = sums.in_use.saturating_add(in_use);
        sums.at_hand = sums.at_hand.saturating_add(at_hand * info.size);
        Ok(())
    }

    /// Passes each slab of a list with its owner's word; the granule that it leads to if it has no end or leaves the arena.
    fn each_of_list(
        &self,
        known: &Known<'_>,
        place: &Place<'_>,
        first: u64,
        mut each: impl FnMut(u64, &Decoded, u64),
    ) -> Result<Option<u64>> {
        let places = self.slab_places(&place.tables)?;
        let (owners, ready) = self.owner_table(&place.tables)?.unwrap_or_default();
        let granules = (place.node.committed_bytes / known.numbers.granule).min(ready);
        let (mut next, mut seen) = (first, 0);
        while let Some(granule) = next.checked_sub(1) {
            if granule >= granules || seen == granules {
                return Ok(Some(granule));
            }
            seen += 1;
            let slab = Decoded::of(&self.record("slab_record", places.of(granule))?)?;
            let owner = self.memory.bytes(owners.wrapping_add(4 * granule), 4)?;
            each(
                granule,
                &slab,
                crate::memory::number(&owner).unwrap_or_default(),
            );
            next = slab.next;
        }
        Ok(None)
    }

    /// The word of objects at hand against its slab's record.
    fn check_word(
        &self,
        known: &Known<'_>,
        place: &Place<'_>,
        (first, bits, info): (u64, u64, &Class),
        name: &str,
        faults: &mut Faults,
    ) -> Result<()> {
        let offset = first.wrapping_sub(place.node.base);
        let slab_bytes = info.slab_bytes.max(1);
        let inside = offset % slab_bytes;
        let object = inside / info.size;
        if offset >= place.node.committed_bytes || inside % info.size != 0 || object % 64 != 0 {
            faults.add(format!(
                "{name}: its word at hand begins at {first:#x}, where no word does"
            ));
            return Ok(());
        }
        let granule = offset / slab_bytes * slab_bytes / known.numbers.granule;
        let places = self.slab_places(&place.tables)?;
        let slab = Decoded::of(&self.record("slab_record", places.of(granule))?)?;
        let made = slab.carved.saturating_sub(object).clamp(1, 64);
        let free = slab
            .bits
            .get(object as usize / 64)
            .copied()
            .unwrap_or(u64::MAX);
        let out = u64::MAX >> (64 - made) & !free;
        faults.expect(bits == out, || {
            format!("{name}: its word at hand has {bits:#x} as out, and the record of slab {granule} {out:#x}")
        });
        Ok(())
    }
}
