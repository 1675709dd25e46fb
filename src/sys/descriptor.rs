//! Descriptors for reports: what they are open on, copies that a program does not come by, and files that grow.

use core::ffi::CStr;

use super::syscall::call;

/// Standard error.
pub(crate) const STANDARD_ERROR: u32 = 2;

/// The number of a copy at least, if the program may have that many; below it the program counts its own.
const HIGH: usize = 1_000;
/// A copy lies above the limit on descriptors, where no program that closes all up to the limit comes by, if the limit
/// is at most this: the kernel's table has room up to the highest number.
const MOST_TABLE: u64 = 4_096;

/// What a descriptor is open on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    /// The device that the file is on.
    pub(crate) device: u64,
    /// The number of the file there.
    pub(crate) inode: u64,
}

impl FileId {
    /// What `descriptor` is open on; `None` if it is not open. See fstat(2).
    pub(crate) fn of(descriptor: u32) -> Option<Self> {
        // SAFETY: all-zero is a valid `stat`.
        let mut status: libc::stat = unsafe { core::mem::zeroed() };
        let arguments = [descriptor as usize, (&raw mut status) as usize, 0, 0, 0, 0];
        // SAFETY: the kernel fills `status`.
        unsafe { call(libc::SYS_fstat, arguments) }.value()?;
        Some(Self {
            device: status.st_dev,
            inode: status.st_ino,
        })
    }
}

/// Writes `text`, as far as it goes.
pub(crate) fn write_to(descriptor: u32, mut text: &[u8]) {
    while !text.is_empty() {
        let arguments = [
            descriptor as usize,
            text.as_ptr() as usize,
            text.len(),
            0,
            0,
            0,
        ];
        // SAFETY: the kernel reads only `text`.
        match unsafe { call(libc::SYS_write, arguments) }.value() {
            None | Some(0) => return,
            Some(bytes) => text = text.get(bytes..).unwrap_or_default(),
        }
    }
}

/// Writes `text` to standard error, as far as it goes.
pub(crate) fn write_stderr(text: &[u8]) {
    write_to(STANDARD_ERROR, text);
}

/// Copies a descriptor to a number that the program does not come by, closed by exec(2); `None` if there is no room.
#[cold]
#[inline(never)]
pub(crate) fn copy_descriptor(descriptor: u32) -> Option<u32> {
    let limit = change_limit(None)?;
    if limit.rlim_cur <= MOST_TABLE && limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit64 {
            rlim_cur: limit.rlim_max,
            ..limit
        };
        if change_limit(Some(&raised)).is_some() {
            let copy = copy_from(descriptor, limit.rlim_cur as usize);
            let _ = change_limit(Some(&limit));
            if copy.is_some() {
                return copy;
            }
        }
    }
    let most = usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX);
    let numbers = [HIGH, most / 2, 3];
    let mut fitting = numbers.into_iter().filter(|number| *number < most);
    fitting.find_map(|number| copy_from(descriptor, number))
}

/// Copies a descriptor to the first free number from `least` on.
fn copy_from(descriptor: u32, least: usize) -> Option<u32> {
    let command = libc::F_DUPFD_CLOEXEC as usize;
    let arguments = [descriptor as usize, command, least, 0, 0, 0];
    // SAFETY: replaces no descriptor.
    let copy = unsafe { call(libc::SYS_fcntl, arguments) }.value()?;
    u32::try_from(copy).ok()
}

/// The limit on descriptors, which is `new` from now on if that is given.
fn change_limit(new: Option<&libc::rlimit64>) -> Option<libc::rlimit64> {
    let mut old = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let new = new.map_or(core::ptr::null(), core::ptr::from_ref);
    let resource = libc::RLIMIT_NOFILE as usize;
    let arguments = [0, resource, new as usize, (&raw mut old) as usize, 0, 0];
    // SAFETY: the kernel reads `new` and fills `old`.
    unsafe { call(libc::SYS_prlimit64, arguments) }.value()?;
    Some(old)
}

