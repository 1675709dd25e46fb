//! Which cluster each CPU belongs to: those that share a last-level cache, and no more than a few of them.
//!
//! # Invariant
//!
//! A CPU that nobody has described is of cluster 0.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use super::node_set::ranges;
use crate::units::MAX_CLUSTERS;

/// CPUs that are told apart; the kernel's most for x86-64.
pub(crate) const MAX_CPUS: usize = 8192;
/// With no more than these one cluster serves all: they meet at a lock too rarely to matter.
const FEW_CPUS: usize = 8;
/// A cluster has no more than these either …
const MOST_CPUS: usize = 8;
/// … and where caches are shared by fewer than these, as many machines of the virtual kind say, neighbours join.
const LEAST_CPUS: usize = 4;
/// Room for the text of a cache.
const TEXT_BYTES: usize = 512;

/// The cluster of each CPU.
#[derive(Debug)]
pub(crate) struct Cpus {
    /// The number of its cluster, counted from 1; 0 if it is not known.
    clusters: [AtomicU8; MAX_CPUS],
}

/// The CPUs that a process may run on, a bit for each.
pub(crate) type CpuBits = [u64; MAX_CPUS / 64];

// ORDERING: relaxed; what is read is as good as any other number.

impl Cpus {
    /// Nothing is known.
    pub(crate) const fn unknown() -> Self {
        Self {
            clusters: [const { AtomicU8::new(0) }; MAX_CPUS],
        }
    }

    /// The cluster of a CPU.
    pub(crate) fn cluster_of(&self, cpu: usize) -> u8 {
        let cluster = self.clusters.get(cpu).map_or(0, |it| it.load(Relaxed));
        cluster.saturating_sub(1)
    }

    /// Finds clusters for the `allowed` CPUs; returns how many there are, 1 where they are few. `read` writes the kernel's list of the CPUs that share the
    /// last-level cache with one to the buffer, and gives its length; where there is none, neighbours by number share it.
    ///
    /// See the kernel's `Documentation/ABI/testing/sysfs-devices-system-cpu`, `cache/index3/shared_cpu_list`.
    #[cold]
    #[inline(never)]
    pub(crate) fn detect(
        &self,
        allowed: &CpuBits,
        mut read: impl FnMut(usize, &mut [u8]) -> Option<usize>,
    ) -> u8 {
        let count: u32 = allowed.iter().map(|word| word.count_ones()).sum();
        if count as usize <= FEW_CPUS {
            return 1;
        }
        let (mut clusters, mut members) = (0, 0);
        for cpu in each(allowed) {
            if self.is_known(cpu) {
                continue;
            }
            let mut text = [0; TEXT_BYTES];
            let list = read(cpu, &mut text).and_then(|length| text.get(..length));
            let listed = ranges(list.unwrap_or_default()).map_while(|range| range);
            let mut sharing = self.unknown_of(allowed, listed.flatten());
            if each(&sharing).all(|other| other != cpu) {
                let end = (cpu / MOST_CPUS + 1) * MOST_CPUS;
                sharing = self.unknown_of(allowed, cpu..end);
            }
            let count = each(&sharing).count();
            let joins = members < LEAST_CPUS && members + count <= MOST_CPUS && clusters > 0;
            let mut left = if joins { count } else { 0 };
            for other in each(&sharing) {
                if left == 0 {
                    // Equal parts of what is too many.
                    left = count.div_ceil(count.div_ceil(MOST_CPUS).max(1));
                    (clusters, members) = (clusters + 1, 0);
                }
                (left, members) = (left - 1, members + 1);
                self.assign(other, (clusters - 1) % MAX_CLUSTERS);
            }
        }
        clusters.clamp(1, MAX_CLUSTERS) as u8
    }

    /// Those of `some` CPUs that are allowed and have no cluster yet.
    fn unknown_of(&self, allowed: &CpuBits, some: impl Iterator<Item = usize>) -> CpuBits {
        let mut bits = [0; MAX_CPUS / 64];
        for cpu in some.take_while(|cpu| *cpu < MAX_CPUS) {
            if has(allowed, cpu)
                && !self.is_known(cpu)
                && let Some(word) = bits.get_mut(cpu / 64)
            {
                *word |= 1 << (cpu % 64);
            }
        }
        bits
    }

    /// Deals the CPUs out to `count` clusters, whatever they share.
    pub(crate) fn deal(&self, clusters: u8) {
        (0..MAX_CPUS).for_each(|cpu| self.assign(cpu, cpu % usize::from(clusters.max(1))));
    }

