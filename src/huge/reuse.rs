//! A few mappings that were freed lately, so that a program that allocates and frees large
//! buffers in a loop does not pay their page faults each time.
//!
//! # Invariant
//!
//! All of them together have at most `limit_bytes`.
#![forbid(unsafe_code)]

use crate::sys::{Mapping, page_size};

/// Mappings that are kept at most.
const PLACES: usize = 8;
/// A mapping serves a request if it is at most so many times as long.
const FIT: usize = 2;
/// Of a mapping that serves, a tail larger than this share of the request is given back.
const TAIL_SHARE: usize = 8;

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

    /// Keeps a mapping; what has to make room, and what is too large, goes back to the kernel.
    pub(super) fn keep(&mut self, mapping: Mapping) {
        if mapping.bytes() > self.limit_bytes {
            return mapping.unmap();
        }
        while self.bytes + mapping.bytes() > self.limit_bytes
            || self.places.iter().all(Option::is_some)
        {
            self.drop_oldest();
        }
        self.bytes += mapping.bytes();
        if let Some(place) = self.places.iter_mut().find(|place| place.is_none()) {
            *place = Some(mapping);
        }
    }

    /// A mapping of at least `bytes` at a multiple of `align`; its content is arbitrary.
    pub(super) fn take(&mut self, bytes: usize, align: usize) -> Option<Mapping> {
        let most = bytes.saturating_mul(FIT);
        let serves = |mapping: &Mapping| {
            (bytes..=most).contains(&mapping.bytes()) && mapping.address().is_multiple_of(align)
        };
        let fitting = self
            .places
            .iter_mut()
            .filter(|place| place.as_ref().is_some_and(serves));
        let best = fitting.min_by_key(|place| place.as_ref().map_or(usize::MAX, Mapping::bytes))?;
        let mapping = best.take()?;
        self.bytes -= mapping.bytes();
        self.close_gaps();
        if mapping.bytes() - bytes <= (bytes / TAIL_SHARE).max(page_size()) {
            return Some(mapping);
        }
        Some(mapping.resize(bytes).unwrap_or_else(|same| same))
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

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.places.first_mut().and_then(Option::take) {
            self.bytes -= oldest.bytes();
            oldest.unmap();
        }
        self.close_gaps();
    }

    fn close_gaps(&mut self) {
        if let Some(gap) = self.places.iter().position(Option::is_none) {
            self.places
                .get_mut(gap..)
                .unwrap_or_default()
                .rotate_left(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn the_best_fit_is_reused_and_its_tail_goes_back() {
        let mut reuse = Reuse::new(64 * MIB);
        for mebibytes in [20, 6, 9] {
            reuse.keep(Mapping::new(mebibytes * MIB, 1).unwrap());
        }
        let mapping = reuse.take(5 * MIB, 1).unwrap();
        assert_eq!(mapping.bytes(), 5 * MIB);
        mapping.unmap();
        assert!(reuse.take(4 * MIB, 1).is_none());
        assert_eq!(reuse.bytes(), 29 * MIB);
        assert_eq!(reuse.clear(), 29 * MIB);
    }

    #[test]
    fn the_limit_holds_and_the_oldest_leave() {
        let mut reuse = Reuse::new(30 * MIB);
        for mebibytes in [10, 11, 12, 40] {
            reuse.keep(Mapping::new(mebibytes * MIB, 1).unwrap());
        }
        assert_eq!(reuse.bytes(), 23 * MIB);
        for _ in 0..20 {
            reuse.keep(Mapping::new(MIB, 1).unwrap());
        }
        assert_eq!(reuse.bytes(), 8 * MIB);
        reuse.clear();
        let mut off = Reuse::new(0);
        off.keep(Mapping::new(MIB, 1).unwrap());
        assert_eq!(off.bytes(), 0);
    }
}
