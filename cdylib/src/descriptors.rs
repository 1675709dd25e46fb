//! The functions that close all descriptors of a program from a number on, but for the one that a report needs when the
//! program ends. In a preloaded library only: others link what they want to call.

use core::ffi::{c_int, c_uint};

/// close_range(2). The copy of standard error that a report at exit needs stays open, if there is one.
#[unsafe(no_mangle)]
extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    close_all(first, last, flags)
}

/// closefrom(3): closes all descriptors from `lowest` on, but for that copy.
#[unsafe(no_mangle)]
extern "C" fn closefrom(lowest: c_int) {
    let lowest = c_uint::try_from(lowest).unwrap_or(0);
    if close_all(lowest, c_uint::MAX, 0) == 0 {
        return;
    }
    // A kernel before 5.9.
    // SAFETY: only reads a number.
    let limit = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) };
    let limit = c_uint::try_from(limit).unwrap_or(1 << 16);
    let kept = slubmalloc_core::raw::kept_descriptor();
    for descriptor in (lowest..limit).filter(|it| Some(*it) != kept) {
        // SAFETY: the program gives it up.
        unsafe { libc::syscall(libc::SYS_close, descriptor) };
    }
}

fn close_all(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    let close = |first: c_uint, last: c_uint| {
        // SAFETY: the program gives these up.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) as c_int }
    };
    // exec(2) closes it anyway.
    let closes_now = flags & libc::CLOSE_RANGE_CLOEXEC as c_int == 0;
    let is_in = |kept: &c_uint| closes_now && first < last && (first..=last).contains(kept);
    let Some(kept) = slubmalloc_core::raw::kept_descriptor().filter(is_in) else {
        return close(first, last);
    };
    if first < kept && close(first, kept - 1) != 0 {
        return -1;
    }
    if kept < last {
        close(kept + 1, last)
    } else {
        0
    }
}
