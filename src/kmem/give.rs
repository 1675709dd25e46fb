//! An object comes back: to the thread's sheaves, to the barn, to the slabs.
#![forbid(unsafe_code)]

use super::cache::NamedCache;
use super::slabs::Slabs;
use super::{Caller, Kmem, report, sizing};
use crate::cache::{Bin, Binding, Notes};
use crate::heap::Node;
use crate::report::{Context, Violation, report_violation, report_violation_with};
use crate::slab::{Object, Sheaf, SheafCell};

/// What became of an object that a thread puts into its bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    Done,
    Twice,
    NoRoom,
}

impl Kmem {
    /// Takes back an object that is one of `cache`, as the program says, or of any. `false` if it is none of a named cache's
    /// at all; anything else that is wrong is reported here.
    pub(crate) fn give(
        &self,
        caller: Option<Caller>,
        expected: Option<&'static NamedCache>,
        object: Object,
    ) -> bool {
        match self.examine(expected, object) {
            Err(()) => false,
            Ok(None) => true,
            Ok(Some((cache, node))) => {
                self.give_object(caller, cache, node, object);
                true
            }
        }
    }

    /// The cache of an object that is one of `expected`, as the program says, or of any; `Err` if it is none of a named cache's,
    /// and `None` if something is wrong with it, which is reported.
    pub(crate) fn examine(
        &self,
        expected: Option<&'static NamedCache>,
        object: Object,
    ) -> Result<Option<(&'static NamedCache, &'static Node)>, ()> {
        let address = object.as_ptr() as usize;
        let (cache, node, is_start) = self.cache_of(address).ok_or(())?;
        let users = || {
            let slabs = self.slabs(cache, node);
            let start = |slabs: Slabs<'_>| slabs.place().object_start(address, cache.class());
            slabs
                .and_then(start)
                .inspect(|start| cache.print_users(*start));
        };
        if let Some(expected) = expected.filter(|expected| !cache.serves(expected)) {
            report::wrong_cache(address, Some(cache), expected, users);
        } else if !is_start {
            let why = Violation::InteriorPointer;
            report_violation_with(why, address, Context::Nowhere, users);
        } else {
            return Ok(Some((cache, node)));
        }
        Ok(None)
    }

    /// Whether an address lies in a slab of a cache, or of one that serves it.
    pub(crate) fn is_of(&self, cache: &NamedCache, address: usize) -> bool {
        let found = self.cache_of(address);
        found.is_some_and(|(found, ..)| found.serves(cache))
    }

    fn give_object(
        &self,
        caller: Option<Caller>,
        cache: &'static NamedCache,
        node: &'static Node,
        object: Object,
    ) {
        if cache.is_checked() && !self.check(cache, node, object) {
            return;
        }
        let is_starved = cache.is_starved();
        if let Some((thread, _)) = caller.filter(|_| is_starved) {
            self.drain_bin(thread, cache);
        }
        let put = match caller {
            Some((thread, binding))
                if core::ptr::eq(node, binding.home) && !cache.is_checked() && !is_starved =>
            {
                let place = cache.place();
                let is_there = self.make_place(thread, place);
                thread.refresh_home();
                let put = is_there.then(|| {
                    thread.with_named(place, |bin, notes| {
                        self.put(binding, cache, (bin, notes), object)
                    })
                });
                put.flatten().unwrap_or(Put::NoRoom)
            }
            _ => Put::NoRoom,
        };
        match put {
            Put::Done => {}
            Put::Twice => {
                return report_violation(
                    Violation::DoubleFree,
                    object.as_ptr() as usize,
                    Context::Nowhere,
                );
            }
            Put::NoRoom => self.give_all(cache, &mut [object.as_ptr()]),
        }
        if cache.base().is_some() {
            cache.notify();
        } else if cache.ends_slabs()
            && let Some(slabs) = self.slabs(cache, node)
        {
            cache.trim(caller, slabs, 1);
        }
    }

    /// Checks an object that comes back to its slab; `false` if it is there already, which is reported.
    #[cold]
    fn check(&self, cache: &'static NamedCache, node: &'static Node, object: Object) -> bool {
        let address = object.addr().get();
        let is_out = self.slabs(cache, node).is_some_and(|slabs| {
            let _cache_node = slabs.entry.cache_node.lock();
            slabs.place().is_out(address, cache.class())
        });
        match is_out {
            true => cache.check_used(object),
            false => {
                let why = Violation::DoubleFree;
                let users = || cache.print_users(address);
                report_violation_with(why, address, Context::Nowhere, users);
            }
        }
        is_out
    }

    /// Puts an object into a thread's bin, under the thread's lock.
    fn put(
        &self,
        binding: Binding,
        cache: &'static NamedCache,
        (bin, notes): (&Bin, &Notes),
        object: Object,
    ) -> Put {
        if !bin.has_main() {
            let Some((sheaf, room)) = self.sheaf_for(cache, bin, notes, 1) else {
                return Put::NoRoom;
            };
            bin.open(sheaf, room);
        }
        if bin.is_near_top(object) {
            return Put::Twice;
        }
        let is_in = bin.push(object.as_ptr())
            || self.make_room(binding, cache, bin, &notes.spare) && bin.push(object.as_ptr());
        if is_in { Put::Done } else { Put::NoRoom }
    }

    /// Makes room on the full main sheaf; `false` where there is no memory for another one.
    fn make_room(
        &self,
        binding: Binding,
        cache: &'static NamedCache,
        bin: &Bin,
        spare: &SheafCell,
    ) -> bool {
        let (capacity, room) = (cache.capacity(), bin.capacity());
        if room < capacity {
            return self.enlarge(bin, room, capacity);
        }
        if bin.swap_for_room(spare, capacity) {
            return true;
        }
        let Some(slabs) = self.slabs(cache, binding.home) else {
            return false;
        };
        let empty = slabs.entry.cache_node.lock().barn.take_empty();
        let empty = empty.or_else(|| self.store.new_sheaf(capacity));
        let Some(full) = bin.close() else {
            return false;
        };
        let Some(empty) = empty else {
            bin.open(self.flush(cache, full), capacity);
            return true;
        };
        bin.open(empty, capacity);
        if !spare.is_some() {
            spare.put(full);
            return true;
        }
        let most = match self.heap.is_tiny() {
            true => 0,
            false => sizing::barn(cache.size(), capacity),
        };
        let oldest = slabs.entry.cache_node.lock().barn.put_full(full, most);
        if let Some(oldest) = oldest {
            let empty = self.flush(cache, oldest);
            slabs.entry.cache_node.lock().barn.put_empty(empty);
        }
        true
    }

    /// Moves what is in the small main sheaf to one of full size.
    fn enlarge(&self, bin: &Bin, room: usize, capacity: usize) -> bool {
        let Some(mut large) = self.store.new_sheaf(capacity) else {
            return false;
        };
        if let Some(mut small) = bin.close() {
            let count = small.count();
            small.pour(&mut large, count);
            self.store.give_sheaf(small, room);
        }
        bin.open(large, capacity);
        true
    }

    /// Takes what is in a sheaf back into the slabs; the sheaf, empty.
    pub(super) fn flush(&self, cache: &'static NamedCache, mut sheaf: Sheaf) -> Sheaf {
        self.give_all(cache, sheaf.objects_mut());
        sheaf.clear();
        sheaf
    }
}
