//! What there is of huge blocks, in use and free.
#![forbid(unsafe_code)]

mod cut;

use super::demand::Demand;
use super::extents::{Extents, Kind};
use super::node::Number;
use super::{NotHuge, kernel};
use crate::decay::LowWatermark;
use crate::limit;
use crate::sys::{self, HugePages, Mapping, page_size};
pub(super) use cut::{PIECE, last_piece};

/// Above the limit on what is kept, at most this many times what is in use.
const KEPT_FOR_USED: usize = 4;
/// A longer mapping serves a request whole if no more than this share of the request is left over;
/// else the rest stays free.
const REST_SHARE: usize = 8;
/// A shorter mapping serves, and grows, if it is at least this share of the request.
const GROWTH_SHARE: usize = 4;
/// A call that frees a block gives at most this many times its length back. More than one and the above at once is more
/// than keeping pace needs.
const MOST_FOR_OWN: usize = 6;
/// Mappings that may be made before vacant ones are kept for want of them, where a process may have the usual 65,530:
/// under half of that.
const BUDGET: usize = 30_000;
/// Mappings from which on they are counted well.
const MANY: usize = 512;

#[derive(Debug)]
pub(super) struct State {
    pub(super) extents: Extents,
    limit_bytes: usize,
    /// Bytes of what is kept that other threads are giving back.
    pub(super) leaving_bytes: usize,
    demand: Demand,
    /// The low watermark of bytes kept.
    pub(super) low: LowWatermark,
    /// Bytes of what is kept that the purge has still to give back.
    pub(super) excess: usize,
    /// What is mapped is charged to, where there is a limit.
    pub(super) charges: Option<&'static limit::Budget>,
    /// Addresses that were freed last, in a ring, to tell a second free from a wild one.
    freed: [usize; FREED],
    /// How many were freed.
    freed_count: usize,
    /// The group of fresh mappings, and the last one that was made.
    fresh_group: u32,
    last_group: u32,
    /// Mappings that may be made before free ones stay.
    budget: usize,
    /// The process that these mappings were last counted in.
    process: usize,
    /// Bytes that the kernel did not take back and that cannot serve again.
    pub(super) lost_bytes: usize,
    /// How the last mapping was prepared; `None` where it had a policy.
    pub(super) prepared: Option<HugePages>,
}

/// Freed addresses that are remembered.
const FREED: usize = 16;

impl State {
    /// No blocks, and no limit; of freed ones at most `reuse_bytes` are kept, 0 for none.
    pub(super) const fn new(reuse_bytes: usize) -> Self {
        Self {
            extents: Extents::new(),
            limit_bytes: reuse_bytes,
            leaving_bytes: 0,
            demand: Demand::none(),
            low: LowWatermark::none(),
            excess: 0,
            charges: None,
            freed: [0; FREED],
            freed_count: 0,
            fresh_group: 0,
            last_group: 0,
            budget: BUDGET,
            process: 0,
            lost_bytes: 0,
            prepared: None,
        }
    }

    /// Whether there are enough mappings that they should be counted well.
    pub(super) fn has_many(&self) -> bool {
        self.extents.runs() >= MANY
    }

    /// Records the process that the caller is in; returns whether it is a new one. To the kernel fresh mappings of a forked
    /// child are not one with those that it has from its parent, and nobody there goes on with what the parent's threads
    /// were at.
    pub(super) fn enter(&mut self, process: usize) -> bool {
        let is_new = self.process != process;
        if is_new {
            self.fresh_group = self.own_group();
            self.leaving_bytes = 0;
            self.process = process;
        }
        is_new
    }

    /// Has no more than about this many mappings.
    pub(super) fn set_budget(&mut self, mappings: usize) {
        self.budget = mappings.min(BUDGET);
    }

    /// Bytes of what is kept that are too much if fresh memory of `bytes` is not to make the process larger
    /// than it was recently, or than the limit allows.
    pub(super) fn make_way(&mut self, bytes: usize) -> usize {
        let used = self.extents.used_bytes();
        let needed = self.demand.observe(used, sys::milliseconds());
        self.promise(self.excess(needed.saturating_sub(used.saturating_add(bytes))))
    }

    /// Keeps a freed mapping. Returns how many bytes are too much.
    pub(super) fn keep(&mut self, mapping: Mapping) -> usize {
        let bytes = mapping.bytes();
        self.put(mapping, Kind::Kept);
        self.judge(bytes)
    }

    /// Keeps a block where it is. Returns how many bytes are too much.
    pub(super) fn keep_block(&mut self, place: Number) -> usize {
        let bytes = self.extents.bytes(place);
        if let Err(mapping) = self.extents.keep(place) {
            kernel::unmap(mapping);
        }
        self.judge(bytes)
    }

