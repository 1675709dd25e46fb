//! Sizes, classes and alignments, each against what the table means.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn every_size_gets_the_smallest_class_that_holds_it() {
    for size in 0..=MAX_SMALL {
        let id = class_of(size);
        assert!(info(id).size as usize >= size);
        assert!(id.0 == 1 || (info(ClassId(id.0 - 1)).size as usize) < size);
    }
}

#[test]
fn division_by_multiplication_is_exact_for_every_offset() {
    for id in all() {
        let info = info(id);
        for offset in 0..info.slab_bytes() {
            let expected = (
                offset / info.size as usize,
                offset % info.size as usize == 0,
            );
            let (index, first) = info.object_at(offset);
            assert_eq!((index as usize, first), expected, "{info:?} at {offset}");
            let product = (offset as u32).wrapping_mul(info.divisor);
            assert_eq!(product < info.divisor, expected.1, "{info:?} at {offset}");
        }
    }
}

#[test]
fn no_slab_wastes_more_than_a_sixteenth_but_that_of_the_largest_class() {
    for id in all() {
        let info = info(id);
        let waste = info.slab_bytes() - (info.objects * info.size) as usize;
        let share = if id.index() == CLASSES {
            4
        } else {
            WASTE_SHARE
        };
        assert!(waste * share <= info.slab_bytes(), "{info:?}");
    }
}

#[test]
fn an_aligned_request_finds_a_class_of_multiples() {
    for align in (0..=15).map(|shift| 1_usize << shift) {
        for size in [1, 17, 100, 129, 1000, 5000, 32 << 10] {
            let id = aligned_class_of(size, align).expect("a class for every alignment");
            assert_eq!(info(id).size as usize % align, 0);
            assert!(info(id).size as usize >= size);
        }
    }
    assert_eq!(aligned_class_of(1, 64 << 10), None);
}

/// What the table means, without it.
fn smallest(size: usize, align: usize) -> Option<ClassId> {
    let serves = |id: &ClassId| {
        let class = info(*id).size as usize;
        class >= size && class.is_multiple_of(align)
    };
    all().find(serves)
}

#[test]
fn every_size_at_every_alignment_gets_the_smallest_class_that_serves() {
    for align in (0..usize::BITS).map(|shift| 1_usize << shift) {
        for size in 0..=MAX_SMALL + 1 {
            let id = aligned_class_of(size, align);
            // A class table has some dozens of rows, so each pair is looked up in all of them.
            assert_eq!(id, smallest(size, align), "{size} at {align}");
        }
        for size in [
            usize::MAX,
            usize::MAX - align,
            usize::MAX / 2,
            MAX_SMALL + 1,
        ] {
            assert_eq!(aligned_class_of(size, align), None);
        }
    }
}

#[test]
fn beyond_the_slabs_there_are_spans_up_to_a_pageblock() {
    for size in FINE_LIMIT + 1..=MAX_SMALL {
        assert_eq!(Some(coarse_class_of(size)), smallest(size, 1));
    }
    for size in (MAX_SMALL + 1..=BLOCK_SIZE)
        .step_by(509)
        .chain([BLOCK_SIZE])
    {
        let id = coarse_class_of(size);
        let above = spans().find(|id| info(*id).size as usize >= size);
        assert!(is_span(id) && above == Some(id), "{size}");
    }
    for id in spans() {
        let bytes = info(id).size as usize;
        assert_eq!((coarse_class_of(bytes), bytes % PAGE_SIZE), (id, 0));
        // At most a quarter of a block is beyond what was asked for.
        let below = info(ClassId(id.0 - 1)).size as usize;
        assert!(bytes - below <= bytes / 4, "{bytes}");
    }
    for size in [BLOCK_SIZE + 1, usize::MAX / 2, usize::MAX] {
        assert_eq!(coarse_class_of(size), ClassId::NONE);
    }
}
