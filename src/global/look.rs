//! Looking at the heap: numbers, checks, and the last look before the process ends.
#![forbid(unsafe_code)]

use super::life::{CACHES, PROCESS, Process, is_quiet, own, process};
use crate::stats::{ClassStats, NodeStats, Stats, View};

/// What the heap holds.
pub fn stats() -> Stats {
    view().map_or_else(Stats::default, |view| view.sums())
}

/// What each size class holds, by size.
pub fn class_stats(mut look: impl FnMut(ClassStats)) {
    if let Some(view) = view() {
        view.classes().for_each(&mut look);
    }
}

/// The free memory of each node.
pub fn node_stats(mut look: impl FnMut(NodeStats)) {
    if let Some(view) = view() {
        view.nodes().for_each(&mut look);
    }
}

/// How much memory each node gave, on a machine with several: the node's number, and pages in the
/// order of [`crate::TRAFFIC_NAMES`].
pub fn traffic(mut look: impl FnMut(u8, &[u64])) {
    if let Some(view) = view() {
        view.traffic()
            .for_each(|(node, pages)| look(node.0, &pages));
    }
}

/// The statistics as text, a line at a time.
pub fn print_stats(put: impl FnMut(&[u8])) {
    // Who asks before the first allocation gets zeroes, not silence.
    let _ = process();
    if let Some(view) = view() {
        view.print(put);
    }
}

/// Checks every table of the heap against every other; a contradiction ends the process. Other
/// threads wait meanwhile.
pub fn validate() {
    if let Some(process) = PROCESS.get() {
        process.heap.validate();
    }
}

/// Takes what the calling thread and the barns have at hand back into the slabs, where an object that was freed
/// twice or never handed out shows, and compares with them what other threads have: the last chance before the process
/// ends.
///
/// Nothing happens where a lock is held: the process may be ending from a signal handler that interrupted its
/// own thread, and then nobody will free that lock.
pub fn look_at_exit() {
    let cache = own();
    let Some(process) = PROCESS.get().filter(|_| is_quiet(cache)) else {
        return;
    };
    process.watch.check_all();
    if let Some(cache) = cache {
        cache.drain();
    }
    process.heap.empty_barns();
    CACHES.for_each(|cache| {
        if cache.is_quiet() {
            cache.witness();
        }
    });
}

/// Whether `SLUBMALLOC_CONF` asks for statistics when the program ends.
pub fn wants_stats_at_exit() -> bool {
    let is_wanted = |process: &Process| process.config.stats_at_exit;
    // As for `look_at_exit`.
    PROCESS.get().is_some_and(is_wanted) && is_quiet(own())
}

fn view() -> Option<View<'static>> {
    PROCESS.get().map(|process| View {
        heap: &process.heap,
        caches: &CACHES,
    })
}
