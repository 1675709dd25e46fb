//! What a wrong free is called, by where its address lies.
#![forbid(unsafe_code)]

use super::{Heap, Home};
use crate::arena::NotASpan;
use crate::huge::NotHuge;
use crate::report::{Context, Violation, report_violation};
use crate::units::PAGE_SIZE;

impl Heap {
    /// Reports the violation with an address that is not the start of a block.
    #[cold]
    pub(crate) fn misplaced(&self, address: usize) {
        let (violation, context) = match self.locate(address) {
            Home::Slab { .. } | Home::Sampled { .. } | Home::Named { .. } => {
                (Violation::InteriorPointer, self.context(address))
            }
            Home::Page {
                node,
                page,
                is_start,
            } => match node.arena().large_pages(page) {
                Ok(pages) => {
                    let bytes = pages as usize * PAGE_SIZE;
                    (Violation::InteriorPointer, Context::Block { bytes })
                }
                Err(NotASpan::Inside) => (Violation::InteriorPointer, Context::Nowhere),
                Err(why @ NotASpan::Free) if is_start => (violation_of(why), Context::FreePages),
                Err(NotASpan::Free) => (Violation::InvalidFree, Context::FreePages),
                Err(NotASpan::Beyond) => (Violation::InvalidFree, Context::Nowhere),
            },
            Home::Outside => {
                let why = self.huge.bytes_at(address).err();
                (
                    why.map_or(Violation::InvalidFree, violation_of_huge),
                    Context::Nowhere,
                )
            }
        };
        report_violation(violation, address, context);
    }
}

/// The violation of freeing what is no span.
pub(super) fn violation_of(why: NotASpan) -> Violation {
    match why {
        // Free pages that were part of a block once; a page beyond the committed end never was.
        NotASpan::Free => Violation::DoubleFree,
        NotASpan::Inside => Violation::InteriorPointer,
        NotASpan::Beyond => Violation::InvalidFree,
    }
}

/// The violation of freeing what is no huge block.
pub(super) fn violation_of_huge(why: NotHuge) -> Violation {
    match why {
        NotHuge::Inside => Violation::InteriorPointer,
        NotHuge::Freed => Violation::DoubleFree,
        NotHuge::Unknown => Violation::InvalidFree,
    }
}
