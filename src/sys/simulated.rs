//! A kernel made of allocations, for tests on a machine that is interpreted: it maps, unmaps and forgets as the real one
//! does, and knows no files, nodes or threads.
//!
//! # Invariant
//!
//! A mapping lies in one allocation. What was unmapped of that is a hole, and can be mapped again only at its address.
//! What is mapped again, or whose memory was given back, holds zeroes. Untouched memory is not resident:
//! tests reserve more than a machine has.

extern crate std;
use core::alloc::Layout;
use core::ptr::with_exposed_provenance_mut;
use std::alloc::{alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::vec::Vec;

use super::syscall::Answer;

const PAGE: usize = 4096;
/// What the machine seems to have.
const RAM_BYTES: libc::c_ulong = 4 << 30;
/// Advice that is taken and changes nothing; any other is refused, as an old kernel does.
const WITHOUT_EFFECT: [i32; 4] = [
    libc::MADV_HUGEPAGE,
    libc::MADV_NOHUGEPAGE,
    libc::MADV_DONTDUMP,
    libc::MADV_DODUMP,
];

/// An allocation and its holes, as starts and ends.
struct Allocation {
    bytes: usize,
    /// Bytes before the first page.
    lead: usize,
    holes: Vec<(usize, usize)>,
}

/// All allocations by address.
static ALL: Mutex<BTreeMap<usize, Allocation>> = Mutex::new(BTreeMap::new());

/// Answers the system call `number`.
///
/// # Safety
///
/// As for the real one.
pub(super) unsafe fn raw(number: libc::c_long, arguments: [usize; 6]) -> Answer {
    let [first, second, third, fourth, ..] = arguments;
    let bytes = second.checked_next_multiple_of(PAGE).unwrap_or(usize::MAX);
    let answer = match number {
        libc::SYS_mmap if first == 0 => map(bytes),
        // SAFETY: the caller's promise.
        libc::SYS_mmap => unsafe { map_at(first, bytes, fourth as i32) },
        // SAFETY: as above.
        libc::SYS_munmap => unsafe { unmap(first, bytes) },
        libc::SYS_mprotect => is_mapped(first, bytes).then_some(0),
        // Nothing becomes longer where it is, or moves to a place that is chosen.
        // SAFETY: as above.
        libc::SYS_mremap if fourth as i32 == libc::MREMAP_MAYMOVE => unsafe {
            remap(first, bytes, third)
        },
        libc::SYS_mremap => None,
        libc::SYS_madvise if third == libc::MADV_DONTNEED as usize => {
            // SAFETY: as above; the range is mapped.
            is_mapped(first, bytes).then(|| unsafe { clear(first, bytes) })
        }
        libc::SYS_madvise if WITHOUT_EFFECT.contains(&(third as i32)) => Some(0),
        libc::SYS_close | libc::SYS_tgkill => Some(0),
        // SAFETY: as above; it is one of these.
        libc::SYS_sysinfo => unsafe { tell_ram(with_exposed_provenance_mut(first)) },
        libc::SYS_write => Some(third),
        libc::SYS_getpid | libc::SYS_gettid => Some(1),
        libc::SYS_futex => {
            // Who waits looks again at once.
            thread::yield_now();
            Some(0)
        }
        _ => return Answer::refusal(libc::ENOSYS),
    };
    answer.map_or(Answer::refusal(libc::ENOMEM), Answer::granted)
}

fn map(bytes: usize) -> Option<usize> {
    let layout = layout_for(bytes)?;
    if bytes == 0 {
        return None;
    }
    keep_fresh();
    // SAFETY: not empty.
    let allocated = unsafe { alloc_zeroed(layout) };
    if allocated.is_null() {
        return None;
    }
    let start = allocated.expose_provenance();
    let address = start.next_multiple_of(PAGE);
    let allocation = Allocation {
        bytes,
        lead: address - start,
        holes: Vec::new(),
    };
    with_all(|all| all.insert(address, allocation));
    Some(address)
}

/// Has glibc take what is large fresh from the system for ever: it would serve it from what was freed as soon as that
/// was as large, and write zeroes over all of it.
fn keep_fresh() {
    #[cfg(all(target_env = "gnu", not(miri)))]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        // SAFETY: mallopt(3) changes where memory comes from, and none that is in use.
        ONCE.call_once(|| _ = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10) });
    }
}

/// A page more than `bytes`, to begin with a page anywhere: the allocator writes zeroes over what it is to align, but
/// not over what comes fresh from the system.
fn layout_for(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(PAGE)?, 1).ok()
}

