//! The C and C++ functions of whichever allocator the process has, found by name at run time.
//!
//! # Invariant
//!
//! The compiler does not know that these are allocation functions: by their names it would take calls away, and
//! checks with them.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute_copy;
use core::ptr::null_mut;

use crate::face::Face;
use crate::interpreter::{Block, Fault, New, Origin, Refusal, Release, Resize, Take, Target};
use crate::kernel_face::KernelFace;

/// What `errno` holds before each call.
const UNTOUCHED: c_int = 12_345;
/// More than any program can have.
const TOO_MUCH: usize = isize::MAX as usize + 1;
/// An address that no allocator gives.
const NOWHERE: usize = 0x5a5a;

type OneWord = extern "C" fn(usize) -> usize;
type TwoWords = extern "C" fn(usize, usize) -> usize;
type ThreeWords = extern "C" fn(usize, usize, usize) -> usize;

/// The functions. Those that an allocator need not have may be missing.
#[derive(Clone, Copy)]
pub(crate) struct CFace {
    malloc: OneWord,
    calloc: TwoWords,
    realloc: TwoWords,
    reallocarray: ThreeWords,
    free: OneWord,
    cfree: Option<OneWord>,
    free_sized: Option<TwoWords>,
    free_aligned_sized: Option<ThreeWords>,
    memalign: TwoWords,
    aligned_alloc: TwoWords,
    posix_memalign: extern "C" fn(*mut usize, usize, usize) -> c_int,
    valloc: OneWord,
    pvalloc: OneWord,
    malloc_usable_size: OneWord,
    malloc_trim: extern "C" fn(usize) -> c_int,
    mallopt: extern "C" fn(c_int, c_int) -> c_int,
    mallinfo2: extern "C" fn() -> libc::mallinfo2,
    malloc_info: extern "C" fn(c_int, *mut libc::FILE) -> c_int,
    alloc_onnode: Option<extern "C" fn(usize, c_int) -> usize>,
    /// By `is_array`, `is_nothrow`.
    new: [[Option<TwoWords>; 2]; 2],
    new_aligned: [[Option<ThreeWords>; 2]; 2],
    /// By `is_array`: plain, sized, nothrow.
    delete: [[Option<TwoWords>; 3]; 2],
    delete_aligned: [[Option<ThreeWords>; 3]; 2],
    /// The kernel's, where there are such.
    kernel: Option<KernelFace>,
    is_ours: bool,
    may_fail: bool,
}

/// A function by its name.
///
/// # Safety
///
/// `F` is the function's type, or one that passes more words than it looks at.
pub(crate) unsafe fn find<F>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: a name that ends.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: the caller's promise.
    (!symbol.is_null()).then(|| unsafe { transmute_copy(&symbol) })
}

/// A field of [`CFace`], which takes `F` from its type.
macro_rules! found {
    ($name:literal) => {
        // SAFETY: the types above are those of the manual pages, words for `size_t` and pointers. A C++ form looks
        // at fewer words than it gets, which the calling conventions of both machines allow.
        unsafe { find($name) }
    };
}

impl CFace {
    /// The process's functions; `None` if one that every C library has is missing. Where there may be no memory, no
    /// form of C++ is called that throws.
    pub(crate) fn find(may_fail: bool, has_pools: bool) -> Option<Self> {
        Some(Self {
            malloc: found!(c"malloc")?,
            calloc: found!(c"calloc")?,
            realloc: found!(c"realloc")?,
            reallocarray: found!(c"reallocarray")?,
            free: found!(c"free")?,
            cfree: found!(c"cfree"),
            free_sized: found!(c"free_sized"),
            free_aligned_sized: found!(c"free_aligned_sized"),
            memalign: found!(c"memalign")?,
            aligned_alloc: found!(c"aligned_alloc")?,
            posix_memalign: found!(c"posix_memalign")?,
            valloc: found!(c"valloc")?,
            pvalloc: found!(c"pvalloc")?,
            malloc_usable_size: found!(c"malloc_usable_size")?,
            malloc_trim: found!(c"malloc_trim")?,
            mallopt: found!(c"mallopt")?,
            mallinfo2: found!(c"mallinfo2")?,
            malloc_info: found!(c"malloc_info")?,
            alloc_onnode: found!(c"slubmalloc_alloc_onnode"),
            new: [
                [found!(c"_Znwm"), found!(c"_ZnwmRKSt9nothrow_t")],
                [found!(c"_Znam"), found!(c"_ZnamRKSt9nothrow_t")],
            ],
            new_aligned: [
                [
                    found!(c"_ZnwmSt11align_val_t"),
                    found!(c"_ZnwmSt11align_val_tRKSt9nothrow_t"),
                ],
                [
                    found!(c"_ZnamSt11align_val_t"),
                    found!(c"_ZnamSt11align_val_tRKSt9nothrow_t"),
                ],
            ],
            delete: [
                [
                    found!(c"_ZdlPv"),
                    found!(c"_ZdlPvm"),
                    found!(c"_ZdlPvRKSt9nothrow_t"),
                ],
                [
                    found!(c"_ZdaPv"),
                    found!(c"_ZdaPvm"),
                    found!(c"_ZdaPvRKSt9nothrow_t"),
                ],
            ],
            delete_aligned: [
                [
                    found!(c"_ZdlPvSt11align_val_t"),
                    found!(c"_ZdlPvmSt11align_val_t"),
                    found!(c"_ZdlPvSt11align_val_tRKSt9nothrow_t"),
                ],
                [
                    found!(c"_ZdaPvSt11align_val_t"),
                    found!(c"_ZdaPvmSt11align_val_t"),
                    found!(c"_ZdaPvSt11align_val_tRKSt9nothrow_t"),
                ],
            ],
            kernel: KernelFace::find(may_fail, has_pools),
            is_ours: is_slubmalloc(),
            may_fail,
        })
    }

