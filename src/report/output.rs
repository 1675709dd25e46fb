//! Where reports and statistics go: to files of their own, or to standard error as the program was started with it.
//!
//! # Invariant
//!
//! A descriptor is used only while it is open on the file that it was opened on: the program may have closed it, and
//! opened another file of its own with that number.
#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::Line;
use crate::sys::{self, FileId, STANDARD_ERROR};

/// Bytes of a path that is remembered.
const PATH: usize = 512;
/// Bytes of a path with the program's name and the process's number in it.
const FULL_PATH: usize = 768;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Reports of misuse and damage.
    Reports,
    /// The statistics when the program ends.
    Statistics,
    /// The heap profile when the program ends.
    Profile,
}

// ORDERING: relaxed throughout. What is configured is stored before there is a heap to report of. Of a descriptor that
// two threads open at once either may be used; what belongs to the other is no match for it.

/// Standard error as it was when the program started.
static STANDARD: Kept = Kept::new();
/// Whether that counts, and not what has its number now.
static IS_STANDARD_KEPT: AtomicBool = AtomicBool::new(false);
/// The file for reports, and for statistics without a file of their own.
static REPORTS: Kept = Kept::new();
/// The file for statistics.
static STATISTICS: Kept = Kept::new();
/// The file for the heap profile.
static PROFILE: Kept = Kept::new();

/// A file that is written to, by a descriptor that the program may close, or take for its own.
struct Kept {
    /// Its path; of a file that is to be made with `%p` and `%n` in it.
    path: [AtomicU8; PATH],
    /// A descriptor, 0 for none, the process that opened it, and what it is open on.
    descriptor: AtomicU32,
    process: AtomicU32,
    device: AtomicU64,
    inode: AtomicU64,
    is_refused: AtomicBool,
}

impl Kept {
    const fn new() -> Self {
        Self {
            path: [const { AtomicU8::new(0) }; PATH],
            descriptor: AtomicU32::new(0),
            process: AtomicU32::new(0),
            device: AtomicU64::new(0),
            inode: AtomicU64::new(0),
            is_refused: AtomicBool::new(false),
        }
    }

    fn has_path(&self) -> bool {
        self.path
            .first()
            .is_some_and(|byte| byte.load(Relaxed) != 0)
    }

    /// Stores a path, after `folder` and a slash if that is not empty; `None` if there is no room.
    fn set_path(&self, folder: &[u8], path: &[u8]) -> Option<()> {
        let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
        let length = folder.len() + slash.len() + path.len();
        if length >= PATH || path.contains(&0) {
            return None;
        }
        let bytes = folder.iter().chain(slash).chain(path).chain(&[0]);
        let places = self.path.iter().zip(bytes);
        places.for_each(|(place, byte)| place.store(*byte, Relaxed));
        Some(())
    }

    fn path(&self) -> impl Iterator<Item = u8> + '_ {
        let bytes = self.path.iter().map(|byte| byte.load(Relaxed));
        bytes.take_while(|byte| *byte != 0)
    }

    fn id(&self) -> FileId {
        FileId {
            device: self.device.load(Relaxed),
            inode: self.inode.load(Relaxed),
        }
    }

    fn keep(&self, descriptor: u32, id: FileId) {
        self.device.store(id.device, Relaxed);
        self.inode.store(id.inode, Relaxed);
        self.process.store(sys::process_id() as u32, Relaxed);
        self.descriptor.store(descriptor, Relaxed);
    }

    /// The descriptor, if it is open on the file that it was opened on.
    fn descriptor(&self) -> Option<u32> {
        let descriptor = self.descriptor.load(Relaxed);
        let is_kept = descriptor != 0 && FileId::of(descriptor) == Some(self.id());
        is_kept.then_some(descriptor)
    }

    /// A descriptor of the file that the path names in this process, opened now if it is not open.
    // Apart, so that a report without a file does not pay for its stack.
    #[inline(never)]
    fn open(&self) -> Option<u32> {
        let is_own = self.process.load(Relaxed) == sys::process_id() as u32;
        if let Some(descriptor) = self.descriptor() {
            // In the child of a fork it may be the parent's own.
            if is_own || !self.names_process() {
                return Some(descriptor);
            }
            sys::close_descriptor(descriptor);
        }
        // A path is long, and the reporting thread may have little stack left.
        sys::on_own_stack(|| self.open_now())?
    }

    #[cold]
    #[inline(never)]
    fn open_now(&self) -> Option<u32> {
        let path = self.full_path();
        let path = CStr::from_bytes_until_nul(path.as_bytes()).ok()?;
        let opened = sys::open_to_append(path, true);
        let Some(descriptor) = opened else {
            if !self.is_refused.swap(true, Relaxed) {
                let mut line = Line::<160>::headline();
                line.text("cannot write to ").quoted(path.to_bytes(), 60);
                line.text("\n");
                standard().inspect(|it| sys::write_to(*it, line.as_bytes()));
            }
            return None;
        };
        self.keep(descriptor, FileId::of(descriptor)?);
        Some(descriptor)
    }

    fn names_process(&self) -> bool {
        let next = self.path().skip(1);
        self.path().zip(next).any(|pair| pair == (b'%', b'p'))
    }

    /// The path with what `%p` and `%n` stand for, and a zero.
    fn full_path(&self) -> Line<FULL_PATH> {
        let mut full = Line::new();
        let mut bytes = self.path();
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => match bytes.next() {
                    Some(b'p') => full.number(sys::process_id()),
                    Some(b'n') => full.raw(sys::program_name(&mut [0; sys::PROGRAM_NAME])),
                    _ => full.text("%"),
                },
                _ => full.raw(&[byte]),
            };
        }
        full.raw(&[0]);
        full
    }
}

