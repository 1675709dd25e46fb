//! Where the files lie that name code: the program's own, separate debug information, and those of JIT compilers.
//!
//! # Invariant
//!
//! The target chooses names: only plain files are read, up to a length, and a program's file only if its build ID is the one that
//! was mapped.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use super::Module;
use crate::memory::{CoreFile, Process, build_id_of_file};

/// No file that is read is longer.
const LONGEST: u64 = 4 << 30;

/// A target's files.
pub trait Files {
    /// The file that a module was mapped from.
    fn image(&self, module: &Module) -> Option<File>;

    /// Directories in which `usr/lib/debug` may be.
    fn roots(&self) -> Vec<PathBuf>;

    /// What JIT compilers say of their functions.
    fn perf_map(&self) -> Option<File> {
        None
    }
}

impl Files for Process {
    fn image(&self, module: &Module) -> Option<File> {
        let own = format!("/proc/{}", self.thread);
        let mapping = format!("{:x}-{:x}", module.first.start, module.first.end);
        let places = [
            format!("{own}/root{}", module.name),
            // Also of a file that was deleted; the second needs more rights.
            format!("{own}/exe"),
            format!("{own}/map_files/{mapping}"),
        ];
        places.iter().find_map(|it| built_as(module, it.as_ref()))
    }

    fn roots(&self) -> Vec<PathBuf> {
        vec![
            format!("/proc/{}/root", self.thread).into(),
            PathBuf::from("/"),
        ]
    }

    fn perf_map(&self) -> Option<File> {
        let number = self.number_within().ok()?;
        let path = format!("/proc/{}/root/tmp/perf-{number}.map", self.thread);
        let file = open(path.as_ref())?;
        // Anybody may write to /tmp.
        let owner = std::fs::metadata(format!("/proc/{}", self.thread)).ok()?;
        (file.metadata().ok()?.uid() == owner.uid()).then_some(file)
    }
}

impl Files for CoreFile {
    fn image(&self, module: &Module) -> Option<File> {
        let file = self.open_mapped(&module.name).ok()?;
        file.metadata().is_ok_and(|it| it.is_file()).then_some(file)
    }

    fn roots(&self) -> Vec<PathBuf> {
        let own = self.root().map(Path::to_path_buf);
        own.into_iter().chain([PathBuf::from("/")]).collect()
    }
}

/// The file at a path, if it is what was mapped.
fn built_as(module: &Module, path: &Path) -> Option<File> {
    let file = open(path)?;
    let id = build_id_of_file(file.try_clone().ok()?);
    // Without build IDs its name is all there is to go by.
    let is_it = match &module.build_id {
        Some(_) => id == module.build_id,
        None => id.is_none() && path.to_string_lossy().ends_with(&module.name),
    };
    is_it.then_some(file)
}

/// Opens a plain file.
fn open(path: &Path) -> Option<File> {
    // A pipe would wait for a writer.
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// The separate debug information of the build with an ID.
pub(super) fn debug_file(files: &dyn Files, build_id: &str) -> Option<File> {
    // It becomes part of a path.
    let is_number = build_id.bytes().all(|it| it.is_ascii_hexdigit());
    let (folder, name) = build_id.split_at_checked(2).filter(|_| is_number)?;
    let path = format!("usr/lib/debug/.build-id/{folder}/{name}.debug");
    files.roots().iter().find_map(|it| open(&it.join(&path)))
}

/// All that is in a file.
pub(super) fn contents(mut file: File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    // What looked for the build ID has left it somewhere.
    file.rewind().ok()?;
    let length = file.metadata().ok()?.len();
    if length > LONGEST {
        return None;
    }
    bytes.reserve(usize::try_from(length).ok()?);
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
