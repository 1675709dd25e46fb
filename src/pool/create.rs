//! Pools that come, and the structures of those that are gone.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::handle::PoolHandle;
use super::hold::Stays;
use super::structure::{CLOSED, LIVE, Pool};
use super::{Life, Pools};
use crate::heap::Node;
use crate::sync::Guard;
use crate::sys::page_size;

/// Structures that keep their page for the next pool.
const WARM: u32 = 32;
/// Structures that get memory at once, at least.
const STEP: usize = 16;

impl Pools {
    /// A pool whose slabs are `node`'s, with a limit in bytes. An error where the parent has gone, and [`Stays::Busy`] where there is no memory or there
    /// are as many pools as there can be.
    pub(crate) fn create(
        &'static self,
        name: &[u8],
        node: &'static Node,
        limit: usize,
        parent: Option<(&'static Pool, PoolHandle)>,
        flags: u32,
    ) -> Result<&'static Pool, Stays> {
        let mut life = self.life.lock();
        // A structure is another pool's only after it was without one, under this lock.
        if parent.is_some_and(|(parent, handle)| parent.handle() != handle) {
            return Err(Stays::Gone);
        }
        let parent = parent.map(|(parent, _)| parent);
        let place = self.wake(&mut life, node);
        let place = place.or_else(|| self.structure(&mut life));
        let place = place.ok_or(Stays::Busy)?;
        let pool = self.table.get(place as usize);
        if let Some(parent) = parent {
            parent
                .children
                .store(parent.children.load(Relaxed) + 1, Relaxed);
        }
        pool.place.store(place, Relaxed);
        pool.node.set(Some(node));
        pool.note_slabs();
        pool.parent.set(parent);
        pool.account
            .open(limit, parent.map(|parent| &parent.account));
        pool.set_name(name);
        pool.state.store(LIVE, Relaxed);
        let lives = self.lives.get(place as usize).load(Relaxed) as usize;
        let start = self.first + place as usize * size_of::<Pool>();
        pool.begin(flags, PoolHandle::of_life(start, lives).addr());
        Ok(pool)
    }

    /// The place of a structure that is no pool.
    fn structure(&self, life: &mut Guard<'_, Life>) -> Option<u32> {
        let next = |place| self.next(place).load(Relaxed);
        if let Some(place) = life.warm.checked_sub(1) {
            life.warm = next(place);
            life.warm_count -= 1;
            return Some(place);
        }
        if let Some(place) = life.cold.checked_sub(1) {
            life.cold = next(place);
            return Some(place);
        }
        let place = self.made.load(Relaxed);
        let end = place as usize + 1;
        let ahead = (end + STEP.max(end / 8)).min(self.most);
        let grow = |end| self.lives.grow(end) && self.next.grow(end) && self.table.grow(end);
        if end > self.most || self.table.ready() < end && !grow(ahead) && !grow(end) {
            return None;
        }
        self.made.store(place + 1, Relaxed);
        Some(place)
    }

    /// Leaves the structure of a pool that is closed to the next one, if nothing of it is left, and then those above it in the same way.
    pub(super) fn retire_if_gone(&self, pool: &'static Pool) {
        let mut life = self.life.lock();
        let mut next = Some(pool);
        while let Some(pool) = next.filter(|pool| self.is_gone(pool)) {
            pool.account.clear();
            next = pool.parent.get();
            pool.parent.set(None);
            if let Some(parent) = next {
                parent
                    .children
                    .store(parent.children.load(Relaxed) - 1, Relaxed);
            }
            let lives = self.lives.get(pool.place.load(Relaxed) as usize);
            lives.store(lives.load(Relaxed).wrapping_add(1), Relaxed);
            match pool.has_slabs() {
                true => self.rest(&mut life, pool),
                false => self.leave(&mut life, pool),
            }
        }
    }

    /// Whether nothing is left of a pool that is closed.
    fn is_gone(&self, pool: &Pool) -> bool {
        let may_go = pool.state.load(Relaxed) == CLOSED && pool.children.load(Relaxed) == 0;
        may_go && {
            let Some(_held) = pool.hold() else {
                return false;
            };
            pool.is_emptied() || pool.blocks.load(Relaxed) == 0 && !pool.has_slabs()
        }
    }

    /// Leaves a structure to any pool.
    pub(super) fn leave(&self, life: &mut Guard<'_, Life>, pool: &Pool) {
        pool.state.store(0, Relaxed);
        pool.used.iter().for_each(|word| word.store(0, Relaxed));
        let place = pool.place.load(Relaxed);
        let is_warm = life.warm_count < WARM
            || page_size() > size_of::<Pool>()
            || !self.table.forget_page(place as usize);
        let top = match is_warm {
            true => &mut life.warm,
            false => &mut life.cold,
        };
        self.next(place).store(*top, Relaxed);
        *top = place + 1;
        life.warm_count += u32::from(is_warm);
    }

    /// What lies below a structure on the list that it is on: place + 1, 0 for none.
    pub(super) fn next(&self, place: u32) -> &AtomicU32 {
        self.next.get(place as usize)
    }
}
