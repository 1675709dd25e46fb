//! What a wrong free is called, by where its address lies.
#![forbid(unsafe_code)]

use super::{Heap, Home};
use crate::arena::NotASpan;
use crate::huge::NotHuge;
use crate::report::{Crime, Scene, accuse};
use crate::units::PAGE_SIZE;

impl Heap {
    /// Names the crime with an address that is not the start of a block.
    #[cold]
    pub(crate) fn misplaced(&self, address: usize) {
        let (crime, scene) = match self.locate(address) {
            Home::Slab { .. } | Home::Named { .. } => (Crime::InteriorPointer, self.scene(address)),
            Home::Page {
                node,
                page,
                is_start,
            } => match node.arena().large_pages(page) {
                Ok(pages) => {
                    let bytes = pages as usize * PAGE_SIZE;
                    (Crime::InteriorPointer, Scene::Block { bytes })
                }
                Err(NotASpan::Inside) => (Crime::InteriorPointer, Scene::Nowhere),
                Err(why @ NotASpan::Free) if is_start => (crime_of(why), Scene::FreePages),
                Err(NotASpan::Free) => (Crime::InvalidFree, Scene::FreePages),
                Err(NotASpan::Beyond) => (Crime::InvalidFree, Scene::Nowhere),
            },
            Home::Outside => {
                let why = self.huge.bytes_at(address).err();
                (
                    why.map_or(Crime::InvalidFree, crime_of_huge),
                    Scene::Nowhere,
                )
            }
        };
        accuse(crime, address, scene);
    }
}

/// The crime of freeing what is no span.
pub(super) fn crime_of(why: NotASpan) -> Crime {
    match why {
        // Free pages that were part of a block once; a page beyond the frontier never was.
        NotASpan::Free => Crime::DoubleFree,
        NotASpan::Inside => Crime::InteriorPointer,
        NotASpan::Beyond => Crime::InvalidFree,
    }
}

/// The crime of freeing what is no huge block.
pub(super) fn crime_of_huge(why: NotHuge) -> Crime {
    match why {
        NotHuge::Inside => Crime::InteriorPointer,
        NotHuge::Freed => Crime::DoubleFree,
        NotHuge::Unknown => Crime::InvalidFree,
    }
}
