//! Switching the heap profile on and off while the program runs.
#![forbid(unsafe_code)]

use super::process::{PROCESS, Process, is_interrupted, process};
use super::threads::{CACHES, inside};
use crate::cache::ThreadCache;
use crate::config;
use crate::report::Line;

/// Switches the profile on, with a sample every `rate` bytes in the mean, or off; `false` where that cannot be done: there is no memory
/// for it, or a debug mode is on, which gives blocks places of its own.
pub(super) fn switch(process: &Process, rate: Option<u64>) -> bool {
    let profile = &process.profile;
    match rate {
        None => profile.switch_off(),
        Some(_) if process.modes.is_on() => return false,
        Some(rate) if !profile.switch_on(rate) => return false,
        Some(_) => {}
    }
    // A thread that gets its cache meanwhile sees the new rate.
    let mut last = None;
    while let Some(cache) = CACHES.next_of_all(last) {
        cache.set_counting(profile.next_distance());
        last = Some(cache);
    }
    true
}

/// Has the thread of a new cache counted, if the profile is on. With the first one it is switched on, if that was configured.
pub(super) fn begin_thread(process: &Process, cache: &ThreadCache, is_first: bool) {
    if is_first && process.config.is_profiled {
        if !switch(process, Some(process.config.profile_rate)) {
            let mut line = Line::<128>::headline();
            line.text("no heap profile: no memory for it, or a debug mode is on\n");
            line.print();
        }
    } else if let Some(distance) = process.profile.next_distance() {
        cache.set_counting(Some(distance));
    }
}

/// Switches the heap profile on, with a sample every `rate` bytes in the mean, or off; `false` where that cannot be done.
pub fn profile_set(rate: Option<usize>) -> bool {
    if rate.is_some_and(|rate| !config::is_profile_rate(rate)) || is_interrupted() {
        return false;
    }
    match rate {
        Some(rate) => process().is_some_and(|it| inside(|| switch(it, Some(rate as u64)))),
        None => PROCESS
            .get()
            .is_none_or(|process| inside(|| switch(process, None))),
    }
}
