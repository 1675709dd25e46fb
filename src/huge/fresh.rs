//! Fresh mappings: one for a block, or, where mappings are nearly used up, one for several.
#![forbid(unsafe_code)]

use super::extents::Kind;
use super::{Huge, Request, kernel};
use crate::sys::{self, Mapping, page_size};

/// Where mappings are many, so much address space is mapped at once for several blocks.
const SPACIOUS: usize = 256 << 20;
/// As many blocks it is for, if they are short.
const BLOCKS_AT_ONCE: usize = 16;

impl Huge {
    /// Memory that holds zeroes and is stored nowhere, of this length or longer.
    pub(super) fn fresh(&self, request: Request, length: usize) -> Option<Mapping> {
        let has_many = self.state.lock().has_many();
        if has_many && self.count_well() {
            self.map_spaciously(request, length);
            let (align, mark) = (request.align, request.mark);
            let mut state = self.state.lock();
            if let Some(mapping) = state.take_vacant(length, align, mark) {
                return Some(mapping);
            }
        }
        let mut mapping = self.map(request, length, request.align)?;
        mapping.set_group(self.state.lock().fresh_group());
        Some(mapping)
    }

    fn map(&self, request: Request, length: usize, align: usize) -> Option<Mapping> {
        let mut mapping = kernel::map(length, align)?;
        mapping.set_mark(request.mark);
        mapping.want_huge_pages(request.huge_pages);
        if let Some(policy) = request.policy {
            let _ = mapping.place(policy);
        }
        Some(mapping)
    }

    /// Looks at what the count of mappings depends on; returns whether they are many enough that care is needed.
    #[cold]
    fn count_well(&self) -> bool {
        let process = sys::process_id();
        let is_new = self.state.lock().enter(process);
        let most = if is_new { sys::most_mappings() } else { None };
        let mut state = self.state.lock();
        if let Some(most) = most {
            state.set_budget(most / 2 - most / 24);
        }
        state.has_many_mappings()
    }

    /// Maps address space for several blocks, with what an alignment needs, where each mapping counts: the program may
    /// put one of its own after each of ours.
    fn map_spaciously(&self, request: Request, length: usize) {
        let slack = if request.align > page_size() {
            request.align
        } else {
            0
        };
        let Some(least) = length.checked_add(slack) else {
            return;
        };
        let several = least.saturating_mul(BLOCKS_AT_ONCE).min(SPACIOUS);
        let mapping = [several, least]
            .into_iter()
            .filter(|bytes| *bytes >= least)
            .find_map(|bytes| self.map(request, bytes, 1));
        if let Some(mut mapping) = mapping {
            let mut state = self.state.lock();
            mapping.set_group(state.fresh_group());
            if state.extents.make_room() {
                state.put(mapping, Kind::Vacant);
            } else {
                drop(state);
                kernel::unmap(mapping);
            }
        }
    }
}
