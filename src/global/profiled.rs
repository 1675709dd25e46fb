//! Allocation while the heap is profiled: the block at which a sample is due goes to a place of its own, where its end is seen.
//!
//! # Invariant
//!
//! A sampled block is known before it is handed out, and forgotten before its memory can be another's.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::birth::alive;
use super::process::{PROCESS, Process, is_interrupted, process};
use super::threads::{here, inside};
use crate::cache::{Counted, ThreadCache};
use crate::profile::{self, Lifted, Profile};
use crate::report;
use crate::slab::{Kind, Object, Request};
use crate::sys;
use crate::units::Zeroed;

/// Frames of our own that a stack begins with at most.
const OWN: usize = 8;

/// A block at which a sample is due; `None` where it becomes none.
#[cold]
#[inline(never)]
pub(super) fn allocate(size: usize, align: usize, zeroed: Zeroed) -> Option<Object> {
    let profile = begin_next()?;
    sample(profile, &Request::new(size, align, zeroed)?)
}

/// Whether the first block of a thread that has no cache yet is one at which a sample is due.
#[cold]
pub(super) fn is_first_sample(size: usize) -> bool {
    // With the first block of all the process is made, and what its configuration says is done.
    let is_on = |it: &Process| it.config.is_profiled || it.profile.rate().is_some();
    !report::is_ending()
        && !is_interrupted()
        && process().is_some_and(is_on)
        && alive().is_some_and(|(cache, _)| cache.count(size) == Counted::Due)
}

/// Draws when the thread's next sample is due; `None` where this one is none.
fn begin_next() -> Option<&'static Profile> {
    let profile = &PROCESS.get()?.profile;
    let cache = here();
    let Some(distance) = profile.next_distance() else {
        cache.set_counting(None);
        return None;
    };
    cache.count_on(distance);
    (!report::is_ending() && !is_interrupted()).then_some(profile)
}

/// A block that is a sample; `None` where there is no memory for one.
#[inline(never)]
fn sample(profile: &Profile, request: &Request) -> Option<Object> {
    let (cache, binding) = alive()?;
    let block = cache.inside(|| match request.kind() {
        Kind::Small(id) => {
            let object = binding.heap.take_sampled(binding.home, id)?;
            Some(request.clear(object))
        }
        _ => {
            let request = request.of_no_class();
            binding.heap.take_large(binding.home, &request)
        }
    })?;
    enter(profile, cache, block, request.bytes());
    Some(block)
}

/// Notes where the block was allocated.
// Apart, for the sake of the stack.
#[inline(never)]
fn enter(profile: &Profile, cache: &ThreadCache, block: Object, bytes: usize) {
    let mut all = [0; profile::DEPTH + OWN];
    let count = sys::backtrace(&mut all);
    let own = sys::own_code();
    let frames = all.get(..count).unwrap_or_default();
    let skipped = frames.iter().take_while(|it| own.contains(it)).count();
    let frames = frames.get(skipped..).unwrap_or_default();
    let frames = frames.get(..profile::DEPTH).unwrap_or(frames);
    cache.inside(|| profile.begin(block.addr().get(), bytes, 0, frames));
}

/// Forgets a block that is about to be freed, if it is a sample.
#[inline]
pub(super) fn end(block: NonNull<u8>) {
    if let Some(profile) = known() {
        inside(|| profile.end(block.addr().get()));
    }
}

/// Takes note that a block is about to change its length, if it is a sample.
pub(super) fn lift(block: NonNull<u8>) -> Option<Lifted> {
    known()?.lift(block.addr().get())
}

/// Takes note of what has become of it.
pub(super) fn put_back(lifted: Option<Lifted>, block: NonNull<u8>, bytes: Option<usize>) {
    if let (Some(lifted), Some(profile)) = (lifted, known()) {
        profile.put_back(lifted, block.addr().get(), bytes);
    }
}

/// The profile, if it was ever on.
#[inline]
pub(super) fn known() -> Option<&'static Profile> {
    let process = PROCESS.get()?;
    process.profile.is_known().then_some(&process.profile)
}
