//! The kernel's other services by name, each one system call.

use core::ffi::{CStr, c_char};
use core::sync::atomic::AtomicU32;

use super::syscall::{ask, call};

/// Reads the beginning of a file into `buffer`; gives the part that was read.
pub(crate) fn read_file<'buffer>(path: &CStr, buffer: &'buffer mut [u8]) -> Option<&'buffer [u8]> {
    let file = open(path)?;
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match read(file, rest) {
            None | Some(0) => break,
            Some(bytes) => length += bytes,
        }
    }
    close(file);
    buffer.get(..length)
}

/// Bytes that [`show_file`] reads at once: what has no memory of its own is on the reader's stack, which may be small.
const PIECE: usize = 256;

/// Shows a file to `show` from its beginning, a piece at a time, as long as that returns `true`; `None` where there is
/// no such file.
pub(crate) fn show_file(path: &CStr, show: &mut dyn FnMut(&[u8]) -> bool) -> Option<()> {
    let file = open(path)?;
    let mut piece = [0; PIECE];
    while let Some(bytes) = read(file, &mut piece).filter(|bytes| *bytes > 0) {
        if !show(piece.get(..bytes).unwrap_or_default()) {
            break;
        }
    }
    close(file);
    Some(())
}

/// Opens a file for reading.
fn open(path: &CStr) -> Option<usize> {
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    let path = path.as_ptr() as usize;
    let arguments = [libc::AT_FDCWD as usize, path, flags, 0, 0, 0];
    // SAFETY: `path` is a C string.
    unsafe { call(libc::SYS_openat, arguments) }.value()
}

/// Reads from where the file is at; returns the number of bytes, 0 at its end.
fn read(file: usize, buffer: &mut [u8]) -> Option<usize> {
    let arguments = [file, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`.
    unsafe { call(libc::SYS_read, arguments) }.value()
}

/// Closes a file that was opened here and is used by nobody else.
fn close(file: usize) {
    // SAFETY: the caller opened it.
    let _ = unsafe { call(libc::SYS_close, [file, 0, 0, 0, 0, 0]) };
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

/// The mappings that a process may have, `vm.max_map_count`; `None` where nobody tells.
pub(crate) fn most_mappings() -> Option<usize> {
    // A program that locked itself in may be killed for opening a file.
    if is_filtered() {
        return None;
    }
    let mut text = [0; 24];
    let text = read_file(cstr::cstr!("/proc/sys/vm/max_map_count"), &mut text)?;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let most = digits.fold(0_usize, |most, byte| {
        most.saturating_mul(10)
            .saturating_add(usize::from(byte - b'0'))
    });
    (most > 0).then_some(most)
}

/// A limit of the process; `None` where there is none. See getrlimit(2).
pub(super) fn limit_of(resource: libc::__rlimit_resource_t) -> Option<usize> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let arguments = [0, resource as usize, 0, (&raw mut limit) as usize, 0, 0];
    // SAFETY: the kernel fills `limit`.
    unsafe { call(libc::SYS_prlimit64, arguments) }.value()?;
    if limit.rlim_cur == libc::RLIM64_INFINITY {
        return None;
    }
    Some(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

/// Who may sleep on a word, or wake who does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// The threads of this process.
    Private,
    /// Every thread that maps the page that the word lies in.
    Shared,
}

impl Sharing {
    fn flag(self) -> i32 {
        match self {
            Self::Private => libc::FUTEX_PRIVATE_FLAG,
            Self::Shared => 0,
        }
    }
}

/// Sleeps while `word` holds `expected`; may wake without reason.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32) {
    futex_wait_as(word, expected, None, Sharing::Private);
}

/// Sleeps while `word` holds `expected`, but no longer than this; may wake without reason.
pub(crate) fn futex_wait_for(word: &AtomicU32, expected: u32, milliseconds: u64) {
    futex_wait_as(word, expected, Some(milliseconds), Sharing::Private);
}

/// Sleeps while `word` holds `expected`, and no longer than that many milliseconds if that is said.
pub(super) fn futex_wait_as(
    word: &AtomicU32,
    expected: u32,
    milliseconds: Option<u64>,
    sharing: Sharing,
) {
    let milliseconds_or_none = milliseconds.unwrap_or(0);
    let time = libc::timespec {
        tv_sec: (milliseconds_or_none / 1_000).cast_signed(),
        tv_nsec: (milliseconds_or_none % 1_000).cast_signed() * 1_000_000,
    };
    let time = milliseconds.map_or(0, |_| (&raw const time) as usize);
    let operation = (libc::FUTEX_WAIT | sharing.flag()) as usize;
    let word = word.as_ptr() as usize;
    let arguments = [word, operation, expected as usize, time, 0, 0];
    // SAFETY: the kernel only reads the word and the time.
    let _ = unsafe { call(libc::SYS_futex, arguments) };
}

/// Sleeps while `word` holds `expected`, for some hundredths of a second; may wake without reason.
pub(crate) fn futex_wait_briefly(word: &AtomicU32, expected: u32) {
    futex_wait_for(word, expected, 20);
}

/// Sleeps for a time.
pub(crate) fn sleep(milliseconds: u64) {
    futex_wait_for(&AtomicU32::new(0), 0, milliseconds);
}

/// The number of the process.
pub(crate) fn process_id() -> usize {
    // SAFETY: only reads a number.
    unsafe { call(libc::SYS_getpid, [0; 6]) }
        .value()
        .unwrap_or(0)
}

/// Wakes at most `waiters` sleepers of `word`.
pub(crate) fn futex_wake(word: &AtomicU32, waiters: usize) {
    futex_wake_as(word, waiters, Sharing::Private);
}

/// Wakes at most `waiters` of those that sleep on `word` in the same way.
pub(super) fn futex_wake_as(word: &AtomicU32, waiters: usize, sharing: Sharing) {
    let operation = (libc::FUTEX_WAKE | sharing.flag()) as usize;
    let arguments = [word.as_ptr() as usize, operation, waiters, 0, 0, 0];
    // SAFETY: the kernel uses only the word's address.
    let _ = unsafe { call(libc::SYS_futex, arguments) };
}

/// The value of the environment variable `name`, read without libc's locks.
///
/// The loader allocates before libc knows its environment; then the kernel's copy is searched,
/// of which `buffer` holds the beginning.
#[unsafe(link_section = ".text.hot.life")]
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
        // SAFETY: `environ` ends with a null pointer, where the loop ends.
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

// Beside `environment`, as all that runs when a program starts.
#[unsafe(link_section = ".text.hot.life")]
fn value_of<'line>(line: &'line [u8], name: &[u8]) -> Option<&'line [u8]> {
    line.strip_prefix(name)?.strip_prefix(b"=")
}

/// Milliseconds since some moment in the past. The clock is a coarse one, which the C library reads
/// without a system call.
pub(crate) fn milliseconds() -> u64 {
    let time = clock(libc::CLOCK_MONOTONIC_COARSE);
    time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000
}

/// Microseconds since some moment in the past.
pub(crate) fn microseconds() -> u64 {
    let time = clock(libc::CLOCK_MONOTONIC);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

fn clock(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the structure is the call's to write.
    ask(|| unsafe { libc::clock_gettime(clock, &raw mut time) });
    time
}

/// Whether a seccomp(2) filter stands between this process and the kernel.
pub(crate) fn is_filtered() -> bool {
    let arguments = [libc::PR_GET_SECCOMP as usize, 0, 0, 0, 0, 0];
    // SAFETY: only reads a number.
    unsafe { call(libc::SYS_prctl, arguments) }.value() != Some(0)
}
