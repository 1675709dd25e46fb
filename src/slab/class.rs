//! The size classes, built and checked at compile time.
//!
//! # Invariant
//!
//! Classes 1 to [`CLASSES`] grow in size, and are cut from slabs. Those above, up to [`ALL_CLASSES`], grow further: each
//! object of them is a span of pages. Class 0 means neither; for the id above them see `named.rs`.
#![forbid(unsafe_code)]

use crate::units::{
    BLOCK_SIZE, ClassId, GRANULE_PAGES, GRANULE_SIZE, MIN_ALIGN, PAGE_SIZE, align_up,
};

/// Number of size classes that are served from slabs.
pub(crate) const CLASSES: usize = 66;
/// The largest size that is served from slabs.
pub(crate) const MAX_SMALL: usize = 48 << 10;
/// Number of size classes.
pub(crate) const ALL_CLASSES: usize =
    CLASSES + 1 + SPAN_STEPS * (BLOCK_SIZE / GRANULE_SIZE).ilog2() as usize;
/// The first class of spans has a granule; after it there are this many between two powers of two.
const SPAN_STEPS: usize = 4;
/// Up to here a size finds its class in 16-byte steps, beyond in 128-byte steps.
pub(crate) const FINE_LIMIT: usize = 1 << 10;
/// See [`FINE_LIMIT`].
pub(crate) const FINE_STEP: usize = 16;
/// Number of fine steps, with that for size 0.
pub(crate) const FINE_ENTRIES: usize = FINE_LIMIT / FINE_STEP + 1;
const COARSE_STEP: usize = 128;

/// Objects in a slab, at least …
const MIN_OBJECTS: usize = 2;
/// … and wastes at most this share of itself …
const WASTE_SHARE: usize = 16;
/// … unless it is as large as this, or the starts of more objects could not be told.
const MAX_SLAB_GRANULES: usize = 8;
/// Objects that a slab's record has bits for.
pub(crate) const MAX_OBJECTS: usize = 60 * 64;

/// Classes between two powers of two: eight cost at most 1/9 of a block and 6 % on average.
/// From 8 KiB on it is four, since there a slab holds few objects and what a thread caches is bytes.
const STEPS: [(usize, usize); 9] = [
    (256, 16),
    (512, 32),
    (1 << 10, 64),
    (2 << 10, 128),
    (4 << 10, 256),
    (8 << 10, 512),
    (16 << 10, 2 << 10),
    (32 << 10, 4 << 10),
    (48 << 10, 8 << 10),
];

/// What there is to know about a class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassInfo {
    /// Bytes of an object, a multiple of 16.
    pub(crate) size: u32,
    /// Objects in a slab.
    pub(crate) objects: u32,
    /// Granules of a slab, a power of two. A span counts as a slab of one granule, its first.
    pub(crate) granules: u32,
    /// ⌈2³² / size⌉: an offset is a multiple of the size exactly if its product with this, in 32
    /// bits, is smaller than this (Lemire, Kaser, Kurz 2019). 0 for class 0, where nothing is.
    pub(crate) divisor: u32,
    /// ⌈2⁴⁰ / size⌉: an offset times this, shifted right by 40, is its object's index.
    reciprocal: u64,
}

impl ClassInfo {
    const fn none() -> Self {
        Self {
            size: 0,
            objects: 0,
            granules: 0,
            divisor: 0,
            reciprocal: 0,
        }
    }

    const fn new(size: usize) -> Self {
        let mut granules = 1;
        while granules < MAX_SLAB_GRANULES && !is_good_slab(size, granules) {
            granules *= 2;
        }
        while !is_exact(size, granules) {
            granules /= 2;
        }
        Self {
            size: size as u32,
            objects: objects_in(size, granules) as u32,
            granules: granules as u32,
            divisor: (1_u64 << 32).div_ceil(size as u64) as u32,
            reciprocal: (1_u64 << 40).div_ceil(size as u64),
        }
    }

    /// Whether a block of this class may stay where it is when it becomes `bytes` long.
    #[inline]
    pub(crate) const fn may_stay(&self, bytes: usize) -> bool {
        bytes <= self.size as usize && is_well_used(bytes, self.size as usize)
    }

    /// A span, which begins with a granule.
    const fn span(size: usize) -> Self {
        Self {
            size: size as u32,
            objects: 1,
            granules: 1,
            divisor: 1,
            reciprocal: (1_u64 << 40).div_ceil(size as u64),
        }
    }

