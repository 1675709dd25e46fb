//! Rows: neighbours in a slab that come back one after the other. Programs often free in the order in
//! which they allocated, or against it, and a row costs little more than one object.
#![forbid(unsafe_code)]

use super::class::ClassInfo;
use super::sheaf::Slot;

/// Objects whose bits share a word.
pub(super) const ROW: u32 = u64::BITS;

/// Objects that lie in a row and whose bits share a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The lowest object's index.
    pub(super) first: u32,
    /// How many there are, 1 ..= 64.
    pub(super) count: u32,
}

impl Row {
    /// The row that `objects` begin with, upwards or downwards; the first of them has `index`.
    #[inline]
    pub(super) fn of(objects: &[Slot], index: u32, info: &ClassInfo) -> Self {
        let step = match objects {
            [one, next, ..] => (*next as isize).wrapping_sub(*one as isize),
            _ => 0,
        };
        if step.unsigned_abs() != info.size as usize {
            return Self {
                first: index,
                count: 1,
            };
        }
        if step > 0 {
            let most = (ROW - 1 - index % ROW).min((info.objects - 1).saturating_sub(index));
            return Self {
                first: index,
                count: 1 + neighbours(objects, step, most),
            };
        }
        let count = neighbours(objects, step, index % ROW);
        Self {
            first: index - count,
            count: 1 + count,
        }
    }
}

/// How many objects after the first one lie `step` bytes from the one before, of at most `most`.
#[inline]
fn neighbours(objects: &[Slot], step: isize, most: u32) -> u32 {
    let Some((first, others)) = objects.split_first() else {
        return 0;
    };
    let others = others.get(..others.len().min(most as usize));
    let (mut last, mut count) = (*first, 0);
    for next in others.unwrap_or_default() {
        last = last.wrapping_byte_offset(step);
        if last != *next {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::class::{class_of, info};
    use super::*;
    use std::vec::Vec;

    fn row(indices: &[u32]) -> (u32, u32) {
        let info = info(class_of(64));
        let slot = |index: &u32| core::ptr::without_provenance_mut((index * 64) as usize);
        let objects: Vec<Slot> = indices.iter().map(slot).collect();
        let row = Row::of(&objects, indices[0], info);
        (row.first, row.count)
    }

    #[test]
    fn a_row_goes_up_or_down_within_a_word_and_a_slab() {
        assert_eq!(row(&[5]), (5, 1));
        assert_eq!(row(&[5, 6, 7, 9]), (5, 3));
        assert_eq!(row(&[5, 4, 3, 9]), (3, 3));
        assert_eq!(row(&[62, 63, 64, 65]), (62, 2));
        assert_eq!(row(&[65, 64, 63]), (64, 2));
        assert_eq!(row(&[1, 0]), (0, 2));
        let last = info(class_of(64)).objects - 1;
        assert_eq!(row(&[last - 1, last, last + 1]), (last - 1, 2));
    }
}
