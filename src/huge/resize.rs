//! Making a huge block longer or shorter; nothing is copied unless mappings are nearly used up.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::extents::Kind;
use super::node::Number;
use super::state::State;
use super::{Huge, Request, kernel, padded};
use crate::sync::Guard;
use crate::sys::{Mapping, Properties, page_size};
use crate::units::Zeroed;

/// A block that grows, grows by this share of itself at least.
const GROWTH_SHARE: usize = 8;

/// A block that is stored nowhere while its length changes.
struct Block {
    mapping: Mapping,
    kind: Kind,
}

impl Huge {
    /// Whether `block` is known to need no change for `bytes`; takes no lock.
    #[inline]
    pub(crate) fn is_right(&self, block: *const u8, bytes: usize) -> bool {
        let old_bytes = self.recent.bytes(block as usize);
        old_bytes.is_some_and(|old_bytes| is_right(old_bytes, bytes))
    }

    /// Makes `block` `bytes` long or a little longer, possibly elsewhere.
    pub(crate) fn resize(&self, block: NonNull<u8>, bytes: usize) -> Option<NonNull<u8>> {
        let (old, mut state) = (block, self.open());
        let place = state.extents.block_at(old.as_ptr() as usize)?;
        let length = state.extents.bytes(place);
        let old_bytes = length - page_size();
        if is_right(old_bytes, bytes) {
            self.enter(&state, old, place);
            return Some(block);
        }
        if !self.recent.forget(old.as_ptr() as usize) {
            return None;
        }
        let wanted = padded(bytes)?;
        if !state.extents.make_room() || bytes > old_bytes && !state.afford(bytes - old_bytes) {
            return None;
        }
        if wanted < length {
            return self.shorten(state, place, wanted);
        }
        // Growth is ahead of need: what is not touched costs only address space.
        let ahead = padded(grown(old_bytes)).unwrap_or(wanted).max(wanted);
        let is_full = state.is_full();
        let (block, added) = state.take_with_next(place, ahead)?;
        let block = match block.mapping.bytes() >= wanted {
            true => block,
            false => {
                drop(state);
                let grown = self.grow(block, length, added, [ahead, wanted], is_full);
                state = self.state.lock();
                grown
            }
        };
        let done = block.mapping.bytes() >= wanted;
        let start = self.restore(state, block)?;
        if start != old {
            self.state.lock().note_freed(old.as_ptr() as usize);
        }
        done.then_some(start)
    }

    fn shorten(
        &self,
        mut state: Guard<'_, State>,
        place: Number,
        wanted: usize,
    ) -> Option<NonNull<u8>> {
        let mut kind = state.extents.kind(place);
        let mapping = state.extents.borrow(place)?;
        drop(state);
        // The new marker was the program's.
        if self.is_asked(kind) && mapping.properties() == Properties::Mixed {
            kind = Kind::Changed;
        }
        let (mapping, tail) = mapping.split(wanted);
        let start = self.restore(self.state.lock(), Block { mapping, kind });
        match kind {
            Kind::Changed => self.give_back_changed(tail),
            _ => self.give_back_mapping(tail),
        }
        start
    }

    /// Has the kernel make a block longer, by the first of two lengths that it can; `added` bytes of it came from after
    /// and go back if that helps.
    fn grow(
        &self,
        block: Block,
        old_length: usize,
        added: usize,
        lengths: [usize; 2],
        is_full: bool,
    ) -> Block {
        let Block { mapping, kind } = block;
        let address = mapping.address();
        let resize = |mapping: Mapping, length| match is_full {
            true => kernel::stretch(mapping, length),
            false => kernel::resize(mapping, length),
        };
        let [ahead, wanted] = lengths;
        let resized = resize(mapping, ahead)
            .or_else(|mapping| resize(mapping, wanted))
            .or_else(|mapping| {
                if added == 0 {
                    return Err(mapping);
                }
                // The kernel moves no mapping that is several to it; without its neighbour it may be one.
                let (mapping, rest) = mapping.split(old_length);
                self.give_back_mapping(rest);
                resize(mapping, wanted)
            })
            .or_else(|mapping| match is_full {
                true => self.copy(mapping, wanted),
                false => Err(mapping),
            });
        let mut mapping = resized.unwrap_or_else(|mapping| mapping);
        if mapping.address() != address && !is_full {
            mapping.set_group(self.state.lock().own_group());
        }
        Block { mapping, kind }
    }

    /// Copies a block to where it can have this length: one that moves is a mapping apart for ever. Pages of zeroes stay
    /// without memory.
    fn copy(&self, mapping: Mapping, length: usize) -> Result<Mapping, Mapping> {
        let prepared = self.state.lock().prepared;
        let fresh = prepared.and_then(|huge_pages| {
            let request = Request {
                bytes: length - page_size(),
                align: 1,
                zeroed: Zeroed::Yes,
                policy: None,
                mark: mapping.mark(),
                huge_pages,
            };
            self.fresh(request, length)
        });
        let Some(fresh) = fresh else {
            return Err(mapping);
        };
        mapping.copy_to(&fresh);
        // What the program did to it is not asked; nothing of it is kept.
        self.give_back_changed(mapping);
        Ok(fresh)
    }

    /// Stores a block again.
    fn restore(&self, mut state: Guard<'_, State>, block: Block) -> Option<NonNull<u8>> {
        let start = block.mapping.start();
        let stored = state.extents.put_back(block.mapping, block.kind);
        self.publish(&state);
        stored.is_ok().then_some(start)
    }
}

impl State {
    /// Takes a block out, with as much of what is free after it as it needs for `length`; and how many bytes that are.
    fn take_with_next(&mut self, place: Number, length: usize) -> Option<(Block, usize)> {
        let kind = self.extents.kind(place);
        let next = [Kind::Kept, Kind::Vacant]
            .into_iter()
            .find_map(|kind| Some((self.extents.after(place, kind)?, kind)));
        let mapping = self.extents.borrow(place)?;
        let missing = length.saturating_sub(mapping.bytes());
        let Some((next, next_kind)) = next.filter(|_| missing > 0) else {
            return Some((Block { mapping, kind }, 0));
        };
        let (part, rest) = self.extents.remove(next)?.split_at_most(missing);
        self.put(rest, next_kind);
        self.note_kept();
        let added = part.bytes();
        match mapping.join(part) {
            Ok(mapping) => Some((Block { mapping, kind }, added)),
            Err((mapping, part)) => {
                self.put(part, next_kind);
                Some((Block { mapping, kind }, 0))
            }
        }
    }
}

/// The most bytes that a block of `bytes` has after it was to become longer by less.
pub(crate) fn longest_growth(bytes: usize) -> usize {
    padded(grown(bytes)).unwrap_or(bytes)
}

/// Whether a block stays as it is for `bytes`.
fn is_right(old_bytes: usize, bytes: usize) -> bool {
    (bytes..=grown(bytes)).contains(&old_bytes)
}

/// The length that a block grows to at least: a program that appends does it often.
fn grown(bytes: usize) -> usize {
    bytes.saturating_add(bytes / GROWTH_SHARE)
}
