//! The files that a core file is read with: the program and its libraries, if they are of the same build.

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};

use super::core_file::CoreFile;
use super::{Mapping, build_id};

/// Where files are that a core file is to be read with, if they are not where they were.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The program.
    pub program: Option<PathBuf>,
    /// The shared library.
    pub library: Option<PathBuf>,
    /// A directory that is the target's root.
    pub root: Option<PathBuf>,
}

/// A file of another build than the one that the core is of.
#[derive(Clone, Debug)]
pub struct OtherBuild(String);

impl std::error::Error for OtherBuild {}

impl Display for OtherBuild {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl CoreFile {
    /// Opens the files that were named, also if the core file has all that is needed of them.
    pub(super) fn check_places(&self) -> Result<()> {
        let Places {
            program,
            library,
            root,
        } = &self.places;
        for path in [program, library].into_iter().flatten() {
            let shown = path.display();
            File::open(path).with_context(|| shown.to_string())?;
            let mut names = self.notes.mappings.iter().map(|it| &it.name);
            let Some(name) = names.find(|name| self.place_of(name) == *path) else {
                if !self.notes.mappings.is_empty() {
                    bail!("{shown}: nothing of that name was mapped in the program");
                }
                continue;
            };
            if let Err(line) = self.open_mapped(name) {
                let other = self.other.borrow().clone().map(Error::new);
                return Err(other.unwrap_or_else(|| Error::msg(line)));
            }
        }
        if let Some(root) = root {
            std::fs::read_dir(root).with_context(|| root.display().to_string())?;
        }
        Ok(())
    }

    /// Opens a file that was mapped, if it is still of the same build.
    pub(crate) fn open_mapped(&self, name: &str) -> Result<File, String> {
        let path = self.place_of(name);
        let shown = path.display();
        let file = File::open(&path).map_err(|error| format!("{shown}: {error}"))?;
        let first = |it: &&Mapping| it.name == name && it.offset == 0;
        let mapped = self.notes.mappings.iter().find(first).and_then(|it| {
            build_id::of_image(it.range.start, |address, bytes| {
                self.read_dumped(address, bytes)
            })
        });
        let copy = file
            .try_clone()
            .map_err(|error| format!("{shown}: {error}"))?;
        let has = build_id::of_file(copy);
        match (mapped, has) {
            (Some(mapped), has) if has.as_ref() != Some(&mapped) => {
                let has = has.unwrap_or_else(|| "none".to_owned());
                let line = format!(
                    "{shown} is another build than the core's: its build ID is {has}, and {mapped} was mapped; \
                     --exe, --library and --sysroot say where files are"
                );
                self.other
                    .borrow_mut()
                    .get_or_insert(OtherBuild(line.clone()));
                Err(line)
            }
            _ => Ok(file),
        }
    }

    /// The directory below which all files are, if there is one.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.places.root.as_deref()
    }

    /// Where a file is that was mapped.
    fn place_of(&self, name: &str) -> PathBuf {
        let is_program = self.notes.program() == Some(name);
        if let Some(program) = self.places.program.as_ref().filter(|_| is_program) {
            return program.clone();
        }
        let file_name = |path: &Path| path.file_name().map(|it| it.to_string_lossy().into_owned());
        let plain = name.strip_suffix(" (deleted)").unwrap_or(name);
        if let Some(library) = self.places.library.as_ref().filter(|_| !is_program) {
            let own = file_name(Path::new(plain)).unwrap_or_default();
            if own.starts_with("libslubmalloc") || file_name(library).as_ref() == Some(&own) {
                return library.clone();
            }
        }
        match &self.places.root {
            Some(root) => root.join(plain.trim_start_matches('/')),
            None => PathBuf::from(plain),
        }
    }
}
