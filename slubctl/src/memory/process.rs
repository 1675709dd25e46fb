//! A running process: `process_vm_readv`, `/proc/PID/mem` where that is forbidden, `/proc/PID/maps` and `pagemap`.

use std::cell::{Cell, OnceCell};
use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, geteuid};
use procfs::process::{MMPermissions, MMapPath, MemoryMap, Process as ProcFs};

use super::program::Program;

use super::{Mapping, Memory, Page, entries, printable, scan};

/// Words that one call reads; the kernel takes at most 1,024 ranges.
const WORDS: usize = 1_000;

/// A process.
#[derive(Debug)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// A thread of it that has memory: the first may have ended before the others.
    pub(crate) thread: i32,
    program: Option<Program>,
    page_bytes: u64,
    mem: OnceCell<Option<File>>,
    pagemap: Option<File>,
    /// Whether the kernel reports runs of pages.
    scans: Cell<bool>,
}

impl Process {
    /// The process with that number.
    pub fn open(pid: i32) -> Self {
        let thread = living_thread(pid).unwrap_or(pid);
        Self {
            pid,
            thread,
            program: Program::of(thread),
            page_bytes: procfs::page_size(),
            mem: OnceCell::new(),
            pagemap: File::open(format!("/proc/{thread}/pagemap")).ok(),
            scans: Cell::new(true),
        }
    }

    /// The name that the kernel has for it.
    pub fn command(&self) -> String {
        let stat = ProcFs::new(self.pid).and_then(|it| it.stat());
        stat.map_or_else(|_| "?".to_owned(), |it| printable(&it.comm))
    }

    /// The control group it is in, as far as there is one for all controllers.
    pub fn cgroup(&self) -> String {
        let groups = ProcFs::new(self.pid).and_then(|it| it.cgroups());
        let groups = groups.map_or_else(|_| Vec::new(), |it| it.0);
        groups
            .into_iter()
            .find(|it| it.hierarchy == 0)
            .map_or_else(String::new, |it| printable(&it.pathname))
    }

    /// Its number in its own namespace of processes.
    pub(crate) fn number_within(&self) -> Result<i32> {
        let status = ProcFs::new(self.pid).and_then(|it| it.status());
        let status = status.map_err(|error| explained(self.pid, error))?;
        let numbers = status.nspid.unwrap_or_default();
        Ok(numbers.last().copied().unwrap_or(self.pid))
    }

    /// What was read of the process, or that it has ended or runs another program now, where that is why it could not be read.
    pub fn unless_gone<T>(&self, read: Result<T>) -> Result<T> {
        read.map_err(|error| self.gone().unwrap_or(error))
    }

    /// Why nothing that was read of the process last can be relied on: it has ended, or has begun another program.
    pub fn gone(&self) -> Option<Error> {
        let before = self.program.as_ref()?;
        match living_thread(self.pid).and_then(Program::of) {
            Some(now) if now == *before => None,
            Some(_) => Some(anyhow!("process {} has begun another program", self.pid)),
            None => Some(anyhow!("process {} has ended", self.pid)),
        }
    }

    /// Milliseconds of the monotonic clock as the process sees it.
    pub(crate) fn monotonic_ms(&self) -> Option<u64> {
        let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).ok()?);
        // Of a namespace of its own (time_namespaces(7)).
        let offsets = std::fs::read_to_string(format!("/proc/{}/timens_offsets", self.thread));
        let offsets = offsets.unwrap_or_default();
        let own = offsets.lines().find_map(|it| it.strip_prefix("monotonic"));
        let mut own = own.unwrap_or_default().split_whitespace();
        let mut next = || {
            own.next()
                .and_then(|it| it.parse::<i64>().ok())
                .unwrap_or(0)
        };
        let (seconds, nanoseconds) = (next(), next());
        let offset = seconds
            .saturating_mul(1_000)
            .saturating_add(nanoseconds / 1_000_000);
        u64::try_from(now.as_millis())
            .ok()?
            .checked_add_signed(offset)
    }

    /// Bytes that are resident.
    pub fn resident_bytes(&self) -> Option<u64> {
        let statm = ProcFs::new(self.thread).and_then(|it| it.statm()).ok()?;
        Some(statm.resident * self.page_bytes)
    }

    /// Writes to the process.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        let remote = [RemoteIoVec {
            base: address as usize,
            len: bytes.len(),
        }];
        let local = [IoSlice::new(bytes)];
        match process_vm_writev(Pid::from_raw(self.thread), &local, &remote) {
            Ok(written) if written == bytes.len() => Ok(()),
            Ok(_) | Err(Errno::EFAULT) => Err(anyhow!("nothing to write to at {address:#x}")),
            Err(Errno::ESRCH) => Err(anyhow!("process {} does not exist", self.pid)),
            Err(_) => Err(refused(self.pid)),
        }
    }

    fn read_file(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        let open = || File::open(format!("/proc/{}/mem", self.thread)).ok();
        match self.mem.get_or_init(open) {
            Some(file) => file
                .read_exact_at(buffer, address)
                .with_context(|| format!("process {}: reading at {address:#x}", self.pid)),
            None => Err(refused(self.pid)),
        }
    }
}

