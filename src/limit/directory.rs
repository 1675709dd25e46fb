//! Where the kernel keeps the files of this process's memory cgroup.
//!
//! The mount points are the usual ones. `/proc/self/mountinfo` would name any, but in a container its first
//! single line may be longer than what one wants to read here.
#![forbid(unsafe_code)]

use super::{Reader, Show};
use crate::report::Line;

/// Room for `/proc/self/cgroup`, of which a line for each controller is read.
const TEXT_BYTES: usize = 4096;
/// Room for a directory. Of a longer one the ancestors that fit are used.
const DIRECTORY_BYTES: usize = 448;
/// Room for the longest name of a file after it.
const NAME_BYTES: usize = 32;
/// Room for a line of the statistics that matters: a key and a number.
const LINE_BYTES: usize = 64;

/// One of the kernel's two interfaces: where it is mounted and what its files are called.
#[derive(Debug)]
pub(super) struct Interface {
    mounts: &'static [&'static str],
    /// A file that every directory has.
    mark: &'static str,
    /// The limit above which the kernel kills.
    pub(super) hard: &'static str,
    /// The limit above which it takes back and slows down.
    pub(super) soft: Option<&'static str>,
    /// The bytes in use, with the page cache.
    pub(super) usage: &'static str,
    pub(super) statistics: &'static str,
    /// The keys there of what the kernel takes back by itself.
    pub(super) reclaimable: [&'static [u8]; 3],
    /// A file with the bytes of the kernel's own that it takes back by itself, where those are no key.
    pub(super) kernel: Option<&'static str>,
}

/// See the kernel's `Documentation/admin-guide/cgroup-v2.rst`.
static VERSION_2: Interface = Interface {
    mounts: &["/sys/fs/cgroup", "/sys/fs/cgroup/unified"],
    mark: "/cgroup.controllers",
    hard: "/memory.max",
    soft: Some("/memory.high"),
    usage: "/memory.current",
    statistics: "/memory.stat",
    reclaimable: [b"inactive_file ", b"active_file ", b"slab_reclaimable "],
    kernel: None,
};

/// See the kernel's `Documentation/admin-guide/cgroup-v1/memory.rst`. Its soft limit is another thing: what the
/// kernel takes a group back to when the whole machine is short.
static VERSION_1: Interface = Interface {
    mounts: &["/sys/fs/cgroup/memory", "/sys/fs/cgroup"],
    mark: "/memory.limit_in_bytes",
    hard: "/memory.limit_in_bytes",
    soft: None,
    usage: "/memory.usage_in_bytes",
    statistics: "/memory.stat",
    reclaimable: [
        b"total_inactive_file ",
        b"total_active_file ",
        b"slab_reclaimable ",
    ],
    kernel: Some("/memory.kmem.usage_in_bytes"),
};

/// A group's directory. Those of its ancestors are beginnings of it, down to the mount point.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    pub(super) interface: &'static Interface,
    bytes: [u8; DIRECTORY_BYTES],
    mount_length: usize,
    length: usize,
}

impl Directory {
    /// The directory of this process's memory cgroup; `None` if no such thing is mounted where it usually is.
    ///
    /// See cgroups(7) for `/proc/self/cgroup`.
    #[inline(never)]
    pub(super) fn detect(read: &mut Reader<'_>) -> Option<Self> {
        let mut text = [0; TEXT_BYTES];
        let text = beginning(&mut text, |show| {
            read(cstr::cstr!("/proc/self/cgroup"), show)
        })?;
        let (interface, path) = membership(text)?;
        // Where the mount shows a part of the hierarchy, as in a container without a namespace for cgroups, its root
        // stands for the first names of the path. One that leads out of the namespace leads out of the mount too.
        let leads_out = path.split(|byte| *byte == b'/').any(|it| it == b"..");
        for mount in interface.mounts {
            let mount = Self::mounted(interface, mount.as_bytes());
            // The group itself first: where it is found nobody has to look for the mount.
            for tail in tails(path).filter(|_| !leads_out) {
                let group = mount.join(tail);
                if group.exists(read) {
                    return Some(group);
                }
            }
            if mount.exists(read) {
                return Some(mount);
            }
        }
        None
    }

    fn mounted(interface: &'static Interface, mount: &[u8]) -> Self {
        let empty = Self {
            interface,
            bytes: [0; DIRECTORY_BYTES],
            mount_length: 0,
            length: 0,
        };
        let mount = empty.join(mount);
        Self {
            mount_length: mount.length,
            ..mount
        }
    }

