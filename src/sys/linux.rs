//! The kernel's services by name, each one system call.

use core::ffi::{CStr, c_char};
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use super::syscall::call;

const NO_FILE: usize = usize::MAX;

/// Reserves `bytes` of address space without access; nothing is charged but address space.
pub(super) fn reserve(bytes: usize) -> Option<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    mmap(bytes, libc::PROT_NONE, flags)
}

/// Maps `bytes` of zeroed memory.
pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    mmap(bytes, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)
}

/// Reserves exactly these addresses; `false` if any of them is in use.
pub(super) fn reserve_at(start: NonNull<u8>, bytes: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let flags = (flags | libc::MAP_FIXED_NOREPLACE) as usize;
    let access = libc::PROT_NONE as usize;
    let wanted = start.as_ptr() as usize;
    // SAFETY: with MAP_FIXED_NOREPLACE nothing is replaced.
    let got = unsafe { call(libc::SYS_mmap, [wanted, bytes, access, flags, NO_FILE, 0]) }.value();
    match got {
        Some(address) if address == wanted => true,
        Some(address) => {
            // A kernel before 4.17 takes the address for a wish.
            // SAFETY: the mapping was made above.
            let _ = unsafe { call(libc::SYS_munmap, [address, bytes, 0, 0, 0, 0]) };
            false
        }
        None => false,
    }
}

fn mmap(bytes: usize, access: i32, flags: i32) -> Option<NonNull<u8>> {
    let arguments = [0, bytes, access as usize, flags as usize, NO_FILE, 0];
    // SAFETY: a new anonymous mapping at an address of the kernel's choice replaces nothing.
    let address = unsafe { call(libc::SYS_mmap, arguments) }.value()?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address))
}

/// Unmaps `bytes` at `start`.
///
/// # Safety
///
/// The range is a mapping of ours that nobody uses any more.
pub(super) unsafe fn unmap(start: NonNull<u8>, bytes: usize) -> bool {
    let arguments = [start.as_ptr() as usize, bytes, 0, 0, 0, 0];
    // SAFETY: the caller gives the range up.
    unsafe { call(libc::SYS_munmap, arguments) }.is_ok()
}

/// Makes a mapping longer, moving its page tables where there is no room; `None` leaves it as it was.
///
/// # Safety
///
/// The range is a mapping of ours, and its old address is not used after a move.
pub(super) unsafe fn remap(
    start: NonNull<u8>,
    old_bytes: usize,
    new_bytes: usize,
) -> Option<NonNull<u8>> {
    let flags = libc::MREMAP_MAYMOVE as usize;
    let arguments = [start.as_ptr() as usize, old_bytes, new_bytes, flags, 0, 0];
    // SAFETY: the caller owns the mapping.
    let address = unsafe { call(libc::SYS_mremap, arguments) }.value()?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address))
}

/// Makes reserved pages readable and writable.
///
/// # Safety
///
/// The range lies in a reservation of ours.
pub(super) unsafe fn allow(start: NonNull<u8>, bytes: usize) -> bool {
    let access = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    // SAFETY: access is only added, to memory that nobody uses yet.
    unsafe {
        call(
            libc::SYS_mprotect,
            [start.as_ptr() as usize, bytes, access, 0, 0, 0],
        )
    }
    .is_ok()
}

/// Gives the memory behind a range back to the kernel at once; it reads as zero afterwards.
///
/// # Safety
///
/// Nobody needs the range's content any more.
pub(super) unsafe fn release_to_system(start: NonNull<u8>, bytes: usize) -> bool {
    let advice = libc::MADV_DONTNEED as usize;
    // SAFETY: the caller gives the content up.
    unsafe {
        call(
            libc::SYS_madvise,
            [start.as_ptr() as usize, bytes, advice, 0, 0, 0],
        )
    }
    .is_ok()
}

/// Replaces a range by a reservation without access, whose memory is charged to nobody.
///
/// # Safety
///
/// The range lies in a reservation of ours, and nobody uses it any more.
pub(super) unsafe fn reserve_again(start: NonNull<u8>, bytes: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    let access = libc::PROT_NONE as usize;
    let arguments = [
        start.as_ptr() as usize,
        bytes,
        access,
        flags as usize,
        NO_FILE,
        0,
    ];
    // SAFETY: the caller gives the range up.
    unsafe { call(libc::SYS_mmap, arguments) }.is_ok()
}