/// Has reports or statistics go to a file from now on, or to none: `%p` stands for the number of the process, `%n` for
/// the program's name, `%%` for one `%`. `None` if that is no path, or one that is too long.
#[cold]
#[inline(never)]
pub(crate) fn write_to_file(output: Output, path: Option<&[u8]>) -> Option<()> {
    let Some(path) = path else {
        return file(output).set_path(&[], &[]);
    };
    let mut bytes = path.iter();
    while let Some(byte) = bytes.next() {
        let is_right = *byte != b'%' || matches!(bytes.next(), Some(b'p' | b'n' | b'%'));
        is_right.then_some(())?;
    }
    // A program may change its folder.
    let mut folder = [0; PATH];
    let folder = match path.first()? {
        b'/' => &[],
        _ => Some(sys::working_folder(&mut folder)).filter(|folder| !folder.is_empty())?,
    };
    file(output).set_path(folder, path)
}

fn file(output: Output) -> &'static Kept {
    match output {
        Output::Reports => &REPORTS,
        Output::Statistics => &STATISTICS,
        Output::Profile => &PROFILE,
    }
}

/// Whether there is a file for this.
pub(crate) fn has_file(output: Output) -> bool {
    file(output).has_path() || REPORTS.has_path()
}

/// Whether there is a file for this and nothing else.
pub(crate) fn has_file_of_its_own(output: Output) -> bool {
    file(output).has_path()
}

/// Keeps standard error as it is now: from here on reports go there, or nowhere if it is closed already. The program
/// may close the copy; then a file or terminal is opened again.
#[cold]
#[inline(never)]
pub(crate) fn keep_standard_error() {
    IS_STANDARD_KEPT.store(true, Relaxed);
    let Some(id) = FileId::of(STANDARD_ERROR) else {
        return;
    };
    let mut path = [0; PATH];
    let path = sys::path_of_stderr(&mut path);
    // What has no path is called `pipe:[4711]`.
    if path.starts_with(b"/") {
        let _ = STANDARD.set_path(&[], path);
    }
    let copy = sys::copy_descriptor(STANDARD_ERROR);
    STANDARD.keep(copy.unwrap_or(0), id);
}

/// The number of the copy of standard error, if there is one. Only reports use it.
pub fn kept_descriptor() -> Option<u32> {
    STANDARD.descriptor()
}

/// Closes all descriptors of reports; for the object that is closed.
pub(crate) fn close_descriptors() {
    for kept in [&STANDARD, &REPORTS, &STATISTICS, &PROFILE] {
        if let Some(descriptor) = kept.descriptor() {
            sys::close_descriptor(descriptor);
        }
    }
}

/// Standard error: as it is now, or where it is kept, as it was.
fn standard() -> Option<u32> {
    if !IS_STANDARD_KEPT.load(Relaxed) || FileId::of(STANDARD_ERROR) == Some(STANDARD.id()) {
        return Some(STANDARD_ERROR);
    }
    STANDARD
        .descriptor()
        .or_else(|| sys::on_own_stack(open_standard_again)?)
}

#[cold]
#[inline(never)]
fn open_standard_again() -> Option<u32> {
    let mut path = Line::<FULL_PATH>::new();
    STANDARD.path().chain([0]).for_each(|byte| {
        path.raw(&[byte]);
    });
    let path = CStr::from_bytes_until_nul(path.as_bytes()).ok()?;
    let descriptor = sys::open_to_append(path, false)?;
    if FileId::of(descriptor) != Some(STANDARD.id()) {
        sys::close_descriptor(descriptor);
        return None;
    }
    STANDARD.keep(descriptor, STANDARD.id());
    Some(descriptor)
}

/// Where this is to be written; `None` if that is closed.
pub(crate) fn descriptor(output: Output) -> Option<u32> {
    let own = [file(output), &REPORTS]
        .into_iter()
        .find(|it| it.has_path());
    own.and_then(Kept::open).or_else(standard)
}

/// Writes a line of this.
pub(crate) fn write(output: Output, text: &[u8]) {
    if let Some(descriptor) = descriptor(output) {
        sys::write_to(descriptor, text);
    }
}

impl<const N: usize> Line<N> {
    /// Writes the line where reports go.
    pub fn print(&self) {
        write(Output::Reports, self.as_bytes());
    }
}
