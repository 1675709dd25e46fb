//! The registry of thread caches and the sheaves of each.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::sheaves::Cached;
use super::{Faults, Known};
use crate::memory::number;
use crate::read::Target;
use crate::record::Record;

/// Most caches that are looked at.
const MOST: usize = 1 << 16;
/// Most bytes of a cache's bins of named caches.
const MOST_BIN_BYTES: u64 = 4 << 20;

impl Target<'_> {
    pub(super) fn check_caches(
        &self,
        known: &Known<'_>,
        nodes: &[u64],
        cached: &mut Cached,
        faults: &mut Faults,
    ) -> Result<()> {
        let registry = self.record("registry", self.directory.caches)?;
        let (generation, owned) = (registry.number("generation")?, registry.number("owned")?);
        let lists = registry.inner("lists", "cache_lists")?;
        let (mut all, mut alive) = (HashMap::new(), 0);
        let mut next = lists.number("all")?;
        while next != 0 {
            let record = self.record("cache", next)?;
            let state = record.number("owned")?;
            if all.len() == MOST || all.insert(next, state).is_some() {
                faults.add("thread caches: the list of all has no end".to_owned());
                break;
            }
            alive += u64::from(state == generation);
            let home = record.number("home")?;
            faults.expect(home == 0 || nodes.contains(&home), || {
                format!("thread cache {next:#x}: its home, {home:#x}, is no node")
            });
            next = record.number("next")?;
            let place = format!("thread cache {:#x}", record.address);
            faults.part(&place, |faults| {
                self.check_cache(known, &record, nodes.len(), cached, faults)
            });
        }
        faults.expect(alive == owned, || {
            format!("thread caches: {alive} belong to a thread, {owned} in the registry's count")
        });
        let (mut next, mut seen) = (lists.number("free")?, HashSet::new());
        while next != 0 {
            let state = all.get(&next).copied();
            faults.expect(state == Some(0), || match state {
                Some(_) => format!("thread cache {next:#x}: on the list of free ones, and in use"),
                None => format!(
                    "thread cache {next:#x}: on the list of free ones, and not on that of all"
                ),
            });
            if state.is_none() || !seen.insert(next) {
                faults.expect(state.is_none(), || {
                    "thread caches: the list of free ones has no end".to_owned()
                });
                break;
            }
            next = self.record("cache", next)?.number("next_free")?;
        }
        Ok(())
    }

    fn check_cache(
        &self,
        known: &Known<'_>,
        cache: &Record<'_>,
        nodes: usize,
        cached: &mut Cached,
        faults: &mut Faults,
    ) -> Result<()> {
        let holder = cached.hold(format!("thread cache {:#x}", cache.address));
        let classes = known.numbers.all_classes as usize;
        let bins = cache.array("bins", "bin")?;
        let spares = cache.numbers("spares", 8)?;
        let bins = bins.iter().zip(spares).enumerate();
        for (class, (bin, spare)) in bins.take(classes + 1).skip(1) {
            let capacity = known.classes.get(class).map_or(0, |it| it.sheaf_objects);
            self.check_bin((bin, spare), (class, capacity), holder, cached, faults)?;
        }
        let shift = self.directory.value("owner_number_shift", 1, 31)?;
        let named: HashMap<u64, u64> = known
            .owners
            .named()
            .map(|(owner, class)| (owner >> shift, class))
            .collect();
        let (bins, bytes) = (cache.number("named_bins")?, cache.number("named_bytes")?);
        let stride = self.directory.size("bin")?;
        let count = if bins == 0 {
            0
        } else {
            bytes.min(MOST_BIN_BYTES) / stride
        };
        for index in 0..count {
            let bin = self.record("bin", bins.wrapping_add(index * stride))?;
            // The first is that of number 1, whose owner has one more.
            let Some(class) = named.get(&(index + 2)) else {
                continue;
            };
            let class = *class as usize;
            let capacity = known.classes.get(class).map_or(0, |it| it.sheaf_objects);
            let notes = self.notes_of_named(bins.wrapping_add(bytes), index)?;
            let spare = notes.number("spare")?;
            self.check_bin((&bin, spare), (class, capacity), holder, cached, faults)?;
        }
        let aliens = cache.number("aliens")?;
        if aliens == 0 || nodes < 2 {
            return Ok(());
        }
        for alien in self.record("aliens", aliens)?.array("nodes", "alien")? {
            let sheaves = alien.number("sheaves")?;
            if sheaves == 0 {
                continue;
            }
            let bytes = self.directory.size("alien_sheaves")?;
            let cells = self.memory.bytes(sheaves, bytes)?;
            let cells = cells.chunks_exact(8).filter_map(number);
            for (class, cell) in cells.enumerate().take(classes + 1) {
                let capacity = known.classes.get(class).map_or(0, |it| it.sheaf_objects);
                self.check_cell(cell, (class, capacity), holder, cached, faults)?;
            }
        }
        Ok(())
    }

    /// The main and the spare sheaf of a class.
    fn check_bin(
        &self,
        (bin, spare): (&Record<'_>, u64),
        (class, capacity): (usize, u64),
        holder: u32,
        cached: &mut Cached,
        faults: &mut Faults,
    ) -> Result<()> {
        self.check_cell(spare, (class, capacity), holder, cached, faults)?;
        let bounds = bin.inner("bounds", "sheaf_bounds")?;
        let (top, floor) = (bounds.number("top")?, bounds.number("floor")?);
        let (limit, low) = (bounds.number("limit")?, top & u64::from(u32::MAX));
        // For a moment the top of an empty one is below its floor.
        if limit == 0 || low.saturating_add(8) == floor {
            return Ok(());
        }
        let count = low.saturating_sub(floor) / 8;
        if low < floor || low > limit || low % 8 != 0 || count > capacity {
            let what = format!("floor {floor:#x}, top {low:#x}, limit {limit:#x}");
            let address = bin.address;
            faults.add(format!(
                "bin {address:#x}: the bounds of its sheaf contradict each other: {what}"
            ));
            return Ok(());
        }
        let first = top.wrapping_sub(count * 8).wrapping_add(8);
        let words = self.memory.bytes(first, count * 8)?;
        cached.add(holder, class, &words);
        Ok(())
    }
}