    /// Pages of an object that is a span.
    pub(crate) const fn span_pages(&self) -> u32 {
        self.size / PAGE_SIZE as u32
    }

    /// Bytes of a slab, to which it is aligned.
    pub(crate) const fn slab_bytes(&self) -> usize {
        self.granules as usize * GRANULE_SIZE
    }

    /// Pages of a slab.
    pub(crate) const fn slab_pages(&self) -> u32 {
        self.granules * GRANULE_PAGES
    }

    /// The index of the object that holds the byte at `offset` in its slab, and whether it is the
    /// object's first.
    pub(crate) const fn object_at(&self, offset: usize) -> (u32, bool) {
        let index = ((offset as u64 * self.reciprocal) >> 40) as u32;
        (index, index as usize * self.size as usize == offset)
    }
}

const fn objects_in(size: usize, granules: usize) -> usize {
    let objects = granules * GRANULE_SIZE / size;
    if objects < MAX_OBJECTS {
        objects
    } else {
        MAX_OBJECTS
    }
}

const fn is_good_slab(size: usize, granules: usize) -> bool {
    let objects = objects_in(size, granules);
    let bytes = granules * GRANULE_SIZE;
    objects >= MIN_OBJECTS && (bytes - objects * size) * WASTE_SHARE <= bytes
}

/// Whether the divisor tells the starts of all objects in a slab.
const fn is_exact(size: usize, granules: usize) -> bool {
    let divisor = (1_u64 << 32).div_ceil(size as u64);
    let excess = divisor * size as u64 - (1 << 32);
    objects_in(size, granules) as u64 * excess < divisor
}

/// All classes by id.
pub(crate) static INFO: [ClassInfo; ALL_CLASSES + 1] = build();

const fn build() -> [ClassInfo; ALL_CLASSES + 1] {
    let mut info = [ClassInfo::none(); ALL_CLASSES + 1];
    let (mut size, mut id, mut step) = (0, 1, 0);
    while id <= CLASSES {
        size += STEPS[step].1;
        info[id] = ClassInfo::new(size);
        if size == STEPS[step].0 {
            step += 1;
        }
        id += 1;
    }
    assert!(size == MAX_SMALL);
    let mut step = GRANULE_SIZE / SPAN_STEPS;
    size = GRANULE_SIZE;
    while id <= ALL_CLASSES {
        info[id] = ClassInfo::span(size);
        if size == 2 * SPAN_STEPS * step {
            step *= 2;
        }
        size += step;
        id += 1;
    }
    assert!(info[ALL_CLASSES].size as usize == BLOCK_SIZE);
    info
}

/// The sizes that serve all smaller ones as long as those are rare: less than half of such an object is left over.
const COMMON_SIZES: [u32; 11] = [16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1 << 10];

/// For each class the one that serves its sizes as long as they are rare.
const COMMON: [u8; ALL_CLASSES + 1] = {
    let info = build();
    let mut table = [0; ALL_CLASSES + 1];
    let mut id = 1;
    while id <= ALL_CLASSES {
        let (mut common, mut step) = (id, 0);
        while step < COMMON_SIZES.len() && COMMON_SIZES[step] < info[id].size {
            step += 1;
        }
        if step < COMMON_SIZES.len() {
            while info[common].size < COMMON_SIZES[step] {
                common += 1;
            }
        }
        table[id] = common as u8;
        id += 1;
    }
    table
};

/// Whether class `id` serves rare sizes of others, too.
pub(super) const fn is_common(id: usize) -> bool {
    COMMON[id] as usize == id && id <= FINE[FINE_ENTRIES - 1] as usize
}

/// The class that serves the sizes of class `id` as long as they are rare; itself above 1 KiB.
pub(crate) fn common(id: ClassId) -> ClassId {
    ClassId(COMMON.get(id.index()).copied().unwrap_or_default())
}

/// Class by size in 16-byte steps.
pub(crate) const FINE: [u8; FINE_ENTRIES] = lookup(FINE_STEP);
/// Class by size in 128-byte steps; sizes up to [`FINE_LIMIT`] are not looked up here.
static COARSE: [u8; MAX_SMALL / COARSE_STEP + 1] = lookup(COARSE_STEP);

const fn lookup<const N: usize>(step: usize) -> [u8; N] {
    let info = build();
    let mut table = [1; N];
    let (mut entry, mut id) = (0, 1);
    while entry < N {
        while (info[id].size as usize) < entry * step {
            id += 1;
        }
        table[entry] = id as u8;
        entry += 1;
    }
    table
}