/// Names a range for `/proc/PID/maps`, where the kernel (5.17, with its option) knows how.
pub(super) fn name(start: NonNull<u8>, bytes: usize, name: &CStr) {
    let (option, kind) = (
        libc::PR_SET_VMA as usize,
        libc::PR_SET_VMA_ANON_NAME as usize,
    );
    let arguments = [
        option,
        kind,
        start.as_ptr() as usize,
        bytes,
        name.as_ptr() as usize,
        0,
    ];
    // SAFETY: the kernel reads the name and changes no memory.
    let _ = unsafe { call(libc::SYS_prctl, arguments) };
}

/// Asks for the range's pages from `node` first, from elsewhere if it is short.
pub(super) fn prefer_node(start: NonNull<u8>, bytes: usize, node: u8) -> bool {
    const MPOL_PREFERRED: usize = 1;
    let mask: u64 = 1 << (node % 64);
    // The kernel wants one bit more than the mask has.
    let arguments = [
        start.as_ptr() as usize,
        bytes,
        MPOL_PREFERRED,
        (&raw const mask) as usize,
        65,
        0,
    ];
    // SAFETY: a policy changes where pages come from, never what they hold; `mask` outlives the call.
    unsafe { call(libc::SYS_mbind, arguments) }.is_ok()
}

/// Whether somebody set a memory policy for this process, as `numactl` does.
pub(crate) fn process_has_memory_policy() -> bool {
    const MPOL_DEFAULT: i32 = 0;
    let mut mode: i32 = 0;
    let arguments = [(&raw mut mode) as usize, 0, 0, 0, 0, 0];
    // SAFETY: the kernel writes one int to `mode`.
    let answer = unsafe { call(libc::SYS_get_mempolicy, arguments) };
    answer.is_ok() && mode != MPOL_DEFAULT
}

/// The node of the CPU that runs the caller.
pub(crate) fn current_node() -> Option<u8> {
    let mut node: u32 = 0;
    // SAFETY: the kernel writes one unsigned int to `node`.
    let answer = unsafe { call(libc::SYS_getcpu, [0, (&raw mut node) as usize, 0, 0, 0, 0]) };
    answer.value()?;
    u8::try_from(node).ok()
}

/// Reads the beginning of a file into `buffer`; gives the part that was read.
pub(crate) fn read_file<'buffer>(path: &CStr, buffer: &'buffer mut [u8]) -> Option<&'buffer [u8]> {
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    let arguments = [
        libc::AT_FDCWD as usize,
        path.as_ptr() as usize,
        flags,
        0,
        0,
        0,
    ];
    // SAFETY: `path` is a C string.
    let file = unsafe { call(libc::SYS_openat, arguments) }.value()?;
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        let arguments = [file, rest.as_mut_ptr() as usize, rest.len(), 0, 0, 0];
        // SAFETY: the kernel writes at most `rest.len()` bytes to `rest`.
        match unsafe { call(libc::SYS_read, arguments) }.value() {
            None | Some(0) => break,
            Some(bytes) => length += bytes,
        }
    }
    // SAFETY: the file was opened above and is used by nobody else.
    let _ = unsafe { call(libc::SYS_close, [file, 0, 0, 0, 0, 0]) };
    buffer.get(..length)
}

/// Writes `text` to standard error, as far as it goes.
pub(crate) fn write_stderr(mut text: &[u8]) {
    while !text.is_empty() {
        let arguments = [2, text.as_ptr() as usize, text.len(), 0, 0, 0];
        // SAFETY: the kernel reads `text` alone.
        match unsafe { call(libc::SYS_write, arguments) }.value() {
            None | Some(0) => return,
            Some(bytes) => text = text.get(bytes..).unwrap_or_default(),
        }
    }
}

/// Ends the process with SIGABRT.
pub(crate) fn abort() -> ! {
    // SAFETY: abort(3) may be called at any time.
    unsafe { libc::abort() }
}

