//! Constructors and destructors, which are the program's and run with no lock held.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use super::Caller;
use super::args::CacheArgs;
use super::cache::{Hook, NamedCache};
use super::flags::CLEARED_LATE;
use super::slabs::Slabs;
use crate::slab::{EmptySlab, Object, Sheaf, Slot};
use crate::sys;
use crate::units::PAGE_SIZE;

/// Bit 0 of an object's address while it is new.
const NEW: usize = 1;

impl NamedCache {
    /// Says what the hooks are.
    pub(super) fn set_hooks(&self, constructor: Option<Hook>, destructor: Option<Hook>) {
        let set = |place: &AtomicPtr<u8>, hook: Option<Hook>| {
            place.store(hook.map_or(null_mut(), |hook| hook as *mut u8), Relaxed);
        };
        set(&self.constructor, constructor);
        set(&self.destructor, destructor);
    }

    /// What another cache is told for the same hooks and alignment.
    pub(super) fn args(&self) -> CacheArgs {
        CacheArgs {
            align: self.align.load(Relaxed),
            constructor: hook(&self.constructor),
            destructor: hook(&self.destructor),
            ..CacheArgs::default()
        }
    }

    /// Constructs the new objects of a sheaf.
    pub(super) fn construct(&self, caller: Option<Caller>, sheaf: &mut Sheaf) {
        let (construct, is_checked) = (hook(&self.constructor), self.is_checked());
        if construct.is_none() && !is_checked {
            return;
        }
        for object in sheaf.objects_mut().iter_mut().filter_map(take_mark) {
            if is_checked {
                self.prepare(object);
            }
            if let Some(construct) = construct {
                apart(caller, || construct(object.as_ptr()));
            }
        }
    }

    /// Gives empty slabs on a node back until `keep` are left; their objects are destroyed or cleared before.
    pub(super) fn trim(&self, caller: Option<Caller>, slabs: Slabs<'_>, keep: u32) {
        if self.is_typesafe() {
            // A grace period comes first.
            return;
        }
        if !self.ends_slabs() {
            return slabs.trim(keep);
        }
        loop {
            let taken = slabs
                .entry
                .cache_node
                .lock()
                .take_empty(slabs.place(), keep);
            let Some(empty) = taken else {
                return;
            };
            self.give_empty(caller, slabs, empty);
        }
    }

    /// Gives an empty slab back; its objects are destroyed or cleared before.
    pub(super) fn give_empty(&self, caller: Option<Caller>, slabs: Slabs<'_>, empty: EmptySlab) {
        let (place, size) = (slabs.place(), self.info().size as usize);
        if let Some(destroy) = hook(&self.destructor) {
            for index in 0..empty.used as usize {
                let object = place.arena.region().at(empty.offset() + index * size);
                apart(caller, || destroy(object.as_ptr()));
            }
        }
        if self.has_check(CLEARED_LATE) {
            let objects = place.arena.region().at(empty.offset());
            // SAFETY: nobody uses an object of the slab, and no other slab has its memory yet.
            unsafe { sys::clear(objects, empty.used as usize * size) };
        }
        let mut cache_node = slabs.entry.cache_node.lock();
        cache_node.give_empty(place, self.class(), empty);
    }
}

/// Gives each page of a new object of `bytes` memory; what is in it stays.
pub(super) fn touch(object: Slot, bytes: usize) {
    for offset in (0..bytes).step_by(PAGE_SIZE).chain([bytes - 1]) {
        let place = object.wrapping_add(offset);
        // SAFETY: inside of the object, which is nobody else's.
        let byte = unsafe { place.read_volatile() };
        // SAFETY: as above.
        unsafe { place.write_volatile(byte) };
    }
}

/// Runs a hook, which may allocate.
fn apart(caller: Option<Caller>, run: impl FnOnce()) {
    match caller {
        Some((thread, _)) => thread.outside(run),
        None => run(),
    }
}

/// Removes the mark of a new object; `None` if it had none.
fn take_mark(slot: &mut Slot) -> Option<Object> {
    if slot.addr() & NEW == 0 {
        return None;
    }
    *slot = slot.map_addr(|address| address & !NEW);
    Object::new(*slot)
}

fn hook(place: &AtomicPtr<u8>) -> Option<Hook> {
    let hook = place.load(Relaxed);
    if hook.is_null() {
        return None;
    }
    // SAFETY: what is stored there was a function of this type.
    Some(unsafe { core::mem::transmute::<*mut u8, Hook>(hook) })
}
