//! Which thread of a process has which cache: each thread has a word of its own that points to its cache, at the same distance
//! from what the kernel knows of every thread of libc's, the list of its robust mutexes (get_robust_list(2)).
#![expect(
    unsafe_code,
    reason = "the list of a thread's robust mutexes has no safe interface"
)]

use std::collections::{HashMap, HashSet};

use nix::libc;
use procfs::process::Process as ProcFs;

use crate::memory::{Memory, Process, number, printable};
use crate::snapshot::{Cache, Snapshot};

/// How far from the list the word may be: the memory of a thread's own variables is at most some KiB.
const REACH: u64 = 16 << 10;
/// Bytes that are read at once: the next page may be none.
const PIECE: u64 = 1 << 12;
/// Most threads that are looked at.
const MOST: usize = 1 << 14;

/// Writes into a snapshot of the process which threads have its caches, as far as that can be known.
pub(super) fn name(process: &Process, snapshot: &mut Snapshot) {
    let Ok(tasks) = ProcFs::new(process.pid).and_then(|it| it.tasks()) else {
        return;
    };
    let threads: Vec<i32> = tasks.flatten().map(|it| it.tid).take(MOST).collect();
    for heap in &mut snapshot.heaps {
        let owned = heap.caches.iter().filter(|it| it.is_owned);
        let owned: HashSet<u64> = owned.map(|it| it.address).collect();
        let found = owners(process, &threads, &owned);
        for cache in &mut heap.caches {
            if let Some(thread) = found.get(&cache.address) {
                cache.tid = *thread;
                cache.name = name_of(process, cache);
            }
        }
    }
}

fn name_of(process: &Process, cache: &Cache) -> String {
    let task = ProcFs::new(process.pid).and_then(|it| it.task_from_tid(cache.tid));
    let stat = task.and_then(|it| it.stat());
    stat.map_or_else(|_| String::new(), |it| printable(&it.comm))
}

/// The thread of each cache.
fn owners(process: &Process, threads: &[i32], owned: &HashSet<u64>) -> HashMap<u64, i32> {
    // By distance from the list: words there that point to caches.
    let mut found: HashMap<u64, HashMap<u64, i32>> = HashMap::new();
    for thread in threads {
        let Some(list) = robust_list(*thread) else {
            continue;
        };
        let start = list.saturating_sub(REACH) & !(PIECE - 1);
        for piece in (start..list.saturating_add(REACH)).step_by(PIECE as usize) {
            let Ok(bytes) = process.bytes(piece, PIECE) else {
                continue;
            };
            for (place, word) in (piece..).step_by(8).zip(bytes.chunks_exact(8)) {
                if let Some(cache) = number(word).filter(|it| owned.contains(it)) {
                    let distance = place.wrapping_sub(list);
                    found.entry(distance).or_default().insert(cache, *thread);
                }
            }
        }
    }
    // A stack that lies near may have such words too, but not at the same place for all.
    let nearest = |distance: &u64| std::cmp::Reverse(distance.cast_signed().unsigned_abs());
    let best = found
        .into_iter()
        .max_by_key(|(distance, caches)| (caches.len(), nearest(distance)));
    best.map_or_else(HashMap::new, |(_, caches)| caches)
}

/// The address of the list of a thread's robust mutexes.
fn robust_list(thread: i32) -> Option<u64> {
    let (mut list, mut bytes) = (0_u64, 0_u64);
    // SAFETY: the kernel writes a word to each.
    let done = unsafe {
        libc::syscall(
            libc::SYS_get_robust_list,
            thread,
            &raw mut list,
            &raw mut bytes,
        )
    };
    (done == 0 && list != 0).then_some(list)
}
