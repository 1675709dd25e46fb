//! The ioctl PAGEMAP_SCAN, which reports runs of pages with memory (Linux 6.7, the kernel's
//! Documentation/admin-guide/mm/pagemap.rst): faster than a word for each page where most have none.
#![expect(
    unsafe_code,
    reason = "an ioctl that writes to memory has no safe interface"
)]

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;

use nix::libc;

use super::Page;

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u64 = 0xC060_6610;
/// Categories of pages: of a file, present, swapped out, the kernel's page of zeroes, and huge.
const OF_FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
const ZEROES: u64 = 1 << 5;
const HUGE: u64 = 1 << 6;
/// Runs that one call reports.
const RUNS: usize = 512;

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Run {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct Argument {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    runs: u64,
    run_count: u64,
    max_pages: u64,
    inverted: u64,
    all_of: u64,
    any_of: u64,
    returned: u64,
}

const _: () = assert!(size_of::<Argument>() == 96);

/// Says of each page of `page` bytes from `start` on what it has; `None` where the kernel has no such call.
pub(super) fn pages(pagemap: &File, start: u64, pages: usize, page: u64) -> Option<Vec<Page>> {
    let (mut found, mut has_huge) = (vec![Page::Untouched; pages], false);
    let wanted = Wanted {
        any_of: PRESENT | SWAPPED,
        all_of: 0,
        returned: PRESENT | SWAPPED | ZEROES | HUGE,
    };
    scan(
        pagemap,
        start,
        (pages, page),
        wanted,
        |range, categories| {
            has_huge |= categories & HUGE != 0;
            found.get_mut(range)?.fill(match () {
                () if categories & SWAPPED != 0 => Page::Swapped,
                () if categories & ZEROES != 0 => Page::Untouched,
                () => Page::Resident,
            });
            Some(())
        },
    )?;
    // Some kernels call the huge page of zeroes a file's, and no heap has any of a file. To ask for that of every page takes longer.
    if has_huge {
        let wanted = Wanted {
            any_of: 0,
            all_of: PRESENT | HUGE | OF_FILE,
            returned: PRESENT,
        };
        scan(pagemap, start, (pages, page), wanted, |range, _| {
            found.get_mut(range)?.fill(Page::Untouched);
            Some(())
        })?;
    }
    Some(found)
}

/// Which pages are asked for, by their categories, and what is said of them.
#[derive(Clone, Copy)]
struct Wanted {
    any_of: u64,
    all_of: u64,
    returned: u64,
}

/// Passes the runs of pages that are wanted, each with its categories.
fn scan(
    pagemap: &File,
    start: u64,
    (pages, page): (usize, u64),
    wanted: Wanted,
    mut each: impl FnMut(Range<usize>, u64) -> Option<()>,
) -> Option<()> {
    let end = start.checked_add((pages as u64).checked_mul(page)?)?;
    let mut runs = [Run::default(); RUNS];
    let mut next = start;
    while next < end {
        let mut argument = Argument {
            size: size_of::<Argument>() as u64,
            start: next,
            end,
            runs: runs.as_mut_ptr() as u64,
            run_count: RUNS as u64,
            any_of: wanted.any_of,
            all_of: wanted.all_of,
            returned: wanted.returned,
            ..Argument::default()
        };
        // SAFETY: the kernel writes to `argument`, and at most `RUNS` runs to `runs`.
        let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN, &raw mut argument) };
        for run in runs.get(..usize::try_from(count).ok()?)? {
            let first = usize::try_from(run.start.checked_sub(start)? / page).ok()?;
            let last = usize::try_from(run.end.checked_sub(start)? / page).ok()?;
            each(first..last, run.categories)?;
        }
        // The walk ends early when there are more runs than fit.
        if argument.walk_end <= next {
            return None;
        }
        next = argument.walk_end;
    }
    Some(())
}
