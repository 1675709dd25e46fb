//! The directory of a copy of the library: what lies where, as that copy says.
//!
//! # Invariant
//!
//! No offset, size or number of the library's is known here but the directory's own layout (`src/global/directory.rs`).

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

use anyhow::{Context, Result, anyhow, bail};

use crate::memory::{Memory, number};

/// What a directory begins with.
const MAGIC: &[u8] = b"slubdir\0";
/// The version that this program reads.
pub const VERSION: u64 = 6;
/// Bytes of the directory of that version.
pub const BYTES: u64 = 112;
/// No directory has more rows.
const MOST_ROWS: u64 = 4096;
/// Bytes of a name, and the least that a row has.
const NAME: usize = 32;
const ROW: u64 = 40;
/// No structure that is read whole is longer.
const LONGEST: u64 = 1 << 20;

/// A directory that this program cannot read, of this version and of a library of that release.
#[derive(Debug)]
pub struct OtherVersion(u64, String);

impl std::error::Error for OtherVersion {}

impl Display for OtherVersion {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "slubmalloc {} has a directory of version {}, and this program reads version {VERSION}: \
             use the slubctl that came with it",
            self.1, self.0
        )
    }
}

/// A field's place in its structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the structure's beginning.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// What one copy of the library says about itself.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The library's version.
    pub release: String,
    fields: HashMap<String, Field>,
    values: HashMap<String, u64>,
    /// Address of the once that the process is made in.
    pub process: u64,
    /// Address of the registry of thread caches.
    pub caches: u64,
    /// Address of the table of classes.
    pub classes: u64,
    /// Address of the capacities of sheaves by class.
    pub sheaf_objects: u64,
    /// Address of the places of cache nodes by class.
    pub cache_node_places: u64,
}

impl Directory {
    /// Whether there is one at `address`.
    pub(crate) fn is_at(memory: &dyn Memory, address: u64) -> bool {
        let head = memory.bytes(address, MAGIC.len() as u64);
        head.is_ok_and(|it| it == MAGIC)
    }

    /// The directory at `address`.
    pub fn read(memory: &dyn Memory, address: u64) -> Result<Self> {
        let head = memory.bytes(address, BYTES).context("no directory")?;
        let word = |at: usize| head.get(at..at + 8).and_then(number).unwrap_or_default();
        let half = |at: usize| head.get(at..at + 4).and_then(number).unwrap_or_default();
        if !head.starts_with(MAGIC) {
            bail!("the directory at {address:#x} is damaged");
        }
        let release = text(&head[16..40]);
        if half(8) != VERSION {
            bail!(OtherVersion(half(8), release));
        }
        if half(12) < BYTES {
            bail!("the directory at {address:#x} is cut off");
        }
        let rows = table(memory, word(40), half(48), half(52)).context("rows of the directory")?;
        let values =
            table(memory, word(56), half(64), half(68)).context("values of the directory")?;
        let field = |row: Vec<u8>| {
            let (offset, size) = (
                number(&row[NAME..NAME + 4])?,
                number(&row[NAME + 4..NAME + 8])?,
            );
            Some((text(&row[..NAME]), Field { offset, size }))
        };
        let value = |row: Vec<u8>| Some((text(&row[..NAME]), number(&row[NAME..NAME + 8])?));
        Ok(Self {
            release,
            fields: rows.into_iter().filter_map(field).collect(),
            values: values.into_iter().filter_map(value).collect(),
            process: word(72),
            caches: word(80),
            classes: word(88),
            sheaf_objects: word(96),
            cache_node_places: word(104),
        })
    }

    /// The place of a field, named `structure.field`.
    pub fn field(&self, name: &str) -> Result<Field> {
        let field = self.fields.get(name).copied();
        field.ok_or_else(|| anyhow!("the directory has no row {name}"))
    }

    /// Bytes of a structure.
    pub fn size(&self, structure: &str) -> Result<u64> {
        let size = self.field(structure)?.size;
        match size {
            1..=LONGEST => Ok(size),
            _ => bail!("damaged directory: {structure} has {size} bytes"),
        }
    }

    /// A number that the library was built with, from `least` to `most`.
    pub fn value(&self, name: &str, least: u64, most: u64) -> Result<u64> {
        match self.values.get(name) {
            Some(value) if (least..=most).contains(value) => Ok(*value),
            Some(value) => bail!("damaged directory: {name} is {value}"),
            None => bail!("the directory has no value {name}"),
        }
    }
}

/// The rows of one of the directory's tables.
fn table(memory: &dyn Memory, address: u64, count: u64, bytes: u64) -> Result<Vec<Vec<u8>>> {
    if count > MOST_ROWS || !(ROW..=4 * ROW).contains(&bytes) {
        bail!("damaged directory: {count} rows of {bytes} bytes");
    }
    let all = memory.bytes(address, count * bytes)?;
    Ok(all
        .chunks_exact(bytes as usize)
        .map(<[u8]>::to_vec)
        .collect())
}

/// Text that is filled up with zeroes.
fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let plain = bytes[..end].iter().map(|byte| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '?',
    });
    plain.collect()
}
