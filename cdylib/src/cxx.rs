//! The replaceable C++ `operator new` and `operator delete`, all forms, by their mangled names
//! (ISO C++ [new.delete]; Itanium C++ ABI for the names, LP64).

#[cfg_attr(target_arch = "x86_64", path = "cxx/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "cxx/aarch64.rs")]
mod unwinding;
#[path = "cxx/tables.rs"]
mod tables;
#[path = "cxx/throw.rs"]
mod throw;

use core::ffi::c_void;

use slubmalloc_core::raw as core_alloc;
use slubmalloc_core::raw::Family;
use unwinding::{__slubmalloc_new_nothrow, __slubmalloc_new_or_throw};

/// What the assembly is told instead of an alignment when there is none; with this bit it is one of `new[]`.
const NO_ALIGN: usize = 0;
const ARRAY: usize = 1;

/// Allocates once, without handler and without exception; for the assembly, which passes an alignment, or none, and
/// whether it is for an array.
extern "C" fn try_new(size: usize, form: usize) -> *mut u8 {
    let family = if form & ARRAY == 0 {
        Family::New
    } else {
        Family::NewArray
    };
    core_alloc::new_slow(size, form & !ARRAY, family)
}

/// `operator new` and `operator new[]`: never null.
macro_rules! throwing_new {
    ($($name:ident: $form:expr),* $(,)?) => {$(
        #[doc = concat!("`", stringify!($name), "`: throws `std::bad_alloc` where there is no memory.")]
        #[unsafe(no_mangle)]
        extern "C" fn $name(size: usize) -> *mut u8 {
            match core_alloc::malloc_fast(size) {
                Some(block) => block.as_ptr(),
                // SAFETY: the assembly takes any size; it is called in tail position, so no frame
                // of ours is unwound.
                None => unsafe { __slubmalloc_new_or_throw(size, $form) },
            }
        }
    )*};
}
throwing_new!(_Znwm: NO_ALIGN, _Znam: ARRAY);

/// The forms with `std::nothrow`: null where there is no memory.
macro_rules! nothrow_new {
    ($($name:ident: $form:expr),* $(,)?) => {$(
        #[doc = concat!("`", stringify!($name), "`: null where there is no memory.")]
        #[unsafe(no_mangle)]
        extern "C" fn $name(size: usize, _nothrow: *const c_void) -> *mut u8 {
            match core_alloc::malloc_fast(size) {
                Some(block) => block.as_ptr(),
                // SAFETY: the assembly takes any size and lets no exception out.
                None => unsafe { __slubmalloc_new_nothrow(size, $form) },
            }
        }
    )*};
}
nothrow_new!(_ZnwmRKSt9nothrow_t: NO_ALIGN, _ZnamRKSt9nothrow_t: ARRAY);

/// The forms with an alignment.
macro_rules! aligned_new {
    ($($name:ident: $form:expr),* $(,)?) => {$(
        #[doc = concat!("`", stringify!($name), "`: throws `std::bad_alloc` where there is no memory.")]
        #[unsafe(no_mangle)]
        extern "C" fn $name(size: usize, align: usize) -> *mut u8 {
            // SAFETY: C++ passes powers of two; called in tail position, as above.
            unsafe { __slubmalloc_new_or_throw(size, align & !ARRAY | $form) }
        }
    )*};
}
aligned_new!(_ZnwmSt11align_val_t: NO_ALIGN, _ZnamSt11align_val_t: ARRAY);

/// The forms with an alignment and `std::nothrow`.
macro_rules! aligned_nothrow_new {
    ($($name:ident: $form:expr),* $(,)?) => {$(
        #[doc = concat!("`", stringify!($name), "`: null where there is no memory.")]
        #[unsafe(no_mangle)]
        extern "C" fn $name(size: usize, align: usize, _nothrow: *const c_void) -> *mut u8 {
            // SAFETY: C++ passes powers of two; no exception comes out.
            unsafe { __slubmalloc_new_nothrow(size, align & !ARRAY | $form) }
        }
    )*};
}
aligned_nothrow_new!(
    _ZnwmSt11align_val_tRKSt9nothrow_t: NO_ALIGN,
    _ZnamSt11align_val_tRKSt9nothrow_t: ARRAY,
);

/// The forms of `operator delete` that are not told the size.
macro_rules! delete {
    ($family:expr; $($name:ident($($extra:ident: $kind:ty),*);)*) => {$(
        #[doc = concat!("`", stringify!($name), "`: frees a block.")]
        #[unsafe(no_mangle)]
        extern "C" fn $name(block: *mut u8, $($extra: $kind),*) {
            // SAFETY: C++'s contract: nobody uses the block any more.
            unsafe { core_alloc::delete(block, $family) };
        }
    )*};
}
delete! {
    Family::New;
    _ZdlPv();
    _ZdlPvRKSt9nothrow_t(_nothrow: *const c_void);
    _ZdlPvSt11align_val_t(_align: usize);
    _ZdlPvSt11align_val_tRKSt9nothrow_t(_align: usize, _nothrow: *const c_void);
}
delete! {
    Family::NewArray;
    _ZdaPv();
    _ZdaPvRKSt9nothrow_t(_nothrow: *const c_void);
    _ZdaPvSt11align_val_t(_align: usize);
    _ZdaPvSt11align_val_tRKSt9nothrow_t(_align: usize, _nothrow: *const c_void);
}

/// The forms that are told the size, which must be the block's.
macro_rules! sized_delete {
    ($($name:ident($($align:ident)?): $family:expr;)*) => {$(
        #[doc = concat!("`", stringify!($name), "`: frees a block of this size.")]
        #[unsafe(no_mangle)]
        extern "C" fn $name(block: *mut u8, size: usize $(, $align: usize)?) {
            // SAFETY: C++'s contract: nobody uses the block any more.
            unsafe { core_alloc::delete_sized(block, size, 1 $(.max($align))?, $family) };
        }
    )*};
}
sized_delete! {
    _ZdlPvm(): Family::New;
    _ZdaPvm(): Family::NewArray;
    _ZdlPvmSt11align_val_t(align): Family::New;
    _ZdaPvmSt11align_val_t(align): Family::NewArray;
}
