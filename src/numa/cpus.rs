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
/// With no more than these one cluster serves all: so many meet at a lock too rarely to matter.
const FEW_CPUS: usize = 8;
/// A cluster has no more than these either.
const MOST_CPUS: usize = 8;
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

    /// Finds clusters for the `allowed` CPUs; how many there are. `read` writes the kernel's list of the CPUs that share the
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
        let is_allowed = |cpu: usize| {
            allowed
                .get(cpu / 64)
                .is_some_and(|word| word >> (cpu % 64) & 1 != 0)
        };
        let mut clusters = 0;
        for cpu in (0..MAX_CPUS).filter(|cpu| is_allowed(*cpu)) {
            if self.is_known(cpu) {
                continue;
            }
            let mut text = [0; TEXT_BYTES];
            let list = read(cpu, &mut text).and_then(|length| text.get(..length));
            let mut left = 0;
            let mut join = |other: usize| {
                if other >= MAX_CPUS || self.is_known(other) {
                    return;
                }
                if left == 0 {
                    (clusters, left) = (clusters + 1, MOST_CPUS);
                }
                left -= 1;
                self.assign(other, (clusters - 1) % MAX_CLUSTERS);
            };
            let shared = ranges(list.unwrap_or_default())
                .map_while(|range| range)
                .flatten();
            shared
                .filter(|other| is_allowed(*other))
                .for_each(&mut join);
            if self.is_known(cpu) {
                continue;
            }
            let end = (cpu / MOST_CPUS + 1) * MOST_CPUS;
            (cpu..end).filter(|other| is_allowed(*other)).for_each(join);
        }
        clusters.clamp(1, MAX_CLUSTERS) as u8
    }

    /// Deals the CPUs out to so many clusters, whatever they share.
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