    fn is_known(&self, cpu: usize) -> bool {
        self.clusters
            .get(cpu)
            .is_some_and(|it| it.load(Relaxed) != 0)
    }

    fn assign(&self, cpu: usize, cluster: usize) {
        if let Some(entry) = self.clusters.get(cpu) {
            entry.store(cluster as u8 + 1, Relaxed);
        }
    }
}

fn has(bits: &CpuBits, cpu: usize) -> bool {
    let word = bits.get(cpu / 64);
    word.is_some_and(|word| word >> (cpu % 64) & 1 != 0)
}

fn each(bits: &CpuBits) -> impl Iterator<Item = usize> {
    (0..MAX_CPUS).filter(|cpu| has(bits, *cpu))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    /// The number of clusters, and the cluster of each CPU, where `list` tells what a CPU shares its cache with.
    fn found(cpus: usize, list: impl Fn(usize) -> Option<String>) -> (u8, Vec<u8>) {
        let mut allowed = [0; MAX_CPUS / 64];
        (0..cpus).for_each(|cpu| allowed[cpu / 64] |= 1 << (cpu % 64));
        let machine = Cpus::unknown();
        let count = machine.detect(&allowed, |cpu, buffer| {
            let text = list(cpu)?;
            buffer[..text.len()].copy_from_slice(text.as_bytes());
            Some(text.len())
        });
        let clusters = (0..cpus).map(|cpu| machine.cluster_of(cpu));
        (count, clusters.collect())
    }

    #[test]
    fn a_small_machine_is_one_cluster_and_asks_for_nothing() {
        let asked = core::cell::Cell::new(false);
        let (count, clusters) = found(8, |_| {
            asked.set(true);
            None
        });
        assert_eq!((count, asked.get()), (1, false));
        assert_eq!(clusters, [0; 8]);
    }

    #[test]
    fn cpus_that_share_a_cache_are_a_cluster() {
        // Two times four cores with two threads each, whose numbers lie eight apart.
        let list = |cpu: usize| {
            let first = cpu % 8 / 4 * 4;
            Some(std::format!(
                "{}-{},{}-{}\n",
                first,
                first + 3,
                first + 8,
                first + 11
            ))
        };
        let (count, clusters) = found(16, list);
        assert_eq!(count, 2);
        assert_eq!(clusters, [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn a_cache_of_very_many_is_divided() {
        let (count, clusters) = found(120, |_| Some(String::from("0-119\n")));
        assert_eq!(count, 15);
        assert!((0..120).all(|cpu| usize::from(clusters[cpu]) == cpu / 8));
    }

    #[test]
    fn parts_are_equal_and_small_groups_join() {
        let twelve = |cpu: usize| Some(String::from(if cpu < 12 { "0-11" } else { "12-15" }));
        let (count, clusters) = found(16, twelve);
        assert_eq!(count, 3);
        assert_eq!(clusters, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
        let (count, clusters) = found(16, |cpu| Some(std::format!("{cpu}")));
        assert_eq!(count, 4);
        assert!((0..16).all(|cpu| usize::from(clusters[cpu]) == cpu / 4));
        let pairs = |cpu: usize| Some(std::format!("{},{}", cpu % 6, cpu % 6 + 6));
        let (count, clusters) = found(12, pairs);
        assert_eq!(count, 3);
        assert_eq!(clusters, [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn without_a_list_or_with_a_wrong_one_neighbours_are_a_cluster() {
        for text in [None, Some(""), Some("none"), Some("9000-9001"), Some("0-")] {
            let (count, clusters) = found(40, |_| text.map(String::from));
            assert_eq!(count, 5, "{text:?}");
            assert!((0..40).all(|cpu| usize::from(clusters[cpu]) == cpu / 8));
        }
    }

    #[test]
    fn more_clusters_than_there_may_be_share_numbers() {
        let (count, clusters) = found(1024, |_| None);
        assert_eq!(usize::from(count), MAX_CLUSTERS);
        assert!((0..1024).all(|cpu| usize::from(clusters[cpu]) == cpu / 8 % MAX_CLUSTERS));
    }

    #[test]
    fn cpus_are_dealt_out_in_turn() {
        let machine = Cpus::unknown();
        machine.deal(3);
        assert_eq!(
            [0, 1, 2, 3, 8191].map(|cpu| machine.cluster_of(cpu)),
            [0, 1, 2, 0, 1]
        );
        assert_eq!(machine.cluster_of(MAX_CPUS), 0);
    }
}
