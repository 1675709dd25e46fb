//! The cost of a stack of 10 and of 32 calls in C, C++ and Rust, by the library's unwinder and by the C library's.
//!
//! The unwinder is compiled into this program, with the functions that it needs of the floor `sys`.

use core::ffi::{c_int, c_void};
use core::hint::black_box;
use std::env::temp_dir;
use std::ffi::CString;
use std::process::Command;

use criterion::{Bencher, BenchmarkId, Criterion, criterion_group, criterion_main};

#[expect(
    dead_code,
    unused_imports,
    reason = "the tests in there are not run here"
)]
#[path = "../../tests/unwind/sys.rs"]
mod sys;

/// Calls of the program that are on the stack when it is taken; more than are asked for.
const CALLS: c_int = 48;
const MOST: usize = 32;

type Leaf = unsafe extern "C" fn(*mut c_void);
type Deep = unsafe extern "C" fn(c_int, Leaf, *mut c_void) -> c_int;

unsafe extern "C" {
    #[link_name = "backtrace"]
    fn libc_backtrace(frames: *mut *mut c_void, count: c_int) -> c_int;
}

/// What measures, at the end of the calls.
struct Measure<'a, 'b> {
    bencher: &'a mut Bencher<'b>,
    frames: usize,
    is_ours: bool,
}

unsafe extern "C" fn measure(data: *mut c_void) {
    // SAFETY: what `stacks` hands in.
    let it = unsafe { &mut *data.cast::<Measure<'_, '_>>() };
    let (frames, is_ours) = (it.frames, it.is_ours);
    let mut found = [0_usize; MOST];
    let found = &mut found[..frames];
    it.bencher.iter(|| {
        let count = if is_ours {
            sys::backtrace(black_box(found))
        } else {
            // SAFETY: has room for as many.
            let count = unsafe { libc_backtrace(found.as_mut_ptr().cast(), frames as c_int) };
            count as usize
        };
        assert_eq!(count, frames);
    });
}

/// The function `deep` of a source, compiled by `compiler`.
fn foreign(compiler: &str, source: &str) -> Deep {
    let library = temp_dir().join(format!("stacks-{compiler}-{}.so", std::process::id()));
    let source = format!("{}/programs/{source}", env!("CARGO_MANIFEST_DIR"));
    let flags = ["-O2", "-fomit-frame-pointer", "-shared", "-fPIC", "-o"];
    let status = Command::new(compiler)
        .args(flags)
        .args([library.as_os_str(), source.as_ref()])
        .status();
    assert!(status.expect("a compiler").success());
    let path = CString::new(library.to_str().expect("a path")).expect("a path");
    // SAFETY: a library without constructors.
    let opened = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    // SAFETY: a name with its end.
    let function = unsafe { libc::dlsym(opened, c"deep".as_ptr()) };
    assert!(!function.is_null());
    // SAFETY: the function of that name has this type.
    unsafe { core::mem::transmute::<*mut c_void, Deep>(function) }
}

#[inline(never)]
unsafe extern "C" fn rust(depth: c_int, leaf: Leaf, data: *mut c_void) -> c_int {
    let kept = black_box(depth);
    if depth == 0 {
        // SAFETY: the caller's promise.
        unsafe { leaf(data) };
        return kept;
    }
    let calls: [Deep; 2] = black_box([rust, rust_with_array]);
    // SAFETY: the caller's promise.
    kept + unsafe { calls[depth as usize % 2](depth - 1, leaf, data) }
}

#[inline(never)]
unsafe extern "C" fn rust_with_array(depth: c_int, leaf: Leaf, data: *mut c_void) -> c_int {
    let numbers = black_box([depth; 16]);
    // SAFETY: the caller's promise.
    let below = unsafe { rust(depth, leaf, data) };
    below + black_box(numbers)[3]
}

fn stacks(criterion: &mut Criterion) {
    let languages = [
        ("c", foreign("cc", "deep.c")),
        ("c++", foreign("c++", "deep.cpp")),
        ("rust", rust as Deep),
    ];
    for (language, deep) in languages {
        let mut group = criterion.benchmark_group(format!("stacks/{language}"));
        for frames in [10, MOST] {
            for (name, is_ours) in [("slubmalloc", true), ("backtrace", false)] {
                group.bench_function(BenchmarkId::new(name, frames), |bencher| {
                    let mut measured = Measure {
                        bencher,
                        frames,
                        is_ours,
                    };
                    // SAFETY: `measure` takes what it is given here.
                    unsafe { deep(CALLS, measure, (&raw mut measured).cast()) };
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, stacks);
criterion_main!(benches);