    /// The directory at `path`, which begins with a slash, below this one; as much of it as fits.
    fn join(&self, path: &[u8]) -> Self {
        let mut joined = self.clone();
        let room = joined.bytes.get_mut(self.length..).unwrap_or_default();
        let mut path = path;
        while path.len() > room.len() {
            path = parent(path);
        }
        for (slot, byte) in room.iter_mut().zip(path) {
            *slot = *byte;
        }
        joined.length += path.len();
        joined
    }

    fn exists(&self, read: &mut Reader<'_>) -> bool {
        self.read(self.length, self.interface.mark, &mut [0; 16], read)
            .is_some()
    }

    /// The lengths of this directory and of its ancestors' up to the mount point.
    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> {
        core::iter::successors(Some(self.length), |length| {
            let is_below = *length > self.mount_length;
            is_below.then(|| parent(self.ancestor(*length)).len().max(self.mount_length))
        })
    }

    /// Reads the file `name`, which begins with a slash, of the ancestor whose directory is `length` bytes long.
    pub(super) fn read<'text>(
        &self,
        length: usize,
        name: &str,
        text: &'text mut [u8],
        read: &mut Reader<'_>,
    ) -> Option<&'text [u8]> {
        beginning(text, |show| self.show(length, name, read, show))
    }

    /// Shows each complete line of such a file to `show`, of a long one the first [`LINE_BYTES`], as long as that
    /// returns `true`.
    pub(super) fn each_line(
        &self,
        length: usize,
        name: &str,
        read: &mut Reader<'_>,
        show: &mut Show<'_>,
    ) {
        let mut line = Line::<LINE_BYTES>::new();
        let mut each = |piece: &[u8]| {
            piece.iter().all(|byte| {
                if *byte != b'\n' {
                    line.raw(core::slice::from_ref(byte));
                    return true;
                }
                let goes_on = show(line.as_bytes());
                line = Line::new();
                goes_on
            })
        };
        let _ = self.show(length, name, read, &mut each);
    }

    #[inline(never)]
    fn show(
        &self,
        length: usize,
        name: &str,
        read: &mut Reader<'_>,
        show: &mut Show<'_>,
    ) -> Option<()> {
        let mut path = Line::<{ DIRECTORY_BYTES + NAME_BYTES }>::new();
        path.raw(self.ancestor(length)).text(name).text("\0");
        read(
            core::ffi::CStr::from_bytes_until_nul(path.as_bytes()).ok()?,
            show,
        )
    }

    pub(super) fn ancestor(&self, length: usize) -> &[u8] {
        self.bytes.get(..length).unwrap_or_default()
    }
}

/// Fills `text` with the beginning of what `read` shows, and returns that part.
fn beginning(text: &mut [u8], read: impl FnOnce(&mut Show<'_>) -> Option<()>) -> Option<&[u8]> {
    let mut length = 0;
    read(&mut |piece| {
        let room = text.get_mut(length..).unwrap_or_default();
        length += piece.len().min(room.len());
        room.iter_mut()
            .zip(piece)
            .for_each(|(to, from)| *to = *from);
        length < text.len()
    })?;
    text.get(..length)
}

/// Which interface counts this process's memory, and the path of its group there.
fn membership(text: &[u8]) -> Option<(&'static Interface, &[u8])> {
    let mut found = None;
    for line in lines(text) {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (number, controllers, path) = (parts.next()?, parts.next(), parts.next());
        let (Some(controllers), Some(path)) = (controllers, path) else {
            continue;
        };
        if controllers
            .split(|byte| *byte == b',')
            .any(|it| it == b"memory")
        {
            return Some((&VERSION_1, path));
        }
        if number == b"0" && controllers.is_empty() {
            found = Some((&VERSION_2, path));
        }
    }
    found
}

/// The complete lines of a text that may have been cut.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"))
}

/// Of `/a/b/c`: itself, `/b/c` and `/c`.
fn tails(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let begins_name = |path: &[u8]| path.len() > 1 && path.starts_with(b"/");
    core::iter::successors(Some(path), |path| {
        let rest = path.get(1..)?;
        rest.get(rest.iter().position(|byte| *byte == b'/')?..)
    })
    .filter(move |tail| begins_name(tail))
}

/// Of `/a/b/c`: `/a/b`.
fn parent(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.get(..end).unwrap_or_default()
}
