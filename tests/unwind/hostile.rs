//! Stacks that lead elsewhere: code without call frame information, registers that point anywhere, ends of mappings.
#![cfg(target_arch = "x86_64")]

use core::ffi::{c_int, c_void};
use core::mem::zeroed;
use core::ptr::null_mut;

use crate::library::{Called, Leaf, Library};
use crate::{compared, libraries, ours};

const PAGE: usize = 4096;

/// Pages between two that cannot be read.
struct Fenced(usize);

impl Fenced {
    const BYTES: usize = 16 * PAGE;

    fn new() -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let bytes = Self::BYTES + 2 * PAGE;
        // SAFETY: a mapping of its own.
        let start = unsafe { libc::mmap(null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        let it = Self(start as usize + PAGE);
        it.allow(libc::PROT_READ | libc::PROT_WRITE);
        it
    }

    fn allow(&self, access: c_int) {
        // SAFETY: its own pages.
        let answer = unsafe { libc::mprotect(self.0 as *mut c_void, Self::BYTES, access) };
        assert_eq!(answer, 0);
    }

    fn end(&self) -> usize {
        self.0 + Self::BYTES
    }

    /// Code as a compiler at run time makes it.
    fn of_code(code: &[u8]) -> Self {
        let it = Self::new();
        // SAFETY: as many bytes are there.
        unsafe { core::ptr::copy_nonoverlapping(code.as_ptr(), it.0 as *mut u8, code.len()) };
        it.allow(libc::PROT_READ | libc::PROT_EXEC);
        it
    }

    fn called(&self) -> Called {
        // SAFETY: the bytes are a function of this type.
        unsafe { core::mem::transmute::<usize, Called>(self.0) }
    }
}

// Each calls its second argument with the third.
/// `push rbp; mov rbp, rsp; mov rdi, rdx; call rsi; pop rbp; ret`
const WITH_POINTER: &[u8] = b"\x55\x48\x89\xe5\x48\x89\xd7\xff\xd6\x5d\xc3";
/// `sub rsp, 8; mov rdi, rdx; call rsi; add rsp, 8; ret`
const WITHOUT: &[u8] = b"\x48\x83\xec\x08\x48\x89\xd7\xff\xd6\x48\x83\xc4\x08\xc3";
/// `push rbp; mov rbp, rdi; mov rdi, rdx; call rsi; pop rbp; ret`
const WITH_ANOTHER: &[u8] = b"\x55\x48\x89\xfd\x48\x89\xd7\xff\xd6\x5d\xc3";

unsafe extern "C" fn direct(_argument: usize, leaf: Leaf, data: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { leaf(data) };
    core::hint::black_box(data);
}

/// Says that the caller's frame pointer is `junk`.
#[unsafe(naked)]
unsafe extern "C" fn misleads(junk: usize, leaf: Leaf, data: *mut c_void) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rdi",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rdi, rdx",
        "call rsi",
        "pop rdi",
        ".cfi_def_cfa_offset 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `leaf(data)` with other stack and frame pointers, without call frame information.
#[unsafe(naked)]
unsafe extern "C" fn on_stack(sp: usize, pointer: usize, leaf: Leaf, data: *mut c_void) {
    core::arch::naked_asm!(
        "push rbx",
        "push rbp",
        "mov rbx, rsp",
        "mov rsp, rdi",
        "mov rbp, rsi",
        "mov rdi, rcx",
        "call rdx",
        "mov rsp, rbx",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

unsafe extern "C" fn look(data: *mut c_void) {
    // SAFETY: what `seen` hands in.
    let frames = unsafe { &mut *data.cast::<Vec<usize>>() };
    *frames = ours();
}

/// The stacks of `look`, when it is called by each of `called`: that comes second.
#[inline(never)]
fn seen(library: &Library, called: &[Called], argument: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    // At one place for all of them.
    for called in core::hint::black_box(called) {
        let mut frames = Vec::new();
        library.calls(*called, argument, look, (&raw mut frames).cast());
        all.push(frames);
    }
    all
}

/// Values of a register that is no frame pointer.
fn junk(fenced: &Fenced, local: &[usize]) -> Vec<usize> {
    let heap = Box::leak(Box::new([1_usize; 64])).as_ptr() as usize;
    let near = local.as_ptr() as usize;
    let end = fenced.end();
    let mut all = vec![0, 1, 8, !0, !7, !15, 1 << 63, 1 << 47, PAGE, heap, heap + 1];
    all.extend([near, near + 1, near + 8, near + (1 << 20), near + (1 << 24)]);
    all.extend([
        end - 16,
        end - 8,
        end - 4,
        end,
        end + PAGE,
        fenced.0,
        fenced.0 - 8,
    ]);
    all
}

#[test]
fn frame_pointers_lead_through_code_without_tables() {
    let code = Fenced::of_code(WITH_POINTER);
    for library in libraries() {
        let all = seen(&library, &[direct, code.called()], 0);
        let [plain, made] = &all[..] else { panic!() };
        assert!(plain.len() > 10);
        assert_eq!(made[1], code.0 + 9);
        assert_eq!(made[2..], plain[2..]);
    }
}

#[test]
fn without_a_frame_pointer_a_stack_is_short() {
    let (without, another) = (Fenced::of_code(WITHOUT), Fenced::of_code(WITH_ANOTHER));
    let fenced = Fenced::new();
    for library in libraries() {
        let local = [0_usize, 0, fenced.0, fenced.0];
        for value in junk(&fenced, &local) {
            let called = [direct, without.called(), another.called(), misleads];
            let all = seen(&library, &called, value);
            let [plain, one, other, misled] = &all[..] else {
                panic!()
            };
            assert_eq!(one[1], without.0 + 9);
            assert_eq!(other[1], another.0 + 9);
            assert_eq!(misled[2], plain[2]);
            for (short, kept) in [(one, 2), (other, 2), (misled, 3)] {
                assert!(
                    plain.ends_with(&short[kept..]),
                    "{value:x}: {short:x?}\n{plain:x?}"
                );
            }
        }
    }
}

#[test]
fn the_end_of_a_mapping_is_the_end_of_a_stack() {
    let stack = Fenced::new();
    let local = [0; 4];
    for pointer in junk(&stack, &local) {
        let mut frames: Vec<usize> = Vec::new();
        // SAFETY: a stack that nobody else uses.
        unsafe { on_stack(stack.end(), pointer, look, (&raw mut frames).cast()) };
        assert!((1..4).contains(&frames.len()), "{pointer:x}: {frames:x?}");
    }
}

#[test]
fn coroutines_have_stacks_of_their_own() {
    extern "C" fn run() {
        let [library, _] = libraries();
        let counts = compared(|leaf, data| library.deep(20, leaf, data));
        assert!(counts[0] > 40, "{counts:?}");
    }
    let stack = Fenced::new();
    // SAFETY: all zeroes is a context without contents.
    let mut contexts: [libc::ucontext_t; 2] = unsafe { zeroed() };
    let [here, there] = &mut contexts;
    // SAFETY: filled by the call.
    assert_eq!(unsafe { libc::getcontext(there) }, 0);
    there.uc_stack.ss_sp = stack.0 as *mut c_void;
    there.uc_stack.ss_size = Fenced::BYTES;
    there.uc_link = here;
    // SAFETY: the context has a stack.
    unsafe { libc::makecontext(there, run, 0) };
    // SAFETY: both are contexts.
    assert_eq!(unsafe { libc::swapcontext(here, there) }, 0);
}
