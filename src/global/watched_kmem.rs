//! The way of named caches' objects while something is watched.
#![forbid(unsafe_code)]

use super::life::{Process, alive, inside_alive, is_interrupted, own, watching};
use super::{kmem, watched};
use crate::cache::ThreadCache;
use crate::kmem::{Gfp, Kmem, NamedCache, wrong_cache};
use crate::slab::Object;
use crate::units::Zeroed;
use crate::watch::{Family, Given, Named, Return, Sort, Wish};

/// A guarded object, if it is a guarded one's turn and the cache's objects are like any block: nobody constructs them, or looks
/// at them when they are free.
#[cold]
#[inline(never)]
pub(super) fn take(process: &Process, cache: &'static NamedCache, gfp: Gfp) -> Option<Object> {
    let watch = &process.watch;
    let share = watch.guard_share();
    let (thread, _) = alive()?;
    let sort = Sort::of(cache.size(), cache.alignment());
    let is_plain = gfp.may_wait() && !cache.keeps_contents();
    if share == 0 || !is_plain || !thread.is_turn(sort.index(), share) {
        return None;
    }
    if cache.charge(1, gfp.never_fails()) == 0 {
        return None;
    }
    let object = watch.take_guarded(Wish {
        bytes: cache.size(),
        align: cache.alignment(),
        zeroed: Zeroed::Yes,
        thread: thread.thread(),
        family: Family::Unknown,
        named: Some(Named {
            owner: cache.owner_word(),
            title: cache.title(),
        }),
    });
    if object.is_none() {
        cache.uncharge(1);
    }
    object
}

/// Takes an object back that is one of `claimed`, as the program says, or of any; `false` if it is none of a named cache's.
#[cold]
#[inline(never)]
pub(super) fn give(
    process: &'static Process,
    kmem: &'static Kmem,
    claimed: Option<&'static NamedCache>,
    object: Object,
) -> bool {
    let (heap, watch) = (&process.heap, &process.watch);
    let address = object.as_ptr().addr();
    if let Some((owner, is_used)) = watch.owner_of(address) {
        let cache = kmem.cache_of_owner(owner);
        if let Some(claimed) = claimed.filter(|it| it.owner_word() != owner) {
            wrong_cache(address, cache, claimed);
            return true;
        }
        let given = Return {
            block: object,
            thread: own().map_or(0, ThreadCache::thread),
            family: Family::Unknown,
        };
        if watch.give(heap, given) == Given::Done
            && is_used
            && let Some(cache) = cache
        {
            cache.uncharge(1);
        }
        return true;
    }
    let Ok(found) = kmem.examine(claimed, object) else {
        return false;
    };
    if let Some((cache, _)) = found {
        let cleared = if cache.keeps_contents() {
            0
        } else {
            cache.size()
        };
        watch.retire_named(heap, object, (cache.slot(), cleared), |block| {
            watched::give_ordinary(process, block);
        });
    }
    true
}

/// Takes an object back into its slab whose quarantine is over; `false` if it is none of a named cache's.
pub(super) fn give_back(process: &'static Process, object: Object) -> bool {
    let kmem = process.kmem.get();
    kmem.is_some_and(|kmem| kmem.give(alive(), None, object))
}

/// Ends the quarantine of all blocks, since what is left of a cache is to be known.
pub(super) fn wake() {
    if let Some(process) = watching().filter(|_| kmem::known().is_some() && !is_interrupted()) {
        inside_alive(|| {
            let reuse = |block| watched::give_ordinary(process, block);
            process.watch.wake_all(&process.heap, reuse);
        });
    }
}