/// Opens a file that grows by what is written to it; `may_create` makes one that only its owner may read and write.
/// Never a link's target, and never waits for a reader.
pub(crate) fn open_to_append(path: &CStr, may_create: bool) -> Option<u32> {
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let flags = flags | libc::O_NOCTTY | libc::O_NONBLOCK;
    let flags = if may_create {
        flags | libc::O_CREAT
    } else {
        flags
    };
    let arguments = [
        libc::AT_FDCWD as usize,
        path.as_ptr() as usize,
        flags as usize,
        0o600,
        0,
        0,
    ];
    // SAFETY: `path` is a C string.
    let file = unsafe { call(libc::SYS_openat, arguments) }.value()?;
    let file = u32::try_from(file).ok()?;
    let Some(copy) = copy_descriptor(file) else {
        return Some(file);
    };
    close_descriptor(file);
    Some(copy)
}

/// Makes a file that only its owner may read and write, or empties the one of that name; the kernel's error number where that
/// fails. Never waits for a reader.
pub(crate) fn create_file(path: &CStr) -> Result<u32, i32> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC;
    let flags = (flags | libc::O_NOCTTY | libc::O_NONBLOCK) as usize;
    let (at, path) = (libc::AT_FDCWD as usize, path.as_ptr() as usize);
    // SAFETY: `path` is a C string.
    let file = unsafe { call(libc::SYS_openat, [at, path, flags, 0o600, 0, 0]) }.result()?;
    Ok(file as u32)
}

/// Closes a descriptor.
pub(crate) fn close_descriptor(descriptor: u32) {
    // SAFETY: the caller's descriptor, which nobody uses any more.
    let _ = unsafe { call(libc::SYS_close, [descriptor as usize, 0, 0, 0, 0, 0]) };
}

/// The path of the file that standard error is open on, as the kernel knows it; empty where it does not tell.
pub(crate) fn path_of_stderr(path: &mut [u8]) -> &[u8] {
    let link = cstr::cstr!("/proc/self/fd/2").as_ptr() as usize;
    let at = libc::AT_FDCWD as usize;
    let arguments = [at, link, path.as_mut_ptr() as usize, path.len(), 0, 0];
    // SAFETY: the kernel writes at most `path.len()` bytes to `path`.
    let length = unsafe { call(libc::SYS_readlinkat, arguments) }.value();
    // A path that fills all may have been cut.
    let length = length.filter(|length| *length < path.len()).unwrap_or(0);
    path.get(..length).unwrap_or_default()
}

/// The working folder; empty where it has no path, or one that is too long.
pub(crate) fn working_folder(path: &mut [u8]) -> &[u8] {
    let arguments = [path.as_mut_ptr() as usize, path.len(), 0, 0, 0, 0];
    // SAFETY: the kernel writes at most `path.len()` bytes to `path`.
    let length = unsafe { call(libc::SYS_getcwd, arguments) }.value();
    // The zero at the end counts. What the process cannot reach does not begin with a slash.
    let path = path
        .get(..length.unwrap_or(0).saturating_sub(1))
        .unwrap_or_default();
    if path.starts_with(b"/") { path } else { &[] }
}

/// A pipe of this process's own.
#[derive(Debug)]
pub(crate) struct Pipe {
    read: u32,
    write: u32,
}

impl Pipe {
    /// A pipe that programs which are started do not get; `None` where there is none.
    pub(crate) fn new() -> Option<Self> {
        let mut ends = [0_u32; 2];
        let flags = (libc::O_CLOEXEC | libc::O_NONBLOCK) as usize;
        // SAFETY: the kernel writes two numbers to `ends`.
        unsafe {
            call(
                libc::SYS_pipe2,
                [ends.as_mut_ptr() as usize, flags, 0, 0, 0, 0],
            )
        }
        .value()?;
        let [read, write] = ends;
        Some(Self { read, write })
    }

    /// The number of the end that is written to.
    pub(crate) fn write_end(&self) -> u32 {
        self.write
    }

    /// Reads what is in the pipe into `text` and returns that part.
    pub(crate) fn read<'text>(&self, text: &'text mut [u8]) -> &'text [u8] {
        let arguments = [
            self.read as usize,
            text.as_mut_ptr() as usize,
            text.len(),
            0,
            0,
            0,
        ];
        // SAFETY: the kernel writes at most `text.len()` bytes to `text`.
        let length = unsafe { call(libc::SYS_read, arguments) }.value();
        text.get(..length.unwrap_or(0)).unwrap_or_default()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        close_descriptor(self.read);
        close_descriptor(self.write);
    }
}
