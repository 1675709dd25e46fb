//! A file that parent and child have in memory: where the child's lists are, also when it ends in the middle.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::arguments::MOST_THREADS;

/// Where one list is.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Place {
    episode: AtomicU64,
    /// Records of this episode that were begun.
    records: AtomicU64,
    operations: AtomicU64,
}

// ORDERING: relaxed: a list's own thread writes, the parent reads numbers.
impl Place {
    /// Nothing was done yet.
    pub(super) fn clear(&self) {
        self.begin_episode(0);
        self.set_operations(0);
    }

    /// An episode begins.
    pub(super) fn begin_episode(&self, number: u64) {
        self.records.store(0, Relaxed);
        self.episode.store(number, Relaxed);
    }

    /// One more record.
    #[inline]
    pub(super) fn step(&self) {
        self.records.store(self.records.load(Relaxed) + 1, Relaxed);
    }

    /// The number of calls.
    pub(super) fn set_operations(&self, operations: u64) {
        self.operations.store(operations, Relaxed);
    }

    /// Episode, records of it that were begun, and calls.
    pub(super) fn get(&self) -> (u64, u64, u64) {
        let read = |number: &AtomicU64| number.load(Relaxed);
        (
            read(&self.episode),
            read(&self.records),
            read(&self.operations),
        )
    }
}

/// All lists' places.
pub(super) struct Progress(NonNull<[Place; MOST_THREADS]>);

// SAFETY: only atomics, in a mapping that stays.
unsafe impl Sync for Progress {}

impl Progress {
    /// A new file, all zero.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        file.set_len(size_of::<[Place; MOST_THREADS]>() as u64)?;
        Self::map(&file)
    }

    /// The parent's file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::map(&OpenOptions::new().read(true).write(true).open(path)?)
    }

    fn map(file: &File) -> io::Result<Self> {
        // SAFETY: a new mapping, at no address of ours.
        let start = unsafe {
            libc::mmap(
                null_mut(),
                size_of::<[Place; MOST_THREADS]>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        match NonNull::new(start) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED => Ok(Self(start.cast())),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The places.
    pub(super) fn places(&self) -> &[Place; MOST_THREADS] {
        // SAFETY: mapped with this size, and never unmapped.
        unsafe { self.0.as_ref() }
    }
}
