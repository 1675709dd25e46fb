//! Blocks for a pool's callers.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Pools;
use super::handle::PoolHandle;
use super::hold::Stays;
use super::structure::Pool;
use crate::heap::Heap;
use crate::slab::class::info;
use crate::slab::{Keep, Kind, Object, Request};
use crate::units::{ClassId, PAGE_SIZE};

/// The most bytes of objects that are at hand in a class.
const MOST_AT_HAND: u32 = 64 << 10;
/// Objects that a word has bits for.
const WORD: u32 = u64::BITS;

/// Why there is no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A limit of pools forbids it.
    Limit,
    /// There is no memory.
    NoMemory,
    /// The pool is not to be used.
    Stays(Stays),
}

impl Pool {
    /// The most bytes that it may use, whatever those above it may.
    pub(crate) fn limit(&self) -> usize {
        self.account.limit.load(Relaxed)
    }

    /// An object that is at hand, of a class of slabs, of a pool for one thread.
    #[inline(always)]
    pub(crate) fn take_single(&self, handle: PoolHandle, id: ClassId) -> Option<Object> {
        self.run_single(handle, || {
            self.set_recent(id);
            self.class(id).pop()
        })?
    }

    /// The same of a pool that several threads use.
    #[inline]
    pub(crate) fn take_ready(&self, handle: PoolHandle, id: ClassId) -> Option<Object> {
        let _held = self.hold_plain(handle)?;
        self.class(id).pop()
    }

    /// An object of a class of slabs; the caller holds the pool.
    // Apart, as pages need nearly all of the stack that is allowed.
    #[inline(never)]
    fn take_object(&self, heap: &Heap, id: ClassId) -> Result<Object, Refused> {
        let (class, info) = (self.class(id), info(id));
        let place = self.place_of(id).ok_or(Refused::NoMemory)?;
        let size = info.size as usize;
        if let Some(object) = class.pop() {
            return Ok(object);
        }
        let most = MOST_AT_HAND
            .checked_div(info.size)
            .map_or(1, |most| most.clamp(1, WORD));
        let charge = || self.account.charge(size, most as usize * size);
        let mut bytes = charge();
        if bytes < size {
            // What is at hand in other classes counts, too.
            self.put_all_back();
            bytes = charge();
        }
        let wanted = bytes.checked_div(size).unwrap_or(0) as u32;
        if wanted == 0 {
            self.account.uncharge(bytes);
            return Err(Refused::Limit);
        }
        let mut got = class.refill(place, id, wanted);
        if got == 0 {
            self.note_class(id);
            let add = || class.add_slab(place, id).then_some(());
            let within = || heap.take_within(info.slab_bytes(), add);
            let added = within().or_else(|| heap.take_small_under_pressure(within));
            self.note_slabs();
            got = added.map_or(0, |()| class.refill(place, id, wanted));
        }
        self.account.uncharge(bytes - got as usize * size);
        class.pop().ok_or(Refused::NoMemory)
    }

    /// Puts what is at hand back into the slabs.
    pub(super) fn put_all_back(&self) {
        for id in self.used_classes() {
            if let Some(place) = self.place_of(id) {
                let count = self.class(id).put_back(place, id, Keep::One) as usize;
                self.account.uncharge(count * info(id).size as usize);
            }
        }
    }
}

impl Pools {
    /// A block for a request of the pool with a handle.
    pub(crate) fn take(
        &'static self,
        pool: &'static Pool,
        handle: PoolHandle,
        request: &Request,
    ) -> Result<Object, Refused> {
        let block = self.take_once(pool, handle, request);
        // Not at a limit that nobody else counts for, where this would be done again and again.
        let others_count =
            || pool.account.has_room(request.bytes()) || pool.children.load(Relaxed) > 0;
        match block {
            Err(Refused::Limit) if others_count() && self.settle_beside(pool) => {
                self.take_once(pool, handle, request)
            }
            block => block,
        }
    }

    /// Has the pools that share a limit with a pool count only what they use, as far as no thread is using them at this moment;
    /// returns whether there are any.
    #[cold]
    #[inline(never)]
    fn settle_beside(&'static self, pool: &'static Pool) -> bool {
        let top = pool.top();
        let is_beside = |it: &&Pool| core::ptr::eq(it.top(), top) && !core::ptr::eq(*it, pool);
        let mut any = false;
        for other in self.all().filter(is_beside) {
            if let Some(_held) = other.hold_if_idle() {
                other.put_all_back();
                other.account.settle();
                any = true;
            }
        }
        any
    }

    fn take_once(
        &'static self,
        pool: &'static Pool,
        handle: PoolHandle,
        request: &Request,
    ) -> Result<Object, Refused> {
        let _held = pool.hold_as(handle).map_err(Refused::Stays)?;
        if let Kind::Small(id) = request.kind() {
            match pool.take_object(self.heap, id) {
                Ok(object) => return Ok(request.clear(object)),
                Err(Refused::NoMemory) => {}
                Err(why) => return Err(why),
            }
        }
        // Whatever its size, where the node has no memory for slabs.
        self.take_pages(pool, request)
    }

    fn take_pages(
        &'static self,
        pool: &'static Pool,
        request: &Request,
    ) -> Result<Object, Refused> {
        let bytes = request.bytes().max(1).next_multiple_of(PAGE_SIZE);
        let node = pool.node.get().ok_or(Refused::NoMemory)?;
        let pages = Request::pages(bytes, request.align(), request.zeroed());
        let pages = pages.ok_or(Refused::NoMemory)?.of_no_class();
        if pool.account.charge(bytes, bytes) == 0 {
            pool.put_all_back();
            if pool.account.charge(bytes, bytes) == 0 {
                return Err(Refused::Limit);
            }
        }
        let Some(block) = self.heap.take(node, &pages) else {
            pool.account.uncharge(bytes);
            return Err(Refused::NoMemory);
        };
        // A mapping that was used before may be longer, and realloc's fast path knows it.
        let whole = self.heap.usable_size(block.addr().get()).unwrap_or(bytes);
        let more = whole.saturating_sub(bytes);
        let why = match more == 0 || pool.account.charge(more, more) > 0 {
            true => {
                let place = pool.place.load(Relaxed);
                if self.blocks.insert(&pool.blocks, place, block, whole) {
                    return Ok(block);
                }
                pool.account.uncharge(more);
                Refused::NoMemory
            }
            false => Refused::Limit,
        };
        self.heap.give(block);
        pool.account.uncharge(bytes);
        Err(why)
    }

    /// Bytes of the block of a pool at `address` that may be used; 0 for what is no block.
    pub(crate) fn usable_size(&'static self, address: usize) -> usize {
        match self.blocks.find(address) {
            Some((_, bytes)) => bytes,
            None => self.heap.usable_size(address).unwrap_or(0),
        }
    }
}
