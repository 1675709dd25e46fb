//! The numbers of named caches.
#![forbid(unsafe_code)]

use super::{ClassStats, LINE, View};
use crate::kmem::CacheCounts;
use crate::report::Line;

impl View<'_> {
    /// Bytes of the slabs of named caches, of the program's objects in them, and of those that are cached, with their number.
    #[inline(never)]
    pub(super) fn named_sums(&self) -> NamedSums {
        let mut sums = NamedSums::default();
        self.each_named(|counts| {
            let class = class_of(counts);
            sums.held += class.held;
            sums.in_use += class.in_use * class.size;
            sums.cached += class.cached * class.size;
            sums.cached_objects += class.cached;
        });
        sums.own = self.kmem.map_or(0, |kmem| kmem.store_bytes());
        sums
    }

    /// A line for each named cache that has slabs.
    #[inline(never)]
    pub(super) fn print_named(&self, line: &mut impl FnMut(&dyn Fn(&mut Line<LINE>))) {
        self.each_named(|counts| {
            line(&|it| {
                for byte in counts.title.iter().take_while(|byte| **byte != 0) {
                    // Columns end at blanks.
                    let is_plain = byte.is_ascii_graphic();
                    it.raw(&[if is_plain { *byte } else { b'_' }]);
                }
                it.text(" ");
                super::columns(it, &class_of(counts));
            });
        });
    }

    /// The name of each named cache, filled up with zeroes, and what it has.
    pub(crate) fn named(&self, mut look: impl FnMut(&[u8], ClassStats)) {
        if let Some(kmem) = self.kmem {
            let all = kmem.counts(self.caches);
            all.for_each(|counts| look(&counts.title, class_of(&counts)));
        }
    }

    fn each_named(&self, mut look: impl FnMut(&CacheCounts)) {
        if let Some(kmem) = self.kmem {
            let all = kmem.counts(self.caches);
            all.filter(|counts| counts.slabs > 0)
                .for_each(|counts| look(&counts));
        }
    }
}

/// What named caches hold, in bytes unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NamedSums {
    /// Their slabs.
    pub(super) held: usize,
    /// The program's objects.
    pub(super) in_use: usize,
    /// Objects that wait in sheaves.
    pub(super) cached: usize,
    /// How many those are.
    pub(super) cached_objects: usize,
    /// Slabs for sheaves and bins.
    pub(super) own: usize,
}

fn class_of(counts: &CacheCounts) -> ClassStats {
    ClassStats {
        size: counts.size,
        in_use: counts.in_use,
        cached: counts.cached,
        slabs: counts.slabs,
        total: counts.slabs * counts.slab_objects,
        held: counts.slabs * counts.slab_bytes,
    }
}
