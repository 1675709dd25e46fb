//! Thread caches: the objects in their sheaves and those on their way to other nodes.

use std::collections::HashSet;

use anyhow::{Result, bail};

use super::slab_owners::Owners;
use super::{Numbers, Target};
use crate::record::Record;
use crate::snapshot::Cache;

/// Most caches that are read.
const MOST_CACHES: usize = 1 << 16;
/// No sheaf has more objects.
const MOST_OBJECTS: u64 = 1 << 10;

impl Target<'_> {
    /// All caches that were ever made.
    pub(super) fn read_caches(
        &self,
        registry: &Record<'_>,
        numbers: &Numbers,
        nodes: usize,
        owners: &Owners,
    ) -> Result<Vec<Cache>> {
        let generation = registry.number("generation")?;
        let mut next = registry.inner("lists", "cache_lists")?.number("all")?;
        let (mut caches, mut seen) = (Vec::new(), HashSet::new());
        while next != 0 {
            if !seen.insert(next) {
                bail!("damaged tables: the list of thread caches is a cycle");
            }
            if caches.len() == MOST_CACHES {
                bail!("more than {MOST_CACHES} thread caches");
            }
            let record = self.record("cache", next)?;
            next = record.number("next")?;
            let mut cache = self.read_cache(&record, numbers, generation, nodes)?;
            let shift = self.directory.value("owner_number_shift", 1, 31)?;
            let numbered = || owners.named().map(|(owner, class)| (owner >> shift, class));
            for (number, count) in self.read_named_bins(&record)? {
                let class = numbered().find(|(found, _)| *found == number + 1);
                cache.objects.extend(class.map(|(_, class)| (class, count)));
            }
            caches.push(cache);
        }
        Ok(caches)
    }

    fn read_cache(
        &self,
        record: &Record<'_>,
        numbers: &Numbers,
        generation: u64,
        nodes: usize,
    ) -> Result<Cache> {
        let home = record.number("home")?;
        let mut cache = Cache {
            address: record.address,
            is_owned: record.number("owned")? == generation,
            thread: record.number("thread")?,
            ..Cache::default()
        };
        if home != 0 {
            cache.node = self.record("node", home)?.number("id")?;
        }
        let detached = record.numbers("detached", 1)?;
        let spares = record.numbers("spares", 8)?;
        let mut counts = Vec::new();
        for (bin, detached) in record.array("bins", "bin")?.iter().zip(detached) {
            counts.push((self.objects_of_main(bin)? + detached).min(MOST_OBJECTS));
        }
        self.add_spares(&mut counts, &spares);
        let classes = 0..=numbers.all_classes;
        let some = |(_, count): &(u64, u64)| *count > 0;
        cache.objects = classes.zip(counts).filter(some).collect();
        let aliens = record.number("aliens")?;
        if aliens != 0 && nodes > 1 {
            cache.aliens = self.read_aliens(aliens, numbers)?;
        }
        Ok(cache)
    }

    /// Objects in a bin's main sheaf, if it has one.
    pub(super) fn objects_of_main(&self, bin: &Record<'_>) -> Result<u64> {
        let bounds = bin.inner("bounds", "sheaf_bounds")?;
        let (floor, limit) = (bounds.number("floor")?, bounds.number("limit")?);
        // The lower half of the address tells.
        let top = bounds.number("top")? & u64::from(u32::MAX);
        Ok(match limit {
            0 => 0,
            _ => (top.saturating_sub(floor) / 8).min(MOST_OBJECTS),
        })
    }

    /// Objects for other nodes, by class.
    fn read_aliens(&self, address: u64, numbers: &Numbers) -> Result<Vec<(u64, u64)>> {
        let mut counts = vec![0; numbers.all_classes as usize + 1];
        for alien in self.record("aliens", address)?.array("nodes", "alien")? {
            let sheaves = alien.number("sheaves")?;
            if sheaves == 0 {
                continue;
            }
            let bytes = self
                .directory
                .size("alien_sheaves")?
                .min(8 * counts.len() as u64);
            let cells = self.memory.bytes(sheaves, bytes)?;
            let cells = cells.chunks_exact(8).filter_map(crate::memory::number);
            let filled: Vec<_> = (0..).zip(cells).filter(|(_, cell)| *cell != 0).collect();
            let places: Vec<u64> = filled.iter().map(|(_, cell)| *cell).collect();
            let words = self.memory.read_words(&places);
            for ((class, _), word) in filled.iter().zip(words) {
                let class: usize = *class;
                counts[class] += plausible(word);
            }
        }
        Ok((0..).zip(counts).filter(|(_, count)| *count > 0).collect())
    }
}

/// A sheaf's count; a sheaf that changes hands at this moment may say anything.
pub(super) fn plausible(word: Option<u64>) -> u64 {
    word.filter(|it| *it <= MOST_OBJECTS).unwrap_or(0)
}
