//! An object for a thread: from its spare sheaf, from the barn, from the slabs, from another node.

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use super::cache::NamedCache;
use super::slabs::Slabs;
use super::{Caller, Gfp, Kmem, sizing};
use crate::cache::{Bin, BinTable, Binding, Notes, ThreadCache};
use crate::heap::Node;
use crate::slab::{Object, Sheaf};
use crate::units::NodeId;

/// What a refill under the thread's lock came to.
enum Refill {
    Object(Object),
    /// A sheaf with objects that are to be constructed, and its room.
    New(Sheaf, usize),
    /// There is no memory for a sheaf.
    NoSheaf,
    Nothing,
}

impl Kmem {
    /// An object of a cache.
    pub(crate) fn take(
        &self,
        caller: Option<Caller>,
        cache: &'static NamedCache,
        gfp: Gfp,
    ) -> Option<Object> {
        match caller {
            Some((_, binding))
                if gfp.is_this_node() || cache.is_checked() || cache.is_starved() =>
            {
                self.take_past(caller, cache, binding.home, gfp)
            }
            Some((thread, binding)) => self.take_here(thread, binding, cache, gfp),
            None => self.take_past(None, cache, self.heap.nodes().next()?, gfp),
        }
    }

    /// An object of a cache from the memory of a node; `None` if threads take no memory from it. The object is `None` if it
    /// has none, and another one's will not do.
    pub(crate) fn take_on(
        &self,
        caller: Option<Caller>,
        cache: &'static NamedCache,
        node: NodeId,
        gfp: Gfp,
    ) -> Option<Option<Object>> {
        let node = self.heap.node(node)?;
        Some(self.take_past(caller, cache, node, gfp))
    }

    fn take_here(
        &self,
        thread: &'static ThreadCache,
        binding: Binding,
        cache: &'static NamedCache,
        gfp: Gfp,
    ) -> Option<Object> {
        let place = cache.place();
        let may_grow = gfp.may_wait() || place < thread.named_bytes();
        if !may_grow || !self.make_place(thread, place) {
            return self.take_past(Some((thread, binding)), cache, binding.home, gfp);
        }
        let refill = |bin: &Bin, notes: &Notes| self.refill(binding, cache, gfp, bin, notes);
        let object = match thread.with_named(place, refill)? {
            Refill::Object(object) => Some(object),
            Refill::New(mut sheaf, room) => {
                cache.construct(Some((thread, binding)), &mut sheaf);
                thread.with_named(place, |bin, _| self.open(cache, bin, sheaf, room))?
            }
            Refill::NoSheaf => self.take_past(Some((thread, binding)), cache, binding.home, gfp),
            Refill::Nothing => None,
        };
        // Owners of new slabs may lie beyond what was known.
        thread.refresh_home();
        object
    }

    /// Gives a thread a bin at `place`, if it has none; `false` where there is no memory.
    pub(super) fn make_place(&self, thread: &'static ThreadCache, place: usize) -> bool {
        if place < thread.named_bytes() {
            return true;
        }
        let bytes = ThreadCache::table_bytes_for(place);
        let Some(memory) = self.store.take(bytes) else {
            return false;
        };
        if let Some(old) = thread.move_named(BinTable { memory, bytes }, self.handles) {
            self.store.give(old.memory, old.bytes);
        }
        true
    }

    fn refill(
        &self,
        binding: Binding,
        cache: &'static NamedCache,
        gfp: Gfp,
        bin: &Bin,
        notes: &Notes,
    ) -> Refill {
        let capacity = cache.capacity();
        if bin.main_count() > 0 || bin.swap_for_objects(&notes.spare, capacity) {
            return bin.take().map_or(Refill::Nothing, Refill::Object);
        }
        let Some(slabs) = self.slabs(cache, binding.home) else {
            return Refill::Nothing;
        };
        if bin.has_main() && bin.capacity() == capacity && take_full(slabs, bin, capacity) {
            return bin.take().map_or(Refill::Nothing, Refill::Object);
        }
        // ORDERING: relaxed, the thread's own number.
        let wanted = sizing::refill(
            cache.size(),
            usize::from(notes.last.load(Relaxed)),
            capacity,
        );
        // A caller that must not wait gets no new sheaf.
        let ready = match gfp.may_wait() {
            true => self.sheaf_for(cache, bin, notes, wanted),
            false => bin
                .has_main()
                .then(|| self.sheaf_for(cache, bin, notes, 0))
                .flatten(),
        };
        let Some((mut sheaf, room)) = ready else {
            return Refill::NoSheaf;
        };
        let wanted = wanted.min(room);
        let mut got = match gfp.may_wait() {
            true => slabs
                .entry
                .cache_node
                .lock()
                .barn
                .take_few(&mut sheaf, wanted),
            false => 0,
        };
        if got == 0 {
            (sheaf, got) = self.fill(cache, binding.home, sheaf, wanted, gfp);
        }
        // ORDERING: as above.
        notes.last.store(got as u16, Relaxed);
        if got > 0 && cache.constructs() {
            return Refill::New(sheaf, room);
        }
        bin.open(sheaf, room);
        bin.take().map_or(Refill::Nothing, Refill::Object)
    }