/// Maps a hole again, or replaces what is there if that is wanted.
///
/// # Safety
///
/// Nobody uses the range.
unsafe fn map_at(start: usize, bytes: usize, flags: i32) -> Option<usize> {
    let end = start + bytes;
    let is_free = with_all(|all| {
        let (_, allocation) = all.range_mut(..=start).next_back()?;
        let index = allocation
            .holes
            .iter()
            .position(|hole| hole.0 <= start && end <= hole.1)?;
        let (from, to) = allocation.holes.swap_remove(index);
        let left = [(from, start), (end, to)]
            .into_iter()
            .filter(|hole| hole.0 < hole.1);
        allocation.holes.extend(left);
        Some(())
    });
    let may_replace = flags & libc::MAP_FIXED != 0 && is_mapped(start, bytes);
    (is_free.is_some() || may_replace).then(|| {
        // SAFETY: inside of an allocation, and the caller's promise.
        unsafe { clear(start, bytes) };
        start
    })
}

/// Makes a hole, or frees an allocation that is nothing else any more.
///
/// # Safety
///
/// Nobody uses the range.
unsafe fn unmap(start: usize, bytes: usize) -> Option<usize> {
    let end = start.checked_add(bytes)?;
    let freed = with_all(|all| {
        let (address, allocation) = all.range_mut(..=start).next_back()?;
        let address = *address;
        if end > address + allocation.bytes {
            return None;
        }
        allocation
            .holes
            .retain(|hole| hole.1 <= start || end <= hole.0);
        allocation.holes.push((start, end));
        join(&mut allocation.holes);
        let is_gone = allocation.holes == [(address, address + allocation.bytes)];
        Some(
            is_gone
                .then(|| all.remove(&address))
                .flatten()
                .map(|it| (address - it.lead, it.bytes)),
        )
    })?;
    if let Some((allocated, bytes)) = freed
        && let Some(layout) = layout_for(bytes)
    {
        // SAFETY: allocated with this layout, and all of it was given up.
        unsafe { dealloc(with_exposed_provenance_mut(allocated), layout) };
    }
    Some(0)
}

/// Moves what is mapped to a new place.
///
/// # Safety
///
/// The range is mapped, and nobody uses its old address any more.
unsafe fn remap(start: usize, old_bytes: usize, bytes: usize) -> Option<usize> {
    if !is_mapped(start, old_bytes) {
        return None;
    }
    let new = map(bytes.checked_next_multiple_of(PAGE)?)?;
    let (from, to) = (
        with_exposed_provenance_mut::<u8>(start),
        with_exposed_provenance_mut::<u8>(new),
    );
    // SAFETY: two allocations, both at least as long as the shorter one.
    unsafe { to.copy_from_nonoverlapping(from, old_bytes.min(bytes)) };
    // SAFETY: the caller's promise.
    unsafe { unmap(start, old_bytes) }?;
    Some(new)
}

/// Writes zeroes where there is anything else.
///
/// # Safety
///
/// The range lies in an allocation, and nobody needs its content.
unsafe fn clear(start: usize, bytes: usize) -> usize {
    for page in (start..start + bytes).step_by(PAGE) {
        let page = with_exposed_provenance_mut::<[u64; PAGE / size_of::<u64>()]>(page);
        // SAFETY: the caller's promise; what was never written to holds zeroes.
        if unsafe { page.read() }.iter().any(|word| *word != 0) {
            // SAFETY: as above.
            unsafe { page.write_bytes(0, 1) };
        }
    }
    0
}

/// Fills in what is asked of it.
///
/// # Safety
///
/// The pointer is valid, and the rest of the structure is.
unsafe fn tell_ram(info: *mut libc::sysinfo) -> Option<usize> {
    // SAFETY: the caller's promise.
    let info = unsafe { info.as_mut() }?;
    (info.totalram, info.mem_unit) = (RAM_BYTES, 1);
    Some(0)
}

fn is_mapped(start: usize, bytes: usize) -> bool {
    let end = start.saturating_add(bytes);
    with_all(|all| {
        let Some((address, allocation)) = all.range(..=start).next_back() else {
            return false;
        };
        let is_apart = |hole: &(usize, usize)| hole.1 <= start || end <= hole.0;
        end <= address + allocation.bytes && allocation.holes.iter().all(is_apart)
    })
}

/// Makes one hole of neighbours.
fn join(holes: &mut Vec<(usize, usize)>) {
    holes.sort_unstable();
    holes.dedup_by(|next, hole| {
        let meets = next.0 <= hole.1;
        if meets {
            hole.1 = hole.1.max(next.1);
        }
        meets
    });
}

fn with_all<T>(work: impl FnOnce(&mut BTreeMap<usize, Allocation>) -> T) -> T {
    work(&mut ALL.lock().unwrap_or_else(PoisonError::into_inner))
}
