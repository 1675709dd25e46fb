//! Made-up memory with a library's directory and the tables of a heap profile.

use slubctl::directory::{BYTES, VERSION};
use slubctl::memory::{Bytes, Mapping};

use crate::structures::{STRUCTURES, image, row, structure, word};

/// Where things lie.
pub(crate) const IMAGE: u64 = 0x5000_0000_0000;
const DIRECTORY: u64 = IMAGE + 0x1000;
const ROWS: u64 = IMAGE + 0x2000;
const VALUES: u64 = IMAGE + 0x8000;
const PROCESS: u64 = IMAGE + 0x9000;
/// The structure `profile` and the mailbox in it.
pub(crate) const PROFILE: u64 = PROCESS + 8;
pub(crate) const MAIL: u64 = PROFILE + 24 + 64 + 64;
pub(crate) const TABLES: u64 = 0x6000_0000_0000;
const SAMPLES: u64 = TABLES + 0x1_0000;
const STACKS: u64 = TABLES + 0x2_0000;
const FRAMES: u64 = TABLES + 0x3_0000;
const CACHES: u64 = TABLES + 0x4_0000;
const CACHE: u64 = TABLES + 0x5_0000;
const NAME: u64 = TABLES + 0x6_0000;
const POOLS: u64 = TABLES + 0x7_0000;

/// Owners: the cache `inode_cache`, and the pool `request`.
pub(crate) const CACHE_OWNER: u64 = 3 << 10 | 7;
pub(crate) const POOL_OWNER: u64 = 0x1_0001 << 10 | 9;
const FIRST_POOL: u64 = 0x1_0000;
/// A count of one block.
pub(crate) const ONE: u64 = 1 << 16;

/// A block that was sampled.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) address: u64,
    pub(crate) bytes: u64,
    pub(crate) count: u64,
    pub(crate) at: u64,
    pub(crate) stack: u64,
}

/// A stack; amounts are count and bytes.
#[derive(Clone, Default)]
pub(crate) struct Stack {
    pub(crate) frames: Vec<u64>,
    pub(crate) label: u64,
    pub(crate) epoch: u64,
    pub(crate) live: (u64, u64),
    pub(crate) all: (u64, u64),
    pub(crate) peak: (u64, u64),
}

/// What the tables say.
#[derive(Clone, Default)]
pub(crate) struct Made {
    pub(crate) rate: u64,
    pub(crate) change: u64,
    pub(crate) peak_epoch: u64,
    pub(crate) dropped: (u64, u64),
    pub(crate) lifetimes: Vec<u64>,
    /// From number 1 on.
    pub(crate) samples: Vec<Sample>,
    pub(crate) stacks: Vec<Stack>,
    /// Rows that the directory does not have.
    pub(crate) without: &'static str,
    /// Whether it was ever on.
    pub(crate) was_on: bool,
}

impl Made {
    /// The memory.
    pub(crate) fn memory(&self) -> Bytes {
        let mut image = image(DIRECTORY - IMAGE);
        let mut rows = Vec::new();
        for (name, fields) in STRUCTURES {
            let size = fields.iter().map(|it| it.1).sum::<u64>();
            let mut add = |name: &str, offset: u64, size: u64| {
                if name == self.without {
                    return;
                }
                let mut bytes = row(name);
                bytes.extend((offset as u32).to_le_bytes());
                bytes.extend((size as u32).to_le_bytes());
                rows.push(bytes);
            };
            add(name, 0, size);
            let mut offset = 0;
            for (field, size) in *fields {
                add(&format!("{name}.{field}"), offset, *size);
                offset += size;
            }
        }
        let values = [
            ("process_made", 2),
            ("profile_fraction_bits", 16),
            ("owner_number_shift", 10),
            ("first_pool_number", FIRST_POOL),
            ("mail_set_profile", 6),
            ("mail_done", 1),
        ];
        let values = values.map(|(name, value)| [row(name), word(value)].concat());
        let mut directory = b"slubdir\0".to_vec();
        directory.extend((VERSION as u32).to_le_bytes());
        directory.extend((BYTES as u32).to_le_bytes());
        directory.extend(&row("9.9.9")[..24]);
        for (address, count) in [(ROWS, rows.len()), (VALUES, values.len())] {
            directory.extend(word(address));
            directory.extend((count as u32).to_le_bytes());
            directory.extend(40_u32.to_le_bytes());
        }
        directory.extend(word(PROCESS));
        directory.resize(BYTES as usize, 0);
        let mut put = |address: u64, bytes: Vec<u8>| {
            let at = (address - IMAGE) as usize;
            image[at..at + bytes.len()].copy_from_slice(&bytes);
        };
        put(DIRECTORY, directory);
        put(ROWS, rows.concat());
        put(VALUES, values.concat());
        put(PROCESS, self.process());
        let mut pieces = vec![(IMAGE, image)];
        pieces.extend(self.tables());
        Bytes {
            pieces,
            mappings: vec![Mapping {
                range: IMAGE..IMAGE + 0xa000,
                offset: 0,
                name: "/usr/lib/libslubmalloc.so".to_owned(),
            }],
        }
    }

