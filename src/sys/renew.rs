//! Fresh memory in the place of what the program gave other properties.

use super::{Region, memory};

impl Region {
    /// Replaces what is between `start` and `end` by fresh memory; `false` leaves it as it was.
    pub(crate) fn renew(&self, start: usize, end: usize) -> bool {
        let bytes = end - start;
        // With all that the arena's own pages have, so that they are one mapping.
        let Some(fresh) = memory::map_unreserved(bytes) else {
            return false;
        };
        memory::name(fresh, bytes, cstr::cstr!("slubmalloc"));
        // SAFETY: both ranges are ours, and nobody uses what is replaced.
        let done = unsafe { memory::remap_to(fresh, bytes, bytes, self.at(start)) };
        match done {
            true => self.note_reservation(start, end),
            // SAFETY: mapped above.
            false if !unsafe { memory::unmap(fresh, bytes) } => {
                // SAFETY: as above.
                let _ = unsafe { memory::release_to_system(fresh, bytes) };
            }
            false => {}
        }
        done
    }
}
