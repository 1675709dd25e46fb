//! Free mappings on their way back to the kernel, a piece at a time and with no lock held.
//!
//! # Invariant
//!
//! What is on its way is in no list, so nobody else can take it; the child of a fork loses one piece at most.
#![forbid(unsafe_code)]

use super::extents::Kind;
use super::state::{PIECE, State, last_piece};
use super::{Huge, kernel};
use crate::decay::{Budget, Elapsed};
use crate::sync::Guard;
use crate::sys::{Mapping, Properties, usdt};
use crate::units::PAGE_SIZE;

/// Vacant mappings that go back after others did.
const SWEPT: usize = 2;
/// Minimum bytes given back per step, so that decay terminates.
const LEAST_DECAY: usize = 4 << 20;

impl Huge {
    /// Gives everything that is kept for reuse back to the kernel and returns how many bytes.
    pub(crate) fn trim(&self) -> usize {
        let kept = {
            let mut state = self.open();
            let kept = state.extents.kept_bytes();
            state.promise(kept)
        };
        let done = self.give_back(kept);
        self.sweep(usize::MAX);
        done
    }

    /// Decides how many bytes go in this round: what was not needed for some time, but for `kept` bytes.
    pub(crate) fn begin_decay(&self, elapsed: Elapsed, kept: usize) {
        let mut state = self.open();
        let level = state.extents.kept_bytes();
        let excess = state.low.excess(level, elapsed, LEAST_DECAY);
        state.excess = excess.max(state.excess).min(level.saturating_sub(kept));
    }

    /// Gives back what the round decided on, but for `kept` bytes, until the budget is spent. Returns the number of bytes,
    /// and whether that was all.
    pub(crate) fn decay(&self, kept: usize, budget: &mut Budget) -> (usize, bool) {
        let mut done = 0;
        while !budget.is_spent() {
            let most = budget.pages().saturating_mul(PAGE_SIZE);
            let mut state = self.state.lock();
            let Some(piece) = state.cut_excess(kept, most) else {
                drop(state);
                self.sweep(SWEPT);
                return (done, true);
            };
            budget.release(piece.bytes() / PAGE_SIZE);
            done += piece.bytes();
            self.release_cut(state, piece);
        }
        (done, false)
    }

    /// Gives `bytes` of what is kept back, as promised, the oldest first; returns how many bytes.
    pub(super) fn give_back(&self, bytes: usize) -> usize {
        let mut done = 0;
        let mut promised = bytes;
        while done < bytes {
            let mut state = self.state.lock();
            // Others must not take over what this thread is at.
            let left = bytes - done;
            state.leaving_bytes = state.leaving_bytes.saturating_sub(promised) + left;
            promised = left;
            let Some(piece) = state.cut_oldest(left) else {
                break;
            };
            done += piece.bytes();
            self.release_cut(state, piece);
        }
        if promised > 0 {
            let mut state = self.state.lock();
            state.leaving_bytes = state.leaving_bytes.saturating_sub(promised);
        }
        if done > 0 {
            self.sweep(SWEPT);
        }
        done
    }

    /// Gives mappings back that are vacant for want of a mapping, of which there are enough by now.
    pub(super) fn sweep(&self, most: usize) {
        for _ in 0..most {
            let Some(piece) = self.state.lock().cut_vacant() else {
                return;
            };
            // It would come back for ever.
            if !self.release(piece, false) {
                return;
            }
        }
    }

    /// Gives a piece back that was cut off what is kept.
    #[inline(never)]
    fn release_cut(&self, mut state: Guard<'_, State>, piece: Mapping) {
        let (stays, bytes) = (state.must_stay(&piece), piece.bytes());
        let piece = if stays { piece } else { state.widened(piece) };
        self.publish(&state);
        drop(state);
        self.release(piece, stays);
        usdt::purge(bytes);
    }

    /// Gives the memory of a mapping of at most a piece back, and its addresses unless it `stays`; whether
    /// those went.
    fn release(&self, piece: Mapping, stays: bool) -> bool {
        // Taking memory away needs the kernel's lock for less time, or not at all.
        let mut is_vacant = piece.vacate();
        let mut can_serve = true;
        let piece = match stays {
            true => piece,
            false => match kernel::try_unmap(piece) {
                Ok(()) => return true,
                Err(piece) => {
                    is_vacant = piece.vacate();
                    // It may be sealed, or the kernel takes nothing at all.
                    can_serve = is_vacant && piece.properties() == Properties::Uniform;
                    piece
                }
            },
        };
        let mut state = self.state.lock();
        if !can_serve {
            state.lost_bytes += piece.bytes();
            return false;
        }
        // What is locked into memory stays there.
        let kind = if is_vacant { Kind::Vacant } else { Kind::Kept };
        state.put(piece, kind);
        self.publish(&state);
        false
    }

    /// Gives a mapping back that is stored nowhere and has the properties of a fresh one.
    pub(super) fn give_back_mapping(&self, rest: Mapping) {
        let stays = self.state.lock().must_stay(&rest);
        in_pieces(rest, |piece| _ = self.release(piece, stays));
    }

    /// Gives a mapping back that is stored nowhere and to which the program gave other properties. They would stay with
    /// its addresses, so nothing of it serves again.
    pub(super) fn give_back_changed(&self, rest: Mapping) {
        let stays = self.state.lock().must_stay(&rest);
        in_pieces(rest, |piece| {
            let _ = piece.vacate();
            self.replace(piece, stays);
        });
    }

    /// Unmaps a piece, or puts a fresh one in its place; where the kernel does neither, as with sealed ones, it is
    /// lost.
    fn replace(&self, piece: Mapping, stays: bool) {
        let bytes = piece.bytes();
        let piece = match stays {
            true => piece,
            false => match kernel::try_unmap(piece) {
                Ok(()) => return,
                Err(piece) => piece,
            },
        };
        let prepared = self.state.lock().prepared;
        let renewed = match prepared {
            Some(huge_pages) => piece.renew(huge_pages),
            None => Err(piece),
        };
        let lost = match renewed {
            Ok(mut fresh) => {
                let mut state = self.state.lock();
                fresh.set_group(state.fresh_group());
                return state.put(fresh, Kind::Vacant);
            }
            Err(piece) => match kernel::try_unmap(piece) {
                Ok(()) => false,
                Err(piece) => {
                    let _ = piece.vacate();
                    true
                }
            },
        };
        if lost {
            self.state.lock().lost_bytes += bytes;
        }
    }
}

/// Calls `give` with a mapping in pieces, the last first.
fn in_pieces(mut rest: Mapping, mut give: impl FnMut(Mapping)) {
    while rest.bytes() > 0 {
        let piece = last_piece(rest.address() + rest.bytes(), PIECE).min(rest.bytes());
        let kept = rest.bytes() - piece;
        let (left, piece) = rest.split(kept);
        rest = left;
        give(piece);
    }
}
