//! What a plan's threads have mapped: ranges with their access, changed as the kernel changes them.
//!
//! # Invariant
//!
//! Ranges do not overlap, and neighbours with the same access are one, as the kernel has it.
#![forbid(unsafe_code)]

extern crate std;
use std::collections::BTreeMap;
use std::vec::Vec;

use super::page_size;

/// What the machine has, for calls that ask for more to fail with ENOMEM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Mappings, `vm.max_map_count`.
    pub(crate) mappings: usize,
    /// Bytes of address space, `RLIMIT_AS`.
    pub(crate) address_bytes: usize,
    /// Bytes with access, as under strict overcommit.
    pub(crate) usable_bytes: usize,
    /// A kernel before 4.17 takes the address of `MAP_FIXED_NOREPLACE` for a wish.
    pub(crate) is_old: bool,
}

impl Machine {
    /// One that has enough of everything.
    pub(crate) const ENDLESS: Self = Self {
        mappings: usize::MAX,
        address_bytes: usize::MAX,
        usable_bytes: usize::MAX,
        is_old: false,
    };
}

/// Ranges by their start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    ranges: BTreeMap<usize, Range>,
    /// Starts and ends of what was to be unmapped and was not, and whether it has memory.
    doomed: Vec<(usize, usize, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    end: usize,
    access: usize,
}

/// Where a call's mapping is taken to be before the kernel has chosen.
const SOMEWHERE: usize = 1;

impl Ledger {
    /// Whether a call changes what is mapped.
    pub(super) fn counts(number: libc::c_long) -> bool {
        matches!(
            number,
            libc::SYS_mmap
                | libc::SYS_munmap
                | libc::SYS_mremap
                | libc::SYS_mprotect
                | libc::SYS_madvise
        )
    }

    /// Records a call that succeeded with this answer, or what it would do.
    pub(super) fn note(
        &mut self,
        number: libc::c_long,
        arguments: [usize; 6],
        answer: Option<usize>,
    ) {
        let [start, bytes, third, ..] = arguments;
        let bytes = bytes.next_multiple_of(page_size());
        match number {
            libc::SYS_mmap => {
                let start = answer.unwrap_or(if start == 0 { SOMEWHERE } else { start });
                self.set(start, start + bytes, Some(third));
            }
            libc::SYS_munmap => self.set(start, start + bytes, None),
            libc::SYS_mprotect => self.protect(start, start + bytes, third),
            libc::SYS_mremap => {
                let access = self.access(start);
                self.set(start, start + bytes, None);
                let start = answer.unwrap_or(start);
                self.set(start, start + third.next_multiple_of(page_size()), access);
            }
            libc::SYS_madvise if third == libc::MADV_DONTNEED as usize && answer.is_some() => {
                self.note_released(start, start + bytes);
            }
            _ => {}
        }
    }

    /// Records a call that was refused.
    pub(super) fn note_refused(&mut self, number: libc::c_long, arguments: [usize; 6]) {
        let [start, bytes, ..] = arguments;
        match number {
            libc::SYS_munmap => self.doom(start, bytes),
            // There is no more to try after that.
            libc::SYS_madvise => self.note_released(start, start + bytes),
            _ => {}
        }
    }

    fn note_released(&mut self, start: usize, end: usize) {
        let inside = |it: &&mut (usize, usize, bool)| start <= it.0 && it.1 <= end;
        self.doomed
            .iter_mut()
            .filter(inside)
            .for_each(|it| it.2 = false);
    }

    fn doom(&mut self, start: usize, bytes: usize) {
        self.forgive(start, start + bytes);
        let has_memory = self.access(start) != Some(libc::PROT_NONE as usize);
        self.doomed.push((start, start + bytes, has_memory));
    }

    /// Whether a machine has room for `after`, or for as much as before.
    pub(super) fn fits(&self, after: &Self, machine: Machine) -> bool {
        let is_well = |before: usize, after: usize, most: usize| after <= most || after <= before;
        is_well(self.count(), after.count(), machine.mappings)
            && is_well(self.bytes(), after.bytes(), machine.address_bytes)
            && is_well(
                self.usable_bytes(),
                after.usable_bytes(),
                machine.usable_bytes,
            )
    }

    /// Mappings.
    pub(crate) fn count(&self) -> usize {
        self.ranges.len()
    }