    /// Whether `malloc` is slubmalloc's.
    pub(crate) fn is_ours(&self) -> bool {
        self.is_ours
    }

    fn call_new(&self, form: New, bytes: usize, align: usize) -> Option<usize> {
        let array = usize::from(form.is_array);
        let nothrow = usize::from(form.is_nothrow || self.may_fail);
        if form.is_aligned {
            let new = self.new_aligned[array][nothrow]?;
            return Some(new(bytes, align, NOWHERE));
        }
        let new = self.new[array][nothrow]?;
        Some(new(bytes, NOWHERE))
    }

    fn call_delete(&self, form: New, align: usize, is_sized: bool, block: Block) {
        let array = usize::from(form.is_array);
        let which = if is_sized {
            1
        } else {
            2 * usize::from(form.is_nothrow)
        };
        let start = block.start;
        if form.is_aligned
            && let Some(delete) = self.delete_aligned[array][which]
        {
            delete(start, if is_sized { block.bytes } else { align }, align);
        } else if let Some(delete) = self.delete[array][which] {
            delete(start, block.bytes);
        } else {
            (self.free)(start);
        }
    }

    fn call_release(&self, how: Release, block: Block) -> Result<(), Fault> {
        if let Some(kernel) = &self.kernel {
            kernel.prepare(block);
            if how == Release::Kernel {
                kernel.release(block);
                return Ok(());
            }
        }
        let is_sized = how == Release::Sized;
        match (how, block.origin) {
            (_, Origin::New(form, align)) => self.call_delete(form, align, is_sized, block),
            (Release::Sized, Origin::Plain) => match self.free_sized {
                Some(free_sized) => drop(free_sized(block.start, block.bytes)),
                None => drop((self.free)(block.start)),
            },
            (Release::Sized, Origin::Aligned(align)) => match self.free_aligned_sized {
                Some(free_sized) => drop(free_sized(block.start, align, block.bytes)),
                None => drop((self.free)(block.start)),
            },
            (Release::Cfree, _) => drop(self.cfree.unwrap_or(self.free)(block.start)),
            (Release::Realloc, _) => {
                if (self.realloc)(block.start, 0) != 0 {
                    return Err("realloc to nothing gave a block");
                }
            }
            (Release::Free | Release::Sized | Release::Kernel, _) => drop((self.free)(block.start)),
        }
        Ok(())
    }

    /// Writes the heap's state to a stream in memory.
    fn tell(&self) -> Result<(), Fault> {
        let mut text: *mut c_char = null_mut();
        let mut length = 0;
        // SAFETY: two places of ours, which live until the stream is closed.
        let stream = unsafe { libc::open_memstream(&raw mut text, &raw mut length) };
        if stream.is_null() {
            return Ok(());
        }
        let is_told = (self.malloc_info)(0, stream) == 0;
        let is_refused = (self.malloc_info)(1, stream) == libc::EINVAL;
        // SAFETY: opened above.
        unsafe { libc::fclose(stream) };
        // SAFETY: the stream's text, which ends.
        let written = unsafe { CStr::from_ptr(text) }.to_bytes();
        let is_whole = written.len() == length
            && written.starts_with(b"<malloc version=")
            && written.ends_with(b"</malloc>\n");
        (self.free)(text as usize);
        if is_told && is_refused && is_whole {
            Ok(())
        } else {
            Err("malloc_info is wrong")
        }
    }
}

