//! Creating a cache.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::args::CacheArgs;
use super::cache::{ENDED, Entry, LIVE, NamedCache};
use super::checks::slot_bytes;
use super::flags::{
    CLEARED_LATE, DEBUGGED, SLAB_CHECKS, SLAB_CONSISTENCY_CHECKS, SLAB_HWCACHE_ALIGN, SLAB_KNOWN,
    SLAB_PANIC, SLAB_POISON, SLAB_RED_ZONE, SLAB_STORE_USER, SLAB_TYPESAFE_BY_RCU, TRACED,
};
use super::merge::may_merge;
use super::{Kmem, Life, report, sizing};
use crate::cache::sheaf_capacity;
use crate::modes::Modes;
use crate::report::abort;
use crate::slab::Owner;
use crate::slab::class::aligned_class_of;
use crate::sync::CachePadded;
use crate::units::{ClassId, MIN_ALIGN};

/// Why there is no cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmemError {
    /// An argument is wrong, which was reported.
    Invalid,
    /// There is no memory.
    NoMemory,
    /// Objects of it are in use, which was reported.
    InUse,
}

/// Lines of the processor's cache.
const LINE: usize = 64;
/// Why there is no cache where there is memory.
const TOO_MANY: &str = "there are 65535 caches and mempools";
const _: () = assert!(Owner::MOST == 65_536);
/// The longest name.
pub(super) const MOST_NAME: usize = 255;

impl Kmem {
    /// A cache of objects of `size` bytes, 1 to 48 KiB.
    pub(crate) fn create(
        &self,
        name: &[u8],
        size: usize,
        args: CacheArgs,
        flags: u32,
        modes: &Modes,
    ) -> Result<&'static NamedCache, KmemError> {
        let made = match check(name, size, args, flags) {
            Ok(asked) => {
                let (flags, (class, align)) = with_debug(name, (size, args, flags), asked, modes);
                let shared = match may_merge(args, flags) {
                    true => self.find_alias(class, size, align),
                    false => None,
                };
                let made =
                    shared.or_else(|| self.build(name, (size, class, align), args, flags, None));
                if let Some(cache) = made.filter(|it| it.keeps_contents()) {
                    if modes.clearing().any() {
                        report::left_alone(cache, "cleared");
                    }
                    if cache.has_check(SLAB_POISON) {
                        report::left_alone(cache, "poisoned");
                    }
                }
                made.ok_or(KmemError::NoMemory)
            }
            Err((why, number)) => {
                report::not_created(name, why, number);
                Err(KmemError::Invalid)
            }
        };
        if let Err(why) = made
            && flags & SLAB_PANIC != 0
        {
            match why {
                KmemError::NoMemory if self.is_full() => {
                    report::not_created(name, TOO_MANY, None);
                    abort();
                }
                KmemError::NoMemory => report::out_of_memory(name),
                // Why has been said.
                KmemError::Invalid | KmemError::InUse => abort(),
            }
        }
        made
    }

    pub(super) fn build(
        &self,
        name: &[u8],
        (size, class, align): (usize, ClassId, usize),
        args: CacheArgs,
        flags: u32,
        base: Option<&'static NamedCache>,
    ) -> Option<&'static NamedCache> {
        let text = self.store.take(name.len() + 1)?;
        let Some(cache) = self.structure() else {
            self.store.give(text, name.len() + 1);
            return None;
        };
        cache.set_name(text, name);
        cache.base.set(base);
        cache.set_hooks(args.constructor, args.destructor);
        let is_typesafe = flags & SLAB_TYPESAFE_BY_RCU != 0;
        cache.typesafe.store(u8::from(is_typesafe), Relaxed);
        cache.checks.store(
            flags & (SLAB_CHECKS | DEBUGGED | CLEARED_LATE | TRACED),
            Relaxed,
        );
        let aliases = u32::from(may_merge(args, flags));
        cache.aliases.store(aliases, Relaxed);
        cache.owner.store(u32::from(class.0), Relaxed);
        cache.owner.store(cache.owner().word(), Relaxed);
        cache.size.store(size as u32, Relaxed);
        cache.align.store(align as u32, Relaxed);
        let capacity = match args.sheaf_capacity as usize {
            0 => sheaf_capacity(class),
            asked => asked,
        };
        cache.capacity.store(capacity as u32, Relaxed);
        let limit = match args.limit {
            0 => usize::MAX,
            limit => limit,
        };
        cache.limit.store(limit, Relaxed);
        cache.out.store(0, Relaxed);
        cache.state.store(LIVE, Relaxed);
        Some(cache)
    }

    /// Whether there are as many caches and reserves as there are numbers for.
    fn is_full(&self) -> bool {
        let life = self.life.lock();
        life.unused.get().is_none() && life.last + 1 >= Owner::MOST
    }

    /// A structure that is no cache, with a cache node for each node.
    fn structure(&self) -> Option<&'static NamedCache> {
        let mut life = self.life.lock();
        if let Some(cache) = life.unused.get() {
            life.unused.set(cache.next.get());
            return Some(cache);
        }
        let metadata = self.heap.nodes().next()?.metadata();
        let number = life.last + 1;
        if number >= Owner::MOST || !self.caches.grow(number as usize + 1) {
            return None;
        }
        let cache = metadata.zeroed::<NamedCache>()?;
        let mut last = &cache.first;
        for node in self.heap.nodes().skip(1) {
            let entry = node.metadata().zeroed::<CachePadded<Entry>>()?;
            last.next.set(Some(entry));
            last = entry;
        }
        cache.number.store(number, Relaxed);
        cache.handle.store(self.handles.of(number), Relaxed);
        life.last = number;
        self.caches.get(number as usize).set(Some(cache));
        Some(cache)
    }

    /// Leaves a structure to the next cache.
    pub(super) fn retire(&self, cache: &'static NamedCache) {
        retire(&self.life.lock(), cache);
    }

    /// The same for one that is no type-safe cache any more, once its last slab has gone.
    // Another thread may have ended a grace period at this moment, and a new cache may be there: all of it is decided under
    // the lock.
    pub(super) fn retire_if_gone(&self, cache: &'static NamedCache) {
        let life = self.life.lock();
        // Slabs are counted until they are given back, and those that wait are.
        let has_gone = || {
            let mut entries = cache.entries();
            entries.all(|entry| entry.cache_node.lock().has_no_slab())
        };
        if cache.state.load(Relaxed) == ENDED && has_gone() {
            cache.state.store(0, Relaxed);
            cache.typesafe.store(0, Relaxed);
            retire(&life, cache);
        }
    }
}