/// The process's first thread, or another if that has ended.
fn living_thread(pid: i32) -> Option<i32> {
    let process = ProcFs::new(pid).ok()?;
    if process.stat().ok()?.state != 'Z' {
        return Some(pid);
    }
    let mut others = process.tasks().ok()?.flatten().map(|it| it.tid);
    others.find(|it| *it != pid)
}

/// The kernel says no.
#[derive(Debug)]
pub struct Refused(i32);

impl std::error::Error for Refused {}

impl Display for Refused {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
        let scope = scope.map_or_else(
            |_| String::new(),
            |it| format!("kernel.yama.ptrace_scope is {}; ", it.trim()),
        );
        let sudo = if is_root() { "" } else { "try sudo; " };
        write!(
            formatter,
            "process {} may not be looked at: that needs what ptrace(2) needs; {sudo}{scope}\
             a container needs the capability SYS_PTRACE",
            self.0
        )
    }
}

pub(crate) fn refused(pid: i32) -> Error {
    Error::new(Refused(pid))
}

/// Whether this program is root's, to whom sudo gives nothing more.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Whether a process has that number, whatever `/proc` says.
fn is_there(pid: i32) -> bool {
    !matches!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH))
}

/// What an error in `/proc` means.
fn explained(pid: i32, error: procfs::ProcError) -> Error {
    match error {
        procfs::ProcError::NotFound(_) if !Path::new("/proc/self").exists() => {
            anyhow!("/proc is not mounted, and nothing is known of process {pid}")
        }
        procfs::ProcError::NotFound(_) if is_there(pid) => {
            let sudo = if is_root() { "" } else { ": try sudo" };
            anyhow!("/proc hides process {pid} (the mount option hidepid){sudo}")
        }
        procfs::ProcError::NotFound(_) => anyhow!("process {pid} does not exist"),
        procfs::ProcError::PermissionDenied(_) => refused(pid),
        error => anyhow!("process {pid}: {error}"),
    }
}

impl Memory for Process {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        let length = buffer.len();
        let remote = [RemoteIoVec {
            base: address as usize,
            len: length,
        }];
        let local = &mut [IoSliceMut::new(buffer)];
        match process_vm_readv(Pid::from_raw(self.thread), local, &remote) {
            Ok(read) if read == length => Ok(()),
            Ok(_) | Err(Errno::EFAULT) => Err(anyhow!(
                "process {}: nothing to read at {address:#x}",
                self.pid
            )),
            Err(Errno::ESRCH) => Err(anyhow!("process {} does not exist", self.pid)),
            Err(_) => self.read_file(address, buffer),
        }
    }

    fn mappings(&self) -> Result<Vec<Mapping>> {
        let maps = ProcFs::new(self.thread).and_then(|it| it.maps());
        let maps = maps.map_err(|error| explained(self.pid, error))?;
        if maps.0.is_empty() {
            bail!(
                "process {} has no memory: it has ended, or is the kernel's own",
                self.pid
            );
        }
        let mapping = |it: MemoryMap| Mapping {
            range: it.address.0..it.address.1,
            offset: it.offset,
            name: match it.pathname {
                MMapPath::Path(path) => printable(&path.display().to_string()),
                other => format!("{other:?}"),
            },
        };
        Ok(maps.0.into_iter().map(mapping).collect())
    }

    fn pages(&self, address: u64, pages: usize) -> Option<Vec<Page>> {
        let file = self.pagemap.as_ref()?;
        let start = address / self.page_bytes * self.page_bytes;
        if self.scans.get() {
            if let Some(found) = scan::pages(file, start, pages, self.page_bytes) {
                return Some(found);
            }
            self.scans.set(false);
        }
        entries::pages(file, start, pages, self.page_bytes)
    }

    fn is_code(&self, start: u64, address: u64) -> bool {
        let maps = ProcFs::new(self.thread).and_then(|it| it.maps());
        let maps = maps.map_or_else(|_| Vec::new(), |it| it.0);
        let at = |address: u64| {
            let holds = |it: &&MemoryMap| (it.address.0..it.address.1).contains(&address);
            maps.iter().find(holds)
        };
        at(start).zip(at(address)).is_some_and(|(file, code)| {
            // A program that wants huge pages for it has its code in a mapping of no file.
            let is_same = code.inode == 0 || (code.dev, code.inode) == (file.dev, file.inode);
            is_same && code.perms.contains(MMPermissions::EXECUTE)
        })
    }

    fn page_bytes(&self) -> u64 {
        self.page_bytes
    }

    fn read_words(&self, addresses: &[u64]) -> Vec<Option<u64>> {
        let mut words = Vec::with_capacity(addresses.len());
        for part in addresses.chunks(WORDS) {
            let mut buffer = vec![0; part.len() * 8];
            let remote = |address: &u64| RemoteIoVec {
                base: *address as usize,
                len: 8,
            };
            let remote: Vec<_> = part.iter().map(remote).collect();
            let local = &mut [IoSliceMut::new(&mut buffer)];
            let read = process_vm_readv(Pid::from_raw(self.thread), local, &remote).unwrap_or(0);
            words.extend(buffer[..read / 8 * 8].chunks_exact(8).map(super::number));
            // The kernel stops at the first that cannot be read.
            for address in &part[read / 8..] {
                let mut word = [0; 8];
                let is_read = self.read(*address, &mut word).is_ok();
                words.push(is_read.then_some(u64::from_le_bytes(word)));
            }
        }
        words
    }
}
