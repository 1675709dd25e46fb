//! The same stacks as those of the C library's unwinder.
#![expect(unsafe_code, reason = "calls backtrace(3), raises signals")]

extern crate std;
use core::ffi::{c_int, c_void};
use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::vec::Vec;

use super::{backtrace, find, listed};

unsafe extern "C" {
    #[link_name = "backtrace"]
    fn libc_backtrace(frames: *mut *mut c_void, count: c_int) -> c_int;
}

/// Both stacks of the caller, without the innermost two of each.
#[inline(never)]
fn both() -> [Vec<usize>; 2] {
    let (mut ours, mut theirs) = ([0; 64], [0_usize; 64]);
    let count = backtrace(&mut ours);
    // SAFETY: has room for as many.
    let found = unsafe { libc_backtrace(theirs.as_mut_ptr().cast(), 64) };
    [&ours[1..count], &theirs[1..found as usize]].map(<[usize]>::to_vec)
}

#[inline(never)]
fn deeper(depth: usize, compare: fn()) -> usize {
    // Of a size that is not known.
    let numbers: Vec<usize> = (0..depth).collect();
    if depth == 0 {
        compare();
        return 0;
    }
    black_box(numbers.len() - depth) + deeper(depth - 1, compare) + 1
}

#[test]
fn a_stack_is_that_of_the_c_library() {
    assert_eq!(
        deeper(20, || {
            let [ours, theirs] = both();
            assert!(ours.len() > 25, "{ours:x?}");
            assert_eq!(ours, theirs);
        }),
        20
    );
}

#[test]
fn a_stack_goes_through_sorting_functions_and_threads() {
    extern "C" fn compare(_one: *const c_void, _two: *const c_void) -> c_int {
        let [ours, theirs] = both();
        assert!(ours.len() > 5);
        assert_eq!(ours, theirs);
        0
    }
    let sort = || {
        let mut numbers = [3, 2, 1];
        let numbers: *mut i32 = numbers.as_mut_ptr();
        // SAFETY: three numbers.
        unsafe { libc::qsort(numbers.cast(), 3, 4, Some(compare)) };
    };
    sort();
    std::thread::spawn(sort).join().unwrap();
}

#[test]
fn a_stack_goes_through_a_signal() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handler(_signal: c_int) {
        let [ours, theirs] = both();
        assert_eq!(ours, theirs);
        SEEN.store(ours.len(), Relaxed);
    }
    // SAFETY: a signal that nobody else here uses.
    unsafe { libc::signal(libc::SIGURG, handler as *const () as libc::sighandler_t) };
    deeper(10, || {
        // SAFETY: handled above.
        unsafe { libc::raise(libc::SIGURG) };
    });
    assert!(SEEN.load(Relaxed) > 15);
}

#[test]
fn few_frames_are_as_many_as_fit() {
    let mut frames = [0; 3];
    assert_eq!(backtrace(&mut frames), 3);
    assert_eq!(backtrace(&mut []), 0);
}

#[test]
fn objects_are_found_without_the_c_library_s_function_as_with_it() {
    let sort = libc::qsort as *const () as usize;
    for address in [deeper as *const () as usize, sort] {
        let (one, other) = (find::object(address), listed::listed(address));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(other.mapped().contains(&address));
        assert_eq!(one.entry(address).unwrap(), other.entry(address).unwrap());
    }
    assert!(find::object(1).is_none() && listed::listed(1).is_none());
    // That function is the loader's.
    assert!(listed::is_in_loader(weak!("__tls_get_addr")));
    assert!(!listed::is_in_loader(sort));
}