/// The machine's RAM in bytes; 0 where the kernel does not tell.
pub(crate) fn total_ram_bytes() -> usize {
    // SAFETY: all-zero is a valid `sysinfo`.
    let mut info: libc::sysinfo = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel fills `info`.
    let answer = unsafe { call(libc::SYS_sysinfo, [(&raw mut info) as usize, 0, 0, 0, 0, 0]) };
    if !answer.is_ok() {
        return 0;
    }
    (info.totalram as usize).saturating_mul((info.mem_unit as usize).max(1))
}

/// The address space that `RLIMIT_AS` leaves to this process; `None` where there is no limit.
pub(crate) fn virtual_memory_left() -> Option<usize> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let arguments = [
        0,
        libc::RLIMIT_AS as usize,
        0,
        (&raw mut limit) as usize,
        0,
        0,
    ];
    // SAFETY: the kernel fills `limit`.
    unsafe { call(libc::SYS_prlimit64, arguments) }.value()?;
    if limit.rlim_cur == libc::RLIM64_INFINITY {
        return None;
    }
    let mut text = [0; 64];
    let statm = read_file(cstr::cstr!("/proc/self/statm"), &mut text).unwrap_or_default();
    let digits = statm.iter().take_while(|byte| byte.is_ascii_digit());
    let pages = digits.fold(0_usize, |pages, byte| pages * 10 + usize::from(byte - b'0'));
    let used = pages.saturating_mul(super::page_size());
    Some(
        usize::try_from(limit.rlim_cur)
            .unwrap_or(usize::MAX)
            .saturating_sub(used),
    )
}

/// Whether the caller is the process's first thread.
pub(crate) fn is_main_thread() -> bool {
    // SAFETY: both calls only read numbers.
    let process = unsafe { call(libc::SYS_getpid, [0; 6]) };
    // SAFETY: as above.
    let thread = unsafe { call(libc::SYS_gettid, [0; 6]) };
    process.value() == thread.value()
}

/// Sleeps while `word` holds `expected`; may wake without reason.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32) {
    let operation = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
    let arguments = [
        word.as_ptr() as usize,
        operation,
        expected as usize,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel only reads the word.
    let _ = unsafe { call(libc::SYS_futex, arguments) };
}

/// Wakes at most `waiters` sleepers of `word`.
pub(crate) fn futex_wake(word: &AtomicU32, waiters: usize) {
    let operation = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: the kernel uses the word's address alone.
    let _ = unsafe {
        call(
            libc::SYS_futex,
            [word.as_ptr() as usize, operation, waiters, 0, 0, 0],
        )
    };
}

/// The value of the environment variable `name`, read without libc's locks.
///
/// The loader allocates before libc knows its environment; then the kernel's copy is searched,
/// of which `buffer` holds the beginning.
pub(crate) fn environment<'text>(name: &[u8], buffer: &'text mut [u8]) -> Option<&'text [u8]> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: libc's variable; reading a pointer.
    let mut entry = unsafe { environ };
    if entry.is_null() {
        let text = read_file(cstr::cstr!("/proc/self/environ"), buffer)?;
        return text
            .split(|byte| *byte == 0)
            .find_map(|line| value_of(line, name));
    }
    loop {
        // SAFETY: `environ` ends with a null pointer, behind which the loop does not go.
        let line = unsafe { entry.read() };
        if line.is_null() {
            return None;
        }
        // SAFETY: every entry is a C string.
        let line = unsafe { CStr::from_ptr(line) };
        if let Some(value) = value_of(line.to_bytes(), name) {
            return Some(value);
        }
        // SAFETY: not the last entry, see above.
        entry = unsafe { entry.add(1) };
    }
}

fn value_of<'line>(line: &'line [u8], name: &[u8]) -> Option<&'line [u8]> {
    line.strip_prefix(name)?.strip_prefix(b"=")
}

/// Writes zeroes over `bytes` at `start`.
///
/// # Safety
///
/// The range is the caller's to write.
pub(crate) unsafe fn clear(start: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { start.write_bytes(0, bytes) };
}

/// Copies `bytes` from `from` to `to`, which do not overlap.
///
/// # Safety
///
/// Both ranges are the caller's.
pub(crate) unsafe fn copy(from: NonNull<u8>, to: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { to.copy_from_nonoverlapping(from, bytes) };
}
