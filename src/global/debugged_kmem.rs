//! Objects of named caches while a debug mode is on.
#![forbid(unsafe_code)]

use super::birth::{alive, inside_alive};
use super::process::{Process, is_interrupted, with_modes};
use super::threads::own;
use super::{debugged, named};
use crate::cache::ThreadCache;
use crate::kmem::{Gfp, Kmem, NamedCache, wrong_cache};
use crate::modes::{Caller, Family, Given, Named, Sort};
use crate::slab::{Object, Request};
use crate::units::Zeroed;

/// A guarded object, if it is a guarded one's turn and the cache's objects are like any block: nobody constructs them, or looks
/// at them when they are free.
#[cold]
#[inline(never)]
pub(super) fn take(process: &Process, cache: &'static NamedCache, gfp: Gfp) -> Option<Object> {
    let modes = &process.modes;
    let share = modes.guard_share();
    let (thread, _) = alive()?;
    let sort = Sort::of(cache.size(), cache.alignment());
    let is_plain = gfp.may_wait() && !cache.keeps_contents();
    if share == 0 || !is_plain || !thread.is_turn(sort.index(), share) {
        return None;
    }
    if cache.charge(1, gfp.never_fails()) == 0 {
        return None;
    }
    let caller = Caller {
        named: Some(Named {
            owner: cache.owner_word(),
            title: cache.title(),
        }),
        ..Caller::new(thread.thread(), Family::Unknown)
    };
    let request = Request::new(cache.size(), cache.alignment(), Zeroed::Yes)?;
    let object = modes.take_guarded(&request, caller);
    if object.is_none() {
        cache.uncharge(1);
    }
    object
}

/// Takes an object back that is one of `expected`, as the program says, or of any; `false` if it is none of a named cache's.
#[cold]
#[inline(never)]
pub(super) fn give(
    process: &'static Process,
    kmem: &'static Kmem,
    expected: Option<&'static NamedCache>,
    object: Object,
) -> bool {
    let (heap, modes) = (&process.heap, &process.modes);
    let address = object.as_ptr().addr();
    if let Some((owner, is_used)) = modes.owner_of(address) {
        let cache = kmem.cache_of_owner(owner);
        if let Some(expected) = expected.filter(|it| it.owner_word() != owner) {
            wrong_cache(address, cache, expected, || ());
            return true;
        }
        let caller = Caller::new(own().map_or(0, ThreadCache::thread), Family::Unknown);
        if modes.give(heap, object, caller) == Given::Done
            && is_used
            && let Some(cache) = cache
        {
            cache.uncharge(1);
        }
        return true;
    }
    let Ok(found) = kmem.examine(expected, object) else {
        return false;
    };
    if let Some((cache, _)) = found {
        let cleared = if cache.keeps_contents() {
            0
        } else {
            cache.size()
        };
        modes.free_named(heap, object, (cache.slot(), cleared), |block| {
            debugged::give_ordinary(process, block);
        });
    }
    true
}

/// Ends the quarantine of a cache's objects, since what is left of it is to be known.
pub(super) fn release(cache: &'static NamedCache) {
    if let Some(process) = with_modes().filter(|_| !is_interrupted())
        && let Some(kmem) = named::known()
    {
        inside_alive(|| {
            let is_one = |address| kmem.is_of(cache, address);
            let reuse = |block| debugged::give_ordinary(process, block);
            process.modes.release_those(is_one, reuse);
        });
    }
}
