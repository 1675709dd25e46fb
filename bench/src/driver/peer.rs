//! The allocators to compare, and how a program gets each.

use std::path::{Path, PathBuf};

use super::Failure;

/// One allocator.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its name in reports.
    pub name: String,
    /// How a program gets it.
    pub way: Way,
    /// Its `SLUBMALLOC_CONF`; nothing for the default, and for all others.
    pub configuration: Option<String>,
}

/// How a program gets an allocator.
#[derive(Clone, Debug)]
pub enum Way {
    /// It is the C library's own.
    Plain,
    /// These libraries are preloaded.
    Preload(Vec<PathBuf>),
    /// It is linked into this build of `work`.
    Linked(PathBuf),
    /// The bare array stack inside `work`: the limit, not an allocator.
    Stack,
}

/// Debian's packages: the name here, and the libraries to preload.
const PACKAGED: &[(&str, &[&str])] = &[
    ("mimalloc2-debian", &["libmimalloc.so.2"]),
    ("jemalloc-debian", &["libjemalloc.so.2"]),
    ("tcmalloc-gperf", &["libtcmalloc_minimal.so.4"]),
    ("tbbmalloc", &["libtbbmalloc_proxy.so.2"]),
];

/// The subject of the comparison.
pub const SUBJECT: &str = "slubmalloc";

/// The allocator that ratios refer to.
pub const BASELINE: &str = "glibc";

/// The limit that pair workloads and small programs show beside the allocators.
pub const LIMIT: &str = "floor";

impl Peer {
    /// The C library's own allocator.
    #[must_use]
    pub fn glibc() -> Self {
        Self {
            name: BASELINE.into(),
            way: Way::Plain,
            configuration: None,
        }
    }

    /// The library at `path`, under the subject's name.
    ///
    /// # Errors
    ///
    /// When there is no such file.
    pub fn subject(path: &Path) -> Result<Self, Failure> {
        let path = path
            .canonicalize()
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            name: SUBJECT.into(),
            way: Way::Preload(vec![path]),
            configuration: None,
        })
    }

    /// Another build of the subject, or the same with another configuration, from `NAME=PATH` or
    /// `NAME=PATH@CONFIGURATION`.
    ///
    /// # Errors
    ///
    /// When the text is neither, or there is no such file.
    pub fn build(text: &str) -> Result<Self, Failure> {
        let (name, rest) = text.split_once('=').ok_or("a build is NAME=PATH")?;
        let (path, configuration) = match rest.split_once('@') {
            Some((path, configuration)) => (path, Some(configuration.to_owned())),
            None => (rest, None),
        };
        Ok(Self {
            name: name.into(),
            configuration,
            ..Self::subject(Path::new(path))?
        })
    }

    /// The bare array stack.
    #[must_use]
    pub fn limit() -> Self {
        Self {
            name: LIMIT.into(),
            way: Way::Stack,
            configuration: None,
        }
    }

    /// For a program: the library of `bench/programs/floor.c`, built at `path`.
    #[must_use]
    pub fn floor(path: PathBuf) -> Self {
        Self {
            way: Way::Preload(vec![path]),
            ..Self::limit()
        }
    }

    /// Whether any program can be run with it, not only `work`.
    #[must_use]
    pub fn runs_programs(&self) -> bool {
        matches!(self.way, Way::Plain | Way::Preload(_))
    }

    /// The variables that its programs get besides `LD_PRELOAD`.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let configuration = self.configuration.as_deref().into_iter();
        configuration.map(|text| ("SLUBMALLOC_CONF", text))
    }

    /// What `LD_PRELOAD` is for it.
    #[must_use]
    pub fn preload(&self) -> String {
        match &self.way {
            Way::Preload(libraries) => libraries
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(":"),
            _ => String::new(),
        }
    }
}

/// Debian's allocators that are installed on this machine.
#[must_use]
pub fn packaged() -> Vec<Peer> {
    let find = |file: &&str| {
        library_directories()
            .map(|folder| folder.join(file))
            .find(|path| path.exists())
    };
    let peer = |&(name, files): &(&str, &[&str])| {
        let libraries = files.iter().map(find).collect::<Option<Vec<_>>>()?;
        Some(Peer {
            name: name.into(),
            way: Way::Preload(libraries),
            configuration: None,
        })
    };
    PACKAGED.iter().filter_map(peer).collect()
}

/// The builds of `work` with an allocator linked in, called `work-NAME`, in `folder`.
#[must_use]
pub fn linked(folder: &Path) -> Vec<Peer> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut peers: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry
                .file_name()
                .to_str()?
                .strip_prefix("work-")?
                .to_owned();
            (!name.contains('.')).then(|| Peer {
                name,
                way: Way::Linked(entry.path()),
                configuration: None,
            })
        })
        .collect();
    peers.sort_by(|one, other| one.name.cmp(&other.name));
    peers
}

fn library_directories() -> impl Iterator<Item = PathBuf> {
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    [
        format!("/usr/lib/{triple}"),
        "/usr/lib".into(),
        "/usr/local/lib".into(),
        "/usr/lib64".into(),
    ]
    .into_iter()
    .map(PathBuf::from)
}