impl Target for CFace {
    #[inline]
    fn take(&mut self, how: Take, bytes: usize, align: usize) -> Result<usize, Fault> {
        set_errno(UNTOUCHED);
        let start = match how {
            Take::Malloc => (self.malloc)(bytes),
            Take::Calloc if bytes.is_multiple_of(8) => (self.calloc)(bytes / 8, 8),
            Take::Calloc => (self.calloc)(1, bytes),
            Take::Realloc => (self.realloc)(0, bytes),
            Take::Memalign => (self.memalign)(align, bytes),
            Take::AlignedAlloc => (self.aligned_alloc)(align, bytes),
            Take::PosixMemalign => {
                let mut start = NOWHERE;
                let error = (self.posix_memalign)(&raw mut start, align, bytes);
                let said = if error == 0 { UNTOUCHED } else { error };
                if errno() != said && self.is_ours {
                    return Err("posix_memalign's errno is wrong");
                }
                match (error, start) {
                    (0, start) => return Ok(start),
                    (libc::ENOMEM, NOWHERE) => return Ok(0),
                    _ => return Err("posix_memalign's answer is wrong"),
                }
            }
            Take::Valloc => (self.valloc)(bytes),
            Take::Pvalloc => (self.pvalloc)(bytes),
            Take::New(form) => {
                let start = self.call_new(form, bytes, align);
                // What has no C++ forms is asked for the next best.
                return Ok(start.unwrap_or_else(|| (self.memalign)(align, bytes)));
            }
            Take::Kernel(kernel) => {
                return self.kernel.map_or(Ok(0), |face| face.take(kernel, bytes));
            }
            Take::OnNode(node) => {
                let Some(alloc_onnode) = self.alloc_onnode else {
                    return Ok(0);
                };
                let start = alloc_onnode(bytes, c_int::from(node));
                if start == 0 && errno() == libc::EINVAL {
                    return Ok(0);
                }
                start
            }
        };
        if start == 0 && errno() != libc::ENOMEM {
            return Err("no memory, and errno is not ENOMEM");
        }
        Ok(start)
    }

    #[inline]
    fn release(&mut self, how: Release, block: Option<Block>) -> Result<(), Fault> {
        set_errno(UNTOUCHED);
        match block {
            Some(block) => self.call_release(how, block)?,
            None => drop((self.free)(0)),
        }
        // Nobody says that `realloc` keeps it.
        if errno() != UNTOUCHED && how != Release::Realloc {
            return Err("free has changed errno");
        }
        Ok(())
    }

    #[inline]
    fn resize(&mut self, how: Resize, block: Block, bytes: usize) -> Result<usize, Fault> {
        set_errno(UNTOUCHED);
        let start = match how {
            Resize::Realloc => (self.realloc)(block.start, bytes),
            Resize::ReallocArray if bytes.is_multiple_of(3) => {
                (self.reallocarray)(block.start, bytes / 3, 3)
            }
            Resize::ReallocArray => (self.reallocarray)(block.start, 1, bytes),
        };
        if start == 0 && errno() != libc::ENOMEM {
            return Err("no memory, and errno is not ENOMEM");
        }
        Ok(start)
    }

    #[inline]
    fn usable(&mut self, start: usize) -> usize {
        (self.malloc_usable_size)(start)
    }

    fn refuse(&mut self, what: Refusal, block: Option<Block>) -> Result<(), Fault> {
        let old = block.map_or(0, |block| block.start);
        let is_fit = !block.is_some_and(|block| matches!(block.origin, Origin::New(..)));
        let mut place = NOWHERE;
        set_errno(UNTOUCHED);
        let (answer, expected) = match what {
            Refusal::Malloc => ((self.malloc)(TOO_MUCH + old), libc::ENOMEM),
            Refusal::Calloc => ((self.calloc)(usize::MAX / 5, 7), libc::ENOMEM),
            Refusal::Realloc if is_fit => ((self.realloc)(old, TOO_MUCH), libc::ENOMEM),
            Refusal::ReallocArray if is_fit => {
                ((self.reallocarray)(old, usize::MAX / 2, 3), libc::ENOMEM)
            }
            Refusal::Realloc | Refusal::ReallocArray => return Ok(()),
            Refusal::Memalign => ((self.memalign)(4_096, usize::MAX - 100), libc::ENOMEM),
            // glibc 2.36 takes it for the next power of two.
            Refusal::AlignedAlloc if !self.is_ours => return Ok(()),
            Refusal::AlignedAlloc => ((self.aligned_alloc)(48, 48), libc::EINVAL),
            Refusal::Pvalloc => ((self.pvalloc)(usize::MAX - 10), libc::ENOMEM),
            Refusal::NewNothrow => {
                let Some(new) = self.new[0][1] else {
                    return Ok(());
                };
                set_errno(libc::ENOMEM);
                (new(TOO_MUCH, NOWHERE), libc::ENOMEM)
            }
            Refusal::OnNode => {
                let Some(alloc_onnode) = self.alloc_onnode else {
                    return Ok(());
                };
                (alloc_onnode(100, -1), libc::EINVAL)
            }
            Refusal::PosixMemalignSize => {
                let error = (self.posix_memalign)(&raw mut place, 64, TOO_MUCH);
                (usize::from(error != libc::ENOMEM), libc::ENOMEM)
            }
            Refusal::PosixMemalignAlign => {
                let wrong = [0, 1, 4, 24, 4_097, TOO_MUCH - 8][old / 16 % 6];
                let error = (self.posix_memalign)(&raw mut place, wrong, 100);
                (usize::from(error != libc::EINVAL), UNTOUCHED)
            }
        };
        if answer != 0 || place != NOWHERE {
            return Err("what must be refused was not");
        }
        if errno() != expected {
            return Err("a refusal's errno is wrong");
        }
        Ok(())
    }