    fn process(&self) -> Vec<u8> {
        let tables = if self.was_on { TABLES } else { 0 };
        let profile = structure(
            "profile",
            &[
                ("rate", word(self.rate)),
                ("started", word(1_000)),
                ("known", word(tables)),
            ],
        );
        let kmem = structure(
            "kmem",
            &[("caches", word(CACHES)), ("caches_ready", word(2))],
        );
        let kmem = structure(
            "kmem_once",
            &[("state", word(2)[..4].to_vec()), ("value", kmem)],
        );
        let pools = structure(
            "pools",
            &[
                ("table", word(POOLS)),
                ("made", word(2)),
                ("ready", word(2)),
            ],
        );
        let pools = structure(
            "pools_once",
            &[("state", word(2)[..4].to_vec()), ("value", pools)],
        );
        let process = structure(
            "process",
            &[("profile", profile), ("kmem", kmem), ("pools", pools)],
        );
        structure(
            "process_once",
            &[("state", word(2)[..4].to_vec()), ("value", process)],
        )
    }

    fn tables(&self) -> Vec<(u64, Vec<u8>)> {
        let half = |number: u64| word(number)[..4].to_vec();
        let mut frames = vec![0; 8];
        let mut stacks = Vec::new();
        for stack in &self.stacks {
            let first = frames.len() as u64 / 8;
            frames.extend(stack.frames.iter().flat_map(|it| it.to_le_bytes()));
            stacks.extend(structure(
                "profile_stack",
                &[
                    ("first", half(first)),
                    ("depth", half(stack.frames.len() as u64)),
                    ("label", half(stack.label)),
                    ("epoch", half(stack.epoch)),
                    ("live_count", word(stack.live.0)),
                    ("live_bytes", word(stack.live.1)),
                    ("all_count", word(stack.all.0)),
                    ("all_bytes", word(stack.all.1)),
                    ("peak_count", word(stack.peak.0)),
                    ("peak_bytes", word(stack.peak.1)),
                ],
            ));
        }
        let mut samples = structure("profile_sample", &[]);
        for sample in &self.samples {
            samples.extend(structure(
                "profile_sample",
                &[
                    ("address", word(sample.address)),
                    ("bytes", word(sample.bytes)),
                    ("count", word(sample.count)),
                    ("at", half(sample.at)),
                    ("stack", half(sample.stack)),
                ],
            ));
        }
        let head = structure(
            "profile_tables",
            &[
                ("change", half(self.change)),
                ("sample_end", half(self.samples.len() as u64 + 1)),
                ("stack_end", half(self.stacks.len() as u64)),
                ("frame_end", half(frames.len() as u64 / 8)),
                ("peak_epoch", half(self.peak_epoch)),
                ("origin", word(1_000)),
                ("samples", word(SAMPLES)),
                ("stacks", word(STACKS)),
                ("frames", word(FRAMES)),
                ("dropped_samples", word(self.dropped.0)),
                ("dropped_stacks", word(self.dropped.1)),
                (
                    "lifetimes",
                    self.lifetimes
                        .iter()
                        .flat_map(|it| it.to_le_bytes())
                        .collect(),
                ),
            ],
        );
        let cache = structure(
            "named_cache",
            &[
                ("state", half(1)),
                ("owner", half(CACHE_OWNER)),
                ("name", word(NAME)),
                ("name_bytes", word(11)),
            ],
        );
        let pool = |place: u64, name: &[u8]| {
            structure(
                "pool",
                &[
                    ("state", half(1)),
                    ("place", half(place)),
                    ("name", name.to_vec()),
                ],
            )
        };
        vec![
            (TABLES, head),
            (SAMPLES, samples),
            (STACKS, stacks),
            (FRAMES, frames),
            (CACHES, [word(0), word(CACHE)].concat()),
            (CACHE, cache),
            (NAME, b"inode_cache".to_vec()),
            (
                POOLS,
                [pool(0, b"connection"), pool(1, b"request")].concat(),
            ),
        ]
    }
}
