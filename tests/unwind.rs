//! The library's unwinder beside the C library's, and where that would fault.
#![cfg(not(any(miri, loom)))]

mod support;
#[path = "unwind/hostile.rs"]
mod hostile;
#[path = "unwind/library.rs"]
mod library;
#[path = "unwind/steps.rs"]
mod steps;
#[path = "unwind/sys.rs"]
mod sys;

use core::ffi::{c_int, c_void};

use library::{Leaf, Library};

unsafe extern "C" {
    #[link_name = "backtrace"]
    fn libc_backtrace(frames: *mut *mut c_void, count: c_int) -> c_int;
}

/// Stacks that are looked at are no deeper.
const MOST: usize = 400;

/// The stack of the caller by ours, without the frame of this function.
#[inline(never)]
fn ours() -> Vec<usize> {
    let mut frames = [0; MOST];
    let count = sys::backtrace(&mut frames);
    frames[1..count].to_vec()
}

/// The same by the C library's unwinder.
#[inline(never)]
fn theirs() -> Vec<usize> {
    let mut frames = [0_usize; MOST];
    // SAFETY: has room for as many.
    let count = unsafe { libc_backtrace(frames.as_mut_ptr().cast(), MOST as c_int) };
    frames[1..count as usize].to_vec()
}

/// Compares both, and counts it in what `data` points to.
unsafe extern "C" fn compare(data: *mut c_void) {
    // SAFETY: what `compared` hands in.
    let counts = unsafe { &mut *data.cast::<Vec<usize>>() };
    let (ours, theirs) = (ours(), theirs());
    // The first is in this function.
    assert_eq!(ours[1..], theirs[1..], "{ours:x?}\n{theirs:x?}");
    counts.push(ours.len());
}

/// The depths at which `run` has called what it is given.
fn compared(run: impl FnOnce(Leaf, *mut c_void)) -> Vec<usize> {
    let mut counts = Vec::new();
    run(compare, (&raw mut counts).cast());
    counts
}

/// Both ways of compiling.
fn libraries() -> [Library; 2] {
    ["-fomit-frame-pointer", "-fno-omit-frame-pointer"].map(|flag| Library::open(&[flag]))
}

#[test]
fn stacks_of_other_languages_are_those_of_the_c_library() {
    for library in libraries() {
        // The second time all rows are known.
        for _ in 0..2 {
            let counts = compared(|leaf, data| library.deep(100, leaf, data));
            assert!(counts.len() == 1 && counts[0] > 200, "{counts:?}");
            let counts = compared(|leaf, data| library.in_landing_pads(9, leaf, data));
            assert!(counts.len() == 2 && counts[0] > 5, "{counts:?}");
        }
    }
}

#[test]
fn stacks_with_large_frames_are_whole() {
    let run = || {
        for library in libraries() {
            let counts = compared(|leaf, data| library.above_large_frame(5, leaf, data));
            assert!(counts[0] > 10, "{counts:?}");
        }
    };
    std::thread::spawn(run).join().unwrap();
}

#[test]
fn what_is_loaded_where_a_library_was_has_its_own_rows() {
    let flags = [["-DWORDS=16"], ["-DWORDS=48"]];
    let mut bases = Vec::new();
    for _ in 0..20 {
        for flags in &flags {
            let library = Library::open(flags);
            let counts = compared(|leaf, data| library.deep(20, leaf, data));
            assert!(counts[0] > 40, "{counts:?}");
            bases.push(library.deep_address());
            library.close();
        }
        if bases.windows(2).any(|two| two[0] == two[1]) {
            return;
        }
    }
    panic!("never at the same place: {bases:x?}");
}

#[test]
fn own_code_of_a_program_is_not_apart_from_it() {
    assert!(sys::own_code().is_empty());
    // SAFETY: a name of the C library's.
    let find = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    // As where it could not be imported.
    sys::know_find_object(find as usize);
    assert!(ours().len() > 5);
}
