//! A few mappings that were freed lately, so that a program that allocates and frees large
//! buffers in a loop does not pay their page faults each time.
//!
//! # Invariant
//!
//! When one is freed, all of them together have at most `limit_bytes`, or as many bytes as are wanted
//! then.
#![forbid(unsafe_code)]

use crate::sys::{Mapping, page_size};
use crate::units::align_up;

/// Mappings that are kept at most.
const PLACES: usize = 16;
/// A longer mapping serves a request whole if no more than this share of the request is left over;
/// else the rest is kept apart.
const REST_SHARE: usize = 8;
/// A shorter mapping serves, and grows, if it is at least this share of the request.
const GROWTH_SHARE: usize = 4;

/// Recently freed mappings, the oldest first.
#[derive(Debug)]
pub(super) struct Reuse {
    places: [Option<Mapping>; PLACES],
    bytes: usize,
    limit_bytes: usize,
}

impl Reuse {
    /// No mappings, and never more than `limit_bytes`; 0 switches reuse off.
    pub(super) const fn new(limit_bytes: usize) -> Self {
        Self {
            places: [const { None }; PLACES],
            bytes: 0,
            limit_bytes,
        }
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps a mapping, as one with its neighbours. No more is kept than `wanted` bytes, or the
    /// limit if that is more; what is too much goes back to the kernel, the oldest first.
    pub(super) fn keep(&mut self, mapping: Mapping, wanted: usize) {
        self.put(mapping);
        self.shrink(wanted);
    }

    /// Gives back what is above `wanted` bytes, or the limit if that is more, the oldest first.
    pub(super) fn shrink(&mut self, wanted: usize) {
        let limit = match self.limit_bytes {
            0 => 0,
            least => least.max(wanted),
        };
        self.shed(self.bytes.saturating_sub(limit));
    }

    /// Gives `bytes` back, the oldest first.
    pub(super) fn shed(&mut self, bytes: usize) {
        let end = self.bytes.saturating_sub(bytes);
        while self.bytes > end {
            self.drop_oldest(self.bytes - end);
        }
    }

    /// Stores a mapping as the newest.
    fn put(&mut self, mapping: Mapping) {
        self.bytes += mapping.bytes();
        let mut newest = mapping;
        for place in &mut self.places {
            newest = match place.take() {
                Some(kept) => match newest.join(kept) {
                    Ok(joined) => joined,
                    Err((newest, kept)) => {
                        *place = Some(kept);
                        newest
                    }
                },
                None => newest,
            };
        }
        self.close_gaps();
        if self.places.iter().all(Option::is_some) {
            self.drop_oldest(usize::MAX);
        }
        if let Some(place) = self.places.iter_mut().find(|place| place.is_none()) {
            *place = Some(newest);
        }
    }

    /// The kept mapping that begins at `address`, or as much of it as `bytes`.
    pub(super) fn take_at(&mut self, address: usize, bytes: usize) -> Option<Mapping> {
        let bytes = align_up(bytes, page_size())?;
        let begins = |kept: &Mapping| kept.address() == address;
        let place = self
            .places
            .iter_mut()
            .find(|place| place.as_ref().is_some_and(begins))?;
        let mut mapping = place.take()?;
        if mapping.bytes() > bytes {
            let (first, rest) = mapping.split(bytes);
            *place = Some(rest);
            mapping = first;
        }
        self.bytes -= mapping.bytes();
        self.close_gaps();
        Some(mapping)
    }

    /// A mapping of at least `bytes` at a multiple of `align` with this mark; its content is arbitrary.
    ///
    /// The shortest that is long enough is best; else the longest, which keeps its pages and gets
    /// the missing ones from the kernel.
    pub(super) fn take(&mut self, bytes: usize, align: usize, mark: u8) -> Option<Mapping> {
        let bytes = align_up(bytes, page_size())?;
        let lengths = || {
            let aligned = |mapping: &&Mapping| {
                mapping.address().is_multiple_of(align) && mapping.mark() == mark
            };
            self.places
                .iter()
                .flatten()
                .filter(aligned)
                .map(Mapping::bytes)
        };
        let length = match lengths().filter(|length| *length >= bytes).min() {
            Some(length) => length,
            // What grows may move, to an address that is aligned to a page.
            None if align > page_size() => return None,
            None => lengths()
                .max()
                .filter(|length| *length >= bytes / GROWTH_SHARE)?,
        };
        let serves = |mapping: &Mapping| {
            mapping.bytes() == length
                && mapping.address().is_multiple_of(align)
                && mapping.mark() == mark
        };
        let place = self
            .places
            .iter_mut()
            .find(|place| place.as_ref().is_some_and(serves))?;
        let mapping = place.take()?;
        self.bytes -= length;
        self.close_gaps();
        if length < bytes {
            return match mapping.resize(bytes) {
                Ok(mapping) => Some(mapping),
                Err(mapping) => {
                    // It would fail again.
                    mapping.unmap();
                    None
                }
            };
        }
        if length - bytes <= bytes / REST_SHARE {
            return Some(mapping);
        }
        let (mapping, rest) = mapping.split(bytes);
        self.put(rest);
        Some(mapping)
    }

    /// Gives everything back to the kernel; how many bytes it were.
    pub(super) fn clear(&mut self) -> usize {
        let bytes = core::mem::take(&mut self.bytes);
        self.places
            .iter_mut()
            .filter_map(Option::take)
            .for_each(Mapping::unmap);
        bytes
    }

    /// Gives the oldest mapping back to the kernel, but no more of it than `bytes`.
    fn drop_oldest(&mut self, bytes: usize) {
        let bytes = align_up(bytes, page_size()).unwrap_or(bytes);
        if let Some(place) = self.places.first_mut()
            && let Some(mut oldest) = place.take()
        {
            if oldest.bytes() > bytes {
                let kept_bytes = oldest.bytes() - bytes;
                let (kept, rest) = oldest.split(kept_bytes);
                *place = Some(kept);
                oldest = rest;
            }
            self.bytes -= oldest.bytes();
            oldest.unmap();
        }
        self.close_gaps();
    }

    /// Moves the gaps behind what is kept.
    fn close_gaps(&mut self) {
        let mut filled = [const { None }; PLACES];
        let kept = self.places.iter_mut().filter_map(Option::take);
        filled
            .iter_mut()
            .zip(kept)
            .for_each(|(place, mapping)| *place = Some(mapping));
        self.places = filled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn the_best_fit_is_reused_and_the_rest_is_kept() {
        let mut reuse = Reuse::new(64 * MIB);
        for mebibytes in [20, 6, 9] {
            reuse.keep(apart(mebibytes), 0);
        }
        let mapping = reuse.take(5 * MIB, 1, 0).unwrap();
        assert_eq!(mapping.bytes(), 5 * MIB);
        assert_eq!(reuse.bytes(), 30 * MIB);
        mapping.unmap();
        let whole = reuse.take(19 * MIB, 1, 0).unwrap();
        assert_eq!(whole.bytes(), 20 * MIB);
        whole.unmap();
        assert_eq!(reuse.clear(), 10 * MIB);
    }

    #[test]
    fn a_shorter_mapping_grows_and_keeps_its_pages() {
        let mut reuse = Reuse::new(64 * MIB);
        let mapping = Mapping::new(8 * MIB, 1).unwrap();
        reuse.keep(mapping, 0);
        assert!(reuse.take(40 * MIB, 1, 0).is_none());
        assert!(reuse.take(9 * MIB, 2 * MIB, 0).is_none());
        let grown = reuse.take(30 * MIB, 1, 0).unwrap();
        assert_eq!((grown.bytes(), reuse.bytes()), (30 * MIB, 0));
        grown.unmap();
    }

    #[test]
    fn the_limit_holds_and_the_oldest_leave() {
        let mut reuse = Reuse::new(30 * MIB);
        for mebibytes in [10, 11, 12, 40] {
            reuse.keep(apart(mebibytes), 0);
        }
        assert_eq!(reuse.bytes(), 30 * MIB);
        for _ in 0..20 {
            reuse.keep(apart(1), 0);
        }
        assert_eq!(reuse.places.iter().flatten().count(), PLACES);
        assert!(reuse.bytes() <= 30 * MIB);
        reuse.clear();
        let mut off = Reuse::new(0);
        off.keep(Mapping::new(MIB, 1).unwrap(), 0);
        assert_eq!(off.bytes(), 0);
    }

    #[test]
    fn an_odd_limit_is_kept_in_whole_pages() {
        let mut reuse = Reuse::new(10 * MIB + 100);
        reuse.keep(apart(8), 0);
        reuse.keep(apart(8), 0);
        assert!(reuse.bytes() <= 10 * MIB && reuse.bytes().is_multiple_of(page_size()));
        let kept: usize = reuse.places.iter().flatten().map(Mapping::bytes).sum();
        assert_eq!(kept, reuse.bytes());
        reuse.clear();
    }

    #[test]
    fn neighbours_are_one() {
        let mut reuse = Reuse::new(64 * MIB);
        let (first, rest) = Mapping::new(24 * MIB, 1).unwrap().split(8 * MIB);
        let (second, third) = rest.split(8 * MIB);
        let (start, middle) = (first.address(), second.address());
        reuse.keep(first, 0);
        reuse.keep(third, 0);
        assert_eq!(reuse.places.iter().flatten().count(), 2);
        assert!(reuse.take_at(middle, MIB).is_none());
        reuse.keep(second, 0);
        assert_eq!(reuse.places.iter().flatten().count(), 1);
        let part = reuse.take_at(start, 20 * MIB).unwrap();
        assert_eq!((part.bytes(), reuse.bytes()), (20 * MIB, 4 * MIB));
        let rest = reuse.take_at(start + 20 * MIB, 20 * MIB).unwrap();
        assert_eq!((rest.bytes(), reuse.bytes()), (4 * MIB, 0));
        part.unmap();
        rest.unmap();
    }

    /// A mapping with a hole behind it.
    fn apart(mebibytes: usize) -> Mapping {
        let (mapping, hole) = Mapping::new((mebibytes + 1) * MIB, 1)
            .unwrap()
            .split(mebibytes * MIB);
        hole.unmap();
        mapping
    }
}