    fn tend(&mut self, what: [u8; 2]) -> Result<(), Fault> {
        let [what, how] = what;
        match what {
            0..=23 => {
                let trimmed = (self.malloc_trim)(usize::from(how) << 12);
                if !(0..=1).contains(&trimmed) {
                    return Err("malloc_trim's answer is wrong");
                }
            }
            24..=99 => {
                let info = (self.mallinfo2)();
                if self.is_ours && info.uordblks + info.fordblks != info.arena {
                    return Err("mallinfo2 does not add up");
                }
            }
            100..=119 => self.tell()?,
            120..=139 => {
                let bytes = 32 << (10 + how % 12);
                let is_taken = (self.mallopt)(libc::M_MMAP_THRESHOLD, bytes) == 1;
                if !is_taken {
                    return Err("mallopt's answer is wrong");
                }
            }
            140..=149 => {
                if (self.mallopt)(libc::M_TRIM_THRESHOLD, i32::from(how) << 16) != 1 {
                    return Err("mallopt's answer is wrong");
                }
            }
            150..=155 => {
                // Back to what most programs have.
                (self.mallopt)(libc::M_MMAP_THRESHOLD, 32 << 20);
                (self.mallopt)(libc::M_TRIM_THRESHOLD, 0);
            }
            _ => {
                if (self.malloc_usable_size)(0) != 0 {
                    return Err("null has usable bytes");
                }
            }
        }
        Ok(())
    }

    fn take_many(&mut self, cache: u8, starts: &mut [usize]) -> Result<bool, Fault> {
        let take = |kernel: KernelFace| kernel.take_many(cache, starts);
        self.kernel.map_or(Ok(false), take)
    }

    fn release_many(&mut self, cache: u8, blocks: &[Block]) -> Result<(), Fault> {
        self.kernel
            .inspect(|kernel| kernel.release_many(cache, blocks));
        Ok(())
    }

    fn tend_caches(&mut self, what: [u8; 2]) -> Result<(), Fault> {
        self.kernel.map_or(Ok(()), |kernel| kernel.tend(what))
    }
}

impl Face for CFace {
    fn held(&self) -> [usize; 4] {
        // Others count what their caches hold as in use.
        if !self.is_ours {
            return [0; 4];
        }
        let objects = self.kernel.map_or(0, |kernel| kernel.held());
        let info = (self.mallinfo2)();
        [info.uordblks, info.hblks, info.hblkhd, objects]
    }
}

fn is_slubmalloc() -> bool {
    // SAFETY: a name that ends.
    let malloc = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"malloc".as_ptr()) };
    // SAFETY: zeroes are a value of it.
    let mut place: libc::Dl_info = unsafe { core::mem::zeroed() };
    // SAFETY: any address may be asked for.
    if unsafe { libc::dladdr(malloc, &raw mut place) } == 0 || place.dli_fname.is_null() {
        return false;
    }
    // SAFETY: the loader's own text.
    let file = unsafe { CStr::from_ptr(place.dli_fname) }.to_bytes();
    file.windows(10).any(|part| part == b"slubmalloc")
}

#[inline(always)]
fn errno() -> c_int {
    // SAFETY: the thread's own, valid while it lives.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { place.read() }
}

#[inline(always)]
fn set_errno(value: c_int) {
    // SAFETY: the thread's own, valid while it lives.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { place.write(value) };
}
