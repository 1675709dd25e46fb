//! Where a huge block comes from: what is parked, kept or vacant, else the kernel.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::extents::Kind;
use super::node::Number;
use super::state::State;
use super::{Huge, Request, Taken, kernel, padded};
use crate::sync::Guard;
use crate::sys::{Mapping, page_size};
use crate::units::Zeroed;

/// The longest block that must hold zeroes for which used memory is cleared. That takes a fifth of the time of as many page
/// faults; but of a longer one a program often touches little.
pub(super) const MOST_CLEARED: usize = 32 << 20;

impl Huge {
    /// A block. One that must hold zeroes may have to be cleared first.
    pub(crate) fn take(&self, request: Request) -> Option<Taken> {
        if let Some(taken) = self.take_parked(request) {
            return Some(taken);
        }
        let length = padded(request.bytes)?;
        let (align, mark) = (request.align, request.mark);
        let mut state = self.open();
        if !state.extents.make_room() {
            return None;
        }
        state.prepared = request.policy.is_none().then_some(request.huge_pages);
        if request.zeroed == Zeroed::No || request.bytes <= MOST_CLEARED {
            let dirty_bytes = |bytes: usize| {
                move |start| Taken {
                    start,
                    dirty_bytes: bytes,
                }
            };
            let usable = length - page_size();
            if let Some(found) = state.extents.fitting(Kind::Kept, length, align, mark) {
                return self
                    .take_kept(state, found, length)
                    .map(dirty_bytes(usable));
            }
            if let Some(place) = state.short_kept(length, align, mark) {
                let missing = length - state.extents.bytes(place).min(length);
                if !state.afford(missing) {
                    return None;
                }
                let short = state.extents.remove(place)?;
                state.note_kept();
                drop(state);
                let bytes = short.bytes().min(usable);
                return self.lengthen(short, length).map(dirty_bytes(bytes));
            }
        }
        if !state.afford(request.bytes) {
            return None;
        }
        let fresh = |start| Taken {
            start,
            dirty_bytes: 0,
        };
        let excess = state.make_way(request.bytes);
        if let Some(mapping) = state.take_vacant(length, align, mark) {
            return self.store(state, mapping).map(fresh);
        }
        drop(state);
        self.give_back(excess);
        let Some(mapping) = self.fresh(request, length) else {
            self.state.lock().refund(request.bytes);
            return None;
        };
        self.store(self.state.lock(), mapping).map(fresh)
    }

    /// A block of what was kept and is long enough from an offset on.
    fn take_kept(
        &self,
        mut state: Guard<'_, State>,
        found: (Number, usize),
        length: usize,
    ) -> Option<NonNull<u8>> {
        if state.is_as_wanted(found, length) {
            let start = state.extents.employ(found.0);
            state.note_kept();
            if let Some(start) = start {
                self.enter(&state, start, found.0);
            }
            self.publish(&state);
            return start;
        }
        let mapping = state.cut(Kind::Kept, found, length)?;
        state.note_kept();
        self.store(state, mapping)
    }

    /// A block of what was kept and is too short.
    fn lengthen(&self, short: Mapping, length: usize) -> Option<NonNull<u8>> {
        let address = short.address();
        match kernel::resize(short, length) {
            Ok(mut mapping) => {
                let mut state = self.state.lock();
                if mapping.address() != address {
                    mapping.set_group(state.own_group());
                }
                self.store(state, mapping)
            }
            Err(mapping) => {
                // It would fail again.
                self.give_back_mapping(mapping);
                None
            }
        }
    }

    /// Stores a mapping as a block.
    fn store(&self, mut state: Guard<'_, State>, mapping: Mapping) -> Option<NonNull<u8>> {
        let start = mapping.start();
        let has_room = state.extents.make_room();
        let stored = match has_room {
            true => state.extents.insert(mapping, Kind::Used),
            false => Err(mapping),
        };
        self.publish(&state);
        drop(state);
        match stored {
            Ok(()) => Some(start),
            Err(mapping) => {
                kernel::unmap(mapping);
                None
            }
        }
    }
}