    /// How many bytes are too much now that `bytes` more are kept. As far as the program has needed that much recently, they
    /// are not: what is kept and what is in use together are then no more than it had before. Beside little in use little is
    /// kept, since a program that has freed everything may never come back.
    fn judge(&mut self, bytes: usize) -> usize {
        let used = self.extents.used_bytes();
        let needed = self.demand.observe(used + bytes, sys::milliseconds());
        let wanted = (needed - used).min(used.saturating_mul(KEPT_FOR_USED));
        let most = bytes.saturating_mul(MOST_FOR_OWN);
        self.promise(self.excess(wanted).min(most))
    }

    /// Records that the caller gives so much of what is kept back.
    pub(super) fn promise(&mut self, bytes: usize) -> usize {
        self.leaving_bytes += bytes;
        bytes
    }

    fn excess(&self, wanted: usize) -> usize {
        let limit = match self.limit_bytes {
            0 => 0,
            least => least.max(wanted),
        };
        let leaving = self.leaving_bytes;
        self.extents
            .kept_bytes()
            .saturating_sub(limit.saturating_add(leaving))
    }

    /// Stores a free mapping; without memory for that it goes back at once.
    pub(super) fn put(&mut self, mapping: Mapping, kind: Kind) {
        if mapping.bytes() == 0 {
            return;
        }
        if let Err(mapping) = self.extents.insert(mapping, kind) {
            kernel::unmap(mapping);
        }
    }

    /// A vacant extent as a mapping of `length` at a multiple of `align` with this mark.
    pub(super) fn take_vacant(&mut self, length: usize, align: usize, mark: u8) -> Option<Mapping> {
        let found = self.extents.fitting(Kind::Vacant, length, align, mark)?;
        self.cut(Kind::Vacant, found, length)
    }

    /// Whether a kept extent serves a request of `length` as it is.
    pub(super) fn is_as_wanted(&self, (place, lead): (Number, usize), length: usize) -> bool {
        lead == 0 && is_little(self.extents.bytes(place) - length, length)
    }

    /// The `length` bytes from an offset on of a free extent; the rest stays free, but for a little of what is kept.
    pub(super) fn cut(
        &mut self,
        kind: Kind,
        (place, lead): (Number, usize),
        length: usize,
    ) -> Option<Mapping> {
        let (lead, mapping) = self.extents.remove(place)?.split(lead);
        self.put(lead, kind);
        if kind == Kind::Kept && is_little(mapping.bytes() - length, length) {
            return Some(mapping);
        }
        let (mapping, rest) = mapping.split(length);
        self.put(rest, kind);
        Some(mapping)
    }

    /// The longest kept extent that is too short for `length`, but may grow; where mappings are many, none, since
    /// one that moves is no longer one with its neighbours.
    pub(super) fn short_kept(&self, length: usize, align: usize, mark: u8) -> Option<Number> {
        if align > page_size() || self.has_many_mappings() {
            return None;
        }
        let place = self.extents.longest_kept(mark)?;
        (self.extents.bytes(place) >= length / GROWTH_SHARE).then_some(place)
    }

    /// Whether mappings are many enough that care is needed.
    pub(super) fn has_many_mappings(&self) -> bool {
        self.extents.runs() >= self.budget / 2
    }

    /// Whether there are nearly as many mappings as there may be.
    pub(super) fn is_full(&self) -> bool {
        self.extents.runs() >= self.budget - self.budget / 8
    }

    /// Charges `bytes`; `false` if the limit leaves less.
    pub(super) fn afford(&mut self, bytes: usize) -> bool {
        self.charges.is_none_or(|budget| budget.charge(bytes))
    }

    /// Puts back what was charged for a mapping that the kernel refused.
    pub(super) fn refund(&self, bytes: usize) {
        if let Some(budget) = self.charges {
            budget.refund(bytes);
        }
    }

    pub(super) fn note_kept(&mut self) {
        let kept = self.extents.kept_bytes();
        self.low.lower(kept);
    }

    /// The group of mappings that the kernel makes one with what is beside them.
    pub(super) fn fresh_group(&self) -> u32 {
        self.fresh_group
    }

    /// A group for a mapping that was moved.
    pub(super) fn own_group(&mut self) -> u32 {
        self.last_group += 1;
        self.last_group
    }

    /// Remembers that the block at `address` is gone.
    pub(super) fn note_freed(&mut self, address: usize) {
        if let Some(oldest) = self.freed.get_mut(self.freed_count % FREED) {
            *oldest = address;
        }
        self.freed_count = self.freed_count.wrapping_add(1);
    }

    /// Why there is no block at `address`.
    pub(super) fn misses(&self, address: usize) -> NotHuge {
        if self.extents.is_inside(address) {
            NotHuge::Inside
        } else if self.freed.contains(&address) {
            NotHuge::Freed
        } else {
            NotHuge::Unknown
        }
    }
}

/// Whether the rest of what serves a request is not worth cutting off.
fn is_little(rest: usize, length: usize) -> bool {
    rest <= length / REST_SHARE
}