fn retire(life: &Life, cache: &'static NamedCache) {
    cache.next.set(life.unused.get());
    life.unused.set(Some(cache));
}

/// What the modes add to the flags, and the class and alignment that the objects have then. Where there is no room for what
/// they add, they add nothing.
fn with_debug(
    name: &[u8],
    (size, args, flags): (usize, CacheArgs, u32),
    asked: (ClassId, usize),
    modes: &Modes,
) -> (u32, (ClassId, usize)) {
    let of_mode = modes.flags_of_cache(name);
    let add = [
        (of_mode.checks, SLAB_CONSISTENCY_CHECKS),
        (of_mode.red_zones, SLAB_RED_ZONE),
        (of_mode.poison, SLAB_POISON),
        (of_mode.users, SLAB_STORE_USER),
    ];
    let added = add.iter().filter(|(is_on, _)| *is_on);
    let keeps_contents = args.constructor.is_some() || flags & SLAB_TYPESAFE_BY_RCU != 0;
    let own = match modes.sees_all() {
        true if keeps_contents && modes.clearing().on_free => DEBUGGED | CLEARED_LATE,
        true => DEBUGGED,
        false => 0,
    };
    let own = own | if of_mode.traces { TRACED } else { 0 };
    let all = added.fold(flags, |all, (_, flag)| all | flag);
    match check(name, size, args, all) {
        Ok(class) => (all | own, class),
        Err(_) => (flags | own, asked),
    }
}

/// The class of the objects and their alignment, or what is wrong.
fn check(
    name: &[u8],
    size: usize,
    args: CacheArgs,
    flags: u32,
) -> Result<(ClassId, usize), (&'static str, Option<usize>)> {
    if name.is_empty() || name.len() > MOST_NAME {
        return Err(("its name is not of 1 to 255 bytes", None));
    }
    let unknown = flags & !SLAB_KNOWN;
    if unknown != 0 {
        return Err(("unknown flags ", Some(unknown as usize)));
    }
    if args.destructor.is_some() && args.constructor.is_none() {
        return Err(("it has a destructor and no constructor", None));
    }
    let capacity = args.sheaf_capacity as usize;
    if capacity > sizing::MOST_CAPACITY {
        return Err(("its sheaf_capacity is above 1022: ", Some(capacity)));
    }
    let asked = args.align as usize;
    if asked != 0 && !asked.is_power_of_two() {
        return Err(("its alignment is no power of two: ", Some(asked)));
    }
    let line = match flags & SLAB_HWCACHE_ALIGN {
        0 => 1,
        // As in the kernel: several small objects share a line.
        _ => size.next_power_of_two().clamp(MIN_ALIGN, LINE),
    };
    let align = asked.max(line).max(MIN_ALIGN);
    if aligned_class_of(1, align).is_none() {
        return Err(("no object can have its alignment: ", Some(align)));
    }
    match aligned_class_of(slot_bytes(size, flags), align) {
        Some(class) if size > 0 => Ok((class, align)),
        _ => Err((
            "its size is not 1 to 49152 bytes, alignment and red zone included: ",
            Some(size),
        )),
    }
}