    /// Bytes of all mappings.
    pub(crate) fn bytes(&self) -> usize {
        self.ranges().map(|(_, bytes)| bytes).sum()
    }

    /// Bytes with access.
    pub(crate) fn usable_bytes(&self) -> usize {
        let usable = |(_, range): &(&usize, &Range)| range.access != libc::PROT_NONE as usize;
        let ranges = self.ranges.iter().filter(usable);
        ranges.map(|(start, range)| range.end - start).sum()
    }

    /// Bytes that were to be unmapped, were not, and still have memory.
    pub(crate) fn kept_bytes(&self) -> usize {
        let kept = self.doomed.iter().filter(|doomed| doomed.2);
        kept.map(|(start, end, _)| end - start).sum()
    }

    /// Bytes that were to be unmapped and were not.
    pub(crate) fn refused_bytes(&self) -> usize {
        self.doomed.iter().map(|(start, end, _)| end - start).sum()
    }

    /// Start and length of each mapping.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (usize, usize)> {
        self.ranges
            .iter()
            .map(|(start, range)| (*start, range.end - start))
    }

    /// Changes the access of what is mapped between `start` and `end`.
    fn protect(&mut self, start: usize, end: usize, access: usize) {
        let parts = self
            .ranges()
            .map(|(from, bytes)| (from.max(start), (from + bytes).min(end)));
        let parts: Vec<_> = parts.filter(|(from, to)| from < to).collect();
        for (from, to) in parts {
            self.set(from, to, Some(access));
        }
    }

    fn access(&self, address: usize) -> Option<usize> {
        let (_, range) = self.ranges.range(..=address).next_back()?;
        (address < range.end).then_some(range.access)
    }

    /// Gives `start..end` this access, or takes it away.
    fn set(&mut self, start: usize, end: usize, access: Option<usize>) {
        self.forgive(start, end);
        self.cut_at(start);
        self.cut_at(end);
        let inside: Vec<usize> = self
            .ranges
            .range(start..end)
            .map(|(start, _)| *start)
            .collect();
        for start in inside {
            self.ranges.remove(&start);
        }
        let Some(access) = access.filter(|_| start < end) else {
            return;
        };
        let mut range = Range { end, access };
        let mut first = start;
        if let Some((before, neighbour)) = self.ranges.range(..start).next_back()
            && *neighbour == (Range { end: start, access })
        {
            first = *before;
        }
        if let Some(after) = self.ranges.get(&end).copied()
            && after.access == access
        {
            self.ranges.remove(&end);
            range.end = after.end;
        }
        self.ranges.insert(first, range);
    }

    /// What happens to `start..end` now is no consequence of a refusal any more.
    fn forgive(&mut self, start: usize, end: usize) {
        for (from, to, has_memory) in core::mem::take(&mut self.doomed) {
            let below = (from, to.min(start), has_memory);
            let above = (from.max(end), to, has_memory);
            let left = [below, above].into_iter().filter(|left| left.0 < left.1);
            self.doomed.extend(left);
        }
    }

    /// Makes two ranges of one that holds `at` inside.
    fn cut_at(&mut self, at: usize) {
        if let Some((_, range)) = self.ranges.range_mut(..at).next_back()
            && range.end > at
        {
            let rest = *range;
            range.end = at;
            self.ranges.insert(at, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_and_joined_as_the_kernel_does() {
        let page = page_size();
        let (none, all) = (Some(0), Some(3));
        let mut ledger = Ledger::default();
        ledger.set(10 * page, 20 * page, none);
        ledger.protect(0, 12 * page, 3);
        assert_eq!((ledger.count(), ledger.usable_bytes()), (2, 2 * page));
        ledger.set(12 * page, 13 * page, all);
        assert_eq!((ledger.count(), ledger.usable_bytes()), (2, 3 * page));
        ledger.set(15 * page, 16 * page, None);
        assert_eq!((ledger.count(), ledger.bytes()), (3, 9 * page));
        ledger.set(15 * page, 16 * page, none);
        assert_eq!((ledger.count(), ledger.bytes()), (2, 10 * page));
        ledger.set(0, 30 * page, None);
        assert_eq!((ledger.count(), ledger.bytes()), (0, 0));
    }
}
