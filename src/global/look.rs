//! Looking at the heap: numbers, checks, and the last look before the process ends.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::process::{PROCESS, Process, process};
use super::shrinkers;
use super::threads::{CACHES, inside, own};
use crate::cache::ThreadCache;
use crate::heap::LimitStats;
use crate::report::Line;
use crate::stats::{ClassStats, NodeStats, Stats, View};

/// What the heap holds.
pub fn stats() -> Stats {
    view(|view| view.sums()).unwrap_or_default()
}

/// What each size class holds, by size.
pub fn class_stats(mut look: impl FnMut(ClassStats)) {
    let _ = view(|view| view.classes().for_each(&mut look));
}

/// The name of each named cache, at most 32 bytes and filled up with zeroes, and what it has.
pub fn cache_stats(look: impl FnMut(&[u8], ClassStats)) {
    let _ = view(|view| view.named(look));
}

/// The name of each pool, as above, the bytes that are in use, and its limit, `usize::MAX` for none.
pub fn pool_stats(look: impl FnMut(&[u8], usize, usize)) {
    let _ = view(|view| view.pools.map(|pools| pools.each(look)));
}

/// The limit on memory in use, and what sets it, at most 127 bytes.
pub fn limit_stats(look: impl FnOnce(LimitStats, &[u8])) {
    let _ = view(|view| {
        let mut source = Line::<128>::new();
        let stats = view.heap.limit_stats();
        if stats.bytes.is_some() {
            view.heap.limit_source(&mut source);
        }
        look(stats, source.as_bytes());
    });
}

/// The free memory of each node.
pub fn node_stats(mut look: impl FnMut(NodeStats)) {
    let _ = view(|view| view.nodes().for_each(&mut look));
}

/// How much memory each node gave, on a machine with several: the node's number, and pages in the
/// order of [`crate::raw::NUMASTAT_NAMES`].
pub fn numastat(mut look: impl FnMut(u8, &[u64])) {
    let _ = view(|view| {
        view.numastat()
            .for_each(|(node, pages)| look(node.0, &pages));
    });
}

/// The statistics as text, a line at a time.
pub fn print_stats(mut put: impl FnMut(&[u8])) {
    // Who asks before the first allocation gets zeroes, not silence.
    let _ = process();
    let _ = view(|view| view.print(&mut put));
    print_pools(&mut put);
    shrinkers::print(&mut put);
    #[cfg(counted)]
    print_locks(put);
}

/// A line for each of the first hundred pools, and how many there are besides.
fn print_pools(mut put: impl FnMut(&[u8])) {
    const MOST: usize = 100;
    const NAME: usize = 32;
    let mut pools = 0;
    pool_stats(|name, used, limit| {
        pools += 1;
        if pools > MOST {
            return;
        }
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
        let mut line = Line::<160>::new();
        line.text("pool ")
            .quoted(name.get(..end).unwrap_or_default(), NAME);
        line.text(": ").number(used).text(" bytes in use, ");
        match limit {
            usize::MAX => line.text("no limit\n"),
            limit => line.text("limit ").number(limit).text("\n"),
        };
        put(line.as_bytes());
    });
    if let Some(more) = pools.checked_sub(MOST).filter(|more| *more > 0) {
        let mut line = Line::<64>::new();
        put(line.number(more).text(" pools more\n").as_bytes());
    }
}

/// For each place that takes locks: how often, and for how many ticks in all and at most.
#[cfg(counted)]
fn print_locks(mut put: impl FnMut(&[u8])) {
    let mut text = Line::<128>::new();
    let ticks = crate::sync::ticks_in_a_millisecond();
    text.text("lock ticks a millisecond ")
        .number(ticks as usize);
    put(text.text("\n").as_bytes());
    crate::sync::each_count(|file, line, counts| {
        let mut text = Line::<128>::new();
        text.text("lock ")
            .text(file)
            .text(":")
            .number(line as usize);
        for number in counts.numbers() {
            text.text(" ").number(number as usize);
        }
        put(text.text("\n").as_bytes());
    });
}

/// Checks every table of the heap against every other; a contradiction ends the process. Other
/// threads wait meanwhile.
pub fn validate() {
    if let Some(process) = PROCESS.get() {
        process.heap.validate();
        process.kmem.get().inspect(|kmem| kmem.validate());
        process.pools.get().inspect(|pools| pools.validate());
    }
}

/// Takes what the calling thread and the barns have at hand back into the slabs, where an object that was freed
/// twice or never handed out shows, and compares with them what other threads have: the last chance before the process
/// ends.
pub(super) fn look_at_exit() {
    let Some(process) = PROCESS.get().filter(|_| may_take_locks()) else {
        return;
    };
    process.modes.check_all();
    process.kmem.get().inspect(|kmem| kmem.look_at_objects());
    if let Some(cache) = own() {
        cache.drain();
    }
    CACHES.cool_all();
    process.heap.empty_barns();
    CACHES.for_each(|cache| {
        if cache.is_quiet() {
            cache.audit();
        }
    });
}

/// Whether this is the child of a fork that has done little since: it only looks at what its thread has. All else is for its
/// parent to see, and each page that is written to would be copied first. Every mode looks at all it has.
pub(super) fn is_young() -> bool {
    let is_young = |process: &Process| !process.modes.is_on() && process.purge.youth.is_on();
    PROCESS.get().is_some_and(is_young)
}

/// Whether the plug-in that is opened as `path` keeps the flag `RTLD_DEEPBIND` of dlopen(3).
pub fn keeps_deepbind(path: &[u8]) -> bool {
    process().is_some_and(|process| process.config.deepbind.keeps(path))
}

/// Whether `SLUBMALLOC_CONF` asks for statistics when the program ends, and they can be taken.
pub(super) fn wants_stats_at_exit() -> bool {
    // ORDERING: relaxed, a wish.
    let is_wanted = |process: &Process| process.purge.stats_at_exit.load(Relaxed);
    PROCESS.get().is_some_and(is_wanted) && may_take_locks()
}

/// Whether the thread that ends the process may wait for locks. It may not if a signal handler of its own ends the
/// process and has interrupted it here; nor in a copy of the process that was made without our fork handlers, where a thread that
/// holds them does not exist.
fn may_take_locks() -> bool {
    let is_interrupted = own().is_some_and(ThreadCache::is_interrupted);
    let is_quiet = |process: &Process| {
        process.heap.is_quiet() && process.modes.is_quiet() && process.profile.is_quiet()
    };
    !is_interrupted && CACHES.is_quiet() && PROCESS.get().is_some_and(is_quiet)
}

fn view<T>(look: impl FnOnce(View<'static>) -> T) -> Option<T> {
    let process = PROCESS.get()?;
    inside(|| {
        CACHES.reap(usize::MAX);
        Some(look(View {
            heap: &process.heap,
            caches: &CACHES,
            kmem: process.kmem.get(),
            pools: process.pools.get(),
        }))
    })
}
