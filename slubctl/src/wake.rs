//! Waking a thread of another process: its word lies in a shared mapping, which is mapped here as well.
#![expect(
    unsafe_code,
    reason = "a mapping of another process's page, and the futex in it, have no safe interface"
)]

use std::fs::OpenOptions;
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::memory::{Memory, Process};

/// Rings the bell at `address`: counts it up, and wakes who sleeps on it.
pub(crate) fn ring(process: &Process, address: u64) -> Result<()> {
    let mappings = process.mappings()?;
    let Some(mapping) = mappings.iter().find(|it| it.range.contains(&address)) else {
        bail!("damaged tables: a bell at {address:#x}");
    };
    let page = process.page_bytes();
    let offset = address - mapping.range.start;
    if !address.is_multiple_of(4) || mapping.range.end - mapping.range.start != page {
        bail!("damaged tables: a bell at {address:#x}");
    }
    let (start, end) = (mapping.range.start, mapping.range.end);
    let path = format!("/proc/{}/map_files/{start:x}-{end:x}", process.thread);
    // What lies there may be no mapping of the library's: nothing is waited for.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(&path)
        .context(path)?;
    if file.metadata()?.len() < page {
        bail!("damaged tables: a bell in a file of no page");
    }
    let length = NonZeroUsize::new(page as usize).context("no page")?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
    let mapped = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, &file, 0) }?;
    // SAFETY: `offset` lies inside of the page, at a multiple of four; all threads of both processes use the word atomically.
    let word = unsafe {
        &*mapped
            .as_ptr()
            .cast::<u8>()
            .add(offset as usize)
            .cast::<AtomicU32>()
    };
    word.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the kernel uses the word's address only.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
    // SAFETY: mapped above, and not used any more.
    unsafe { munmap(mapped, length.get()) }?;
    Ok(())
}