/// The class that serves `size`, which is at most [`MAX_SMALL`].
#[inline(always)]
pub(crate) fn class_of(size: usize) -> ClassId {
    debug_assert!(size <= MAX_SMALL);
    if size > FINE_LIMIT {
        return coarse_class_of(size);
    }
    let entry = FINE.get(size.div_ceil(FINE_STEP));
    ClassId(entry.copied().unwrap_or_default())
}

/// The class that serves `size`, which is above [`FINE_LIMIT`]; none above 4 MiB.
#[inline(always)]
pub(crate) fn coarse_class_of(size: usize) -> ClassId {
    match COARSE.get((size.wrapping_sub(1)) / COARSE_STEP + 1) {
        Some(id) => ClassId(*id),
        None => span_class_of(size),
    }
}

/// The class whose spans serve `size`, which is above [`MAX_SMALL`]; none above 4 MiB.
#[inline(always)]
pub(crate) fn span_class_of(size: usize) -> ClassId {
    debug_assert!(size > MAX_SMALL);
    if size > BLOCK_SIZE {
        return ClassId::NONE;
    }
    // As if there were four classes below a granule as well, of which this is the last.
    let last = (size - 1).max(GRANULE_SIZE - GRANULE_SIZE / SPAN_STEPS / 2);
    let doubling = last.ilog2();
    let step = last >> (doubling - SPAN_STEPS.ilog2());
    let doublings = (doubling + 1 - GRANULE_SIZE.ilog2()) as usize;
    ClassId((CLASSES + 2 + doublings * SPAN_STEPS + step % SPAN_STEPS - SPAN_STEPS) as u8)
}

/// As [`span_class_of`], for spans at a multiple of `align`; none above a granule.
pub(crate) fn aligned_span_class_of(size: usize, align: usize) -> ClassId {
    if align > GRANULE_SIZE {
        return ClassId::NONE;
    }
    span_class_of(size)
}

/// Whether the objects of a class are spans.
#[inline(always)]
pub(crate) fn is_span(id: ClassId) -> bool {
    id.index() > CLASSES && id.index() <= ALL_CLASSES
}

/// The smallest class whose objects hold `size` bytes and are multiples of `align`, a power of two.
///
/// Between two powers of two all classes are multiples of one step. A multiple of `align` is a
/// class itself if `align` is no smaller than the step, else the next class is a multiple of both.
#[inline]
pub(crate) fn aligned_class_of(size: usize, align: usize) -> Option<ClassId> {
    let rounded = align_up(size.max(1), align)?;
    (rounded <= MAX_SMALL).then(|| class_of(rounded))
}

/// What there is to know about a class; ids that do not exist have size 0.
#[inline]
pub(crate) fn info(id: ClassId) -> &'static ClassInfo {
    INFO.get(id.index()).unwrap_or(&INFO[0])
}

/// Whether enough of a block of `old_bytes` is used by `bytes` for it not to become shorter: half of it.
#[inline]
pub(crate) const fn is_well_used(bytes: usize, old_bytes: usize) -> bool {
    bytes >= old_bytes / 2
}

/// The size of class number `id`, at compile time.
pub(crate) const fn size_of_class(id: usize) -> u32 {
    INFO_CHECK[id].size
}

/// All classes that are served from slabs, by size.
pub(crate) fn all() -> impl Iterator<Item = ClassId> {
    (1..=CLASSES as u8).map(ClassId)
}

/// All classes, by size.
pub(crate) fn every() -> impl Iterator<Item = ClassId> {
    (1..=ALL_CLASSES as u8).map(ClassId)
}

/// All classes whose objects are spans, by size.
pub(crate) fn spans() -> impl Iterator<Item = ClassId> {
    (CLASSES as u8 + 1..=ALL_CLASSES as u8).map(ClassId)
}

const _: () = {
    let mut id = 1;
    while id <= CLASSES {
        let info = INFO_CHECK[id];
        assert!((info.size as usize).is_multiple_of(MIN_ALIGN));
        assert!(info.objects as usize >= MIN_OBJECTS);
        assert!(info.granules.is_power_of_two());
        id += 1;
    }
};
const INFO_CHECK: [ClassInfo; ALL_CLASSES + 1] = build();

#[cfg(test)]
#[path = "class_tests.rs"]
mod tests;