    /// The bin's main sheaf, closed and empty, or a new one: a small one at first, and then one of full size. With its room.
    pub(super) fn sheaf_for(
        &self,
        cache: &NamedCache,
        bin: &Bin,
        notes: &Notes,
        wanted: usize,
    ) -> Option<(Sheaf, usize)> {
        let capacity = cache.capacity();
        if !bin.has_main() {
            if !notes.spare.is_some() {
                let info = cache.info();
                bin.describe(info.divisor, (info.slab_bytes() - 1) as u32);
            }
            let room = capacity.min(sizing::FIRST_CAPACITY);
            return Some((self.store.new_sheaf(room)?, room));
        }
        let room = bin.capacity();
        if room < wanted.min(capacity)
            && let Some(larger) = self.store.new_sheaf(capacity)
        {
            if let Some(small) = bin.close() {
                self.store.give_sheaf(small, room);
            }
            return Some((larger, capacity));
        }
        Some((bin.close()?, room))
    }

    /// Opens a sheaf whose objects were constructed and takes the first.
    fn open(
        &self,
        cache: &'static NamedCache,
        bin: &Bin,
        mut sheaf: Sheaf,
        room: usize,
    ) -> Option<Object> {
        if !bin.has_main() {
            bin.open(sheaf, room);
            return bin.take();
        }
        // The constructor has freed objects of its own cache.
        let (first, rest) = sheaf.objects_mut().split_first_mut()?;
        let object = NonNull::new(*first);
        self.give_all(cache, rest);
        sheaf.clear();
        self.store.give_sheaf(sheaf, room);
        object
    }

    /// Fills a sheaf from the slabs of the node, or of another one if that will do; the sheaf and how many objects came.
    fn fill(
        &self,
        cache: &'static NamedCache,
        home: &'static Node,
        mut sheaf: Sheaf,
        wanted: usize,
        gfp: Gfp,
    ) -> (Sheaf, usize) {
        let wanted = cache.charge(wanted, gfp.never_fails());
        if wanted == 0 {
            return (sheaf, 0);
        }
        let got = if gfp.may_wait() {
            let (filled, got) = self.fill_waiting(cache, home, sheaf, wanted, gfp);
            sheaf = filled;
            got
        } else {
            let slabs = self.slabs(cache, home);
            slabs.map_or(0, |slabs| slabs.fill_soon(&mut sheaf, wanted))
        };
        cache.uncharge(wanted - got);
        (sheaf, got)
    }

    #[inline(never)]
    pub(super) fn fill_waiting(
        &self,
        cache: &'static NamedCache,
        home: &'static Node,
        sheaf: Sheaf,
        wanted: usize,
        gfp: Gfp,
    ) -> (Sheaf, usize) {
        let bottom = Cell::new(Some(sheaf));
        let fill_from = |node: &'static Node| {
            let slabs = self.slabs(cache, node)?;
            let mut sheaf = bottom.take()?;
            let got = slabs.fill(&mut sheaf, wanted);
            bottom.set(Some(sheaf));
            (got > 0).then_some(got)
        };
        let anywhere = || {
            fill_from(home).or_else(|| match gfp.is_this_node() {
                true => None,
                false => self.heap.nearest_first(home).find_map(fill_from),
            })
        };
        let within = || self.heap.take_within(cache.info().slab_bytes(), anywhere);
        let got = within().or_else(|| self.heap.take_small_under_pressure(within));
        match bottom.take() {
            Some(sheaf) => (sheaf, got.unwrap_or(0)),
            None => crate::report::internal_error("a sheaf was lost"),
        }
    }

    /// One object past all sheaves.
    #[inline(never)]
    fn take_past(
        &self,
        caller: Option<Caller>,
        cache: &'static NamedCache,
        node: &'static Node,
        gfp: Gfp,
    ) -> Option<Object> {
        // Two words of a header and two slots.
        let mut memory = [0_usize; 4];
        // SAFETY: large and aligned enough; the sheaf does not leave this function, and is opened in no bin.
        let sheaf = unsafe { Sheaf::new_in(NonNull::from(&mut memory).cast()) };
        let (mut sheaf, got) = self.fill(cache, node, sheaf, 1, gfp);
        if got == 0
            && let Some((thread, _)) = caller
        {
            // What the limit counts may all be at hand, in use or not.
            self.drain_bin(thread, cache);
            self.empty_barns(cache);
            (sheaf, _) = self.fill(cache, node, sheaf, 1, gfp);
        }
        cache.construct(caller, &mut sheaf);
        let object = sheaf.objects().first().copied().and_then(NonNull::new)?;
        if cache.is_checked() {
            cache.check_free(object);
        }
        Some(object)
    }

    /// An object of a reserve, if one is left in the slabs that it has.
    #[inline(never)]
    pub(crate) fn take_reserved(
        &self,
        caller: Option<Caller>,
        reserve: &'static NamedCache,
    ) -> Option<Object> {
        let mut memory = [0_usize; 4];
        // SAFETY: as in `take_past`.
        let mut sheaf = unsafe { Sheaf::new_in(NonNull::from(&mut memory).cast()) };
        let charged = reserve.charge(1, false);
        let found = self.all_slabs(reserve).any(|slabs| {
            let mut cache_node = slabs.entry.cache_node.lock();
            charged > 0 && cache_node.fill(slabs.place(), reserve.class(), &mut sheaf, 1) > 0
        });
        reserve.uncharge(charged - usize::from(found));
        reserve.construct(caller, &mut sheaf);
        let object = sheaf.objects().first().copied().and_then(NonNull::new)?;
        reserve.check_free(object);
        Some(object)
    }
}

/// Exchanges the empty main sheaf, which is of full size, for a full one; `false` if the barn has none.
fn take_full(slabs: Slabs<'_>, bin: &Bin, capacity: usize) -> bool {
    let Some(mut cache_node) = slabs.entry.cache_node.lock_soon() else {
        return false;
    };
    let Some(full) = cache_node.barn.take_full() else {
        return false;
    };
    if let Some(empty) = bin.close() {
        cache_node.barn.put_empty(empty);
    }
    bin.open(full, capacity);
    true
}
