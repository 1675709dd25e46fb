//! Structures as bytes, and an image with a note.

use std::collections::HashMap;

/// Structures and their fields with sizes.
pub(crate) const STRUCTURES: &[(&str, &[(&str, u64)])] = &[
    ("process_once", &[("state", 4), ("-", 4), ("value", 512)]),
    (
        "process",
        &[
            ("profile", 24),
            ("kmem", 64),
            ("pools", 64),
            ("purge", 64),
            ("thread", 16),
        ],
    ),
    ("purge", &[("mail", 48)]),
    (
        "mail",
        &[
            ("number", 8),
            ("digest", 8),
            ("process", 4),
            ("verb", 4),
            ("value", 8),
            ("answered", 8),
            ("outcome", 4),
            ("-", 4),
        ],
    ),
    ("purge_thread", &[("bell", 8)]),
    ("bell", &[("shared", 8)]),
    ("profile", &[("rate", 8), ("started", 8), ("known", 8)]),
    (
        "profile_tables",
        &[
            ("change", 4),
            ("sample_end", 4),
            ("stack_end", 4),
            ("frame_end", 4),
            ("peak_epoch", 4),
            ("-", 4),
            ("origin", 8),
            ("samples", 8),
            ("stacks", 8),
            ("frames", 8),
            ("dropped_samples", 8),
            ("dropped_stacks", 8),
            ("lifetimes", 256),
        ],
    ),
    (
        "profile_sample",
        &[
            ("address", 8),
            ("bytes", 8),
            ("count", 8),
            ("at", 4),
            ("stack", 4),
        ],
    ),
    (
        "profile_stack",
        &[
            ("first", 4),
            ("depth", 4),
            ("label", 4),
            ("epoch", 4),
            ("live_count", 8),
            ("live_bytes", 8),
            ("all_count", 8),
            ("all_bytes", 8),
            ("peak_count", 8),
            ("peak_bytes", 8),
        ],
    ),
    ("kmem_once", &[("state", 4), ("-", 4), ("value", 16)]),
    ("kmem", &[("caches", 8), ("caches_ready", 8)]),
    (
        "named_cache",
        &[("state", 4), ("owner", 4), ("name", 8), ("name_bytes", 8)],
    ),
    ("pools_once", &[("state", 4), ("-", 4), ("value", 24)]),
    ("pools", &[("table", 8), ("made", 8), ("ready", 8)]),
    ("pool", &[("state", 4), ("place", 4), ("name", 16)]),
];

/// A structure's bytes with some fields set.
pub(crate) fn structure(name: &str, fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (_, all) = STRUCTURES
        .iter()
        .find(|it| it.0 == name)
        .expect("a structure");
    let values: HashMap<&str, &Vec<u8>> = fields.iter().map(|(name, it)| (*name, it)).collect();
    let mut bytes = Vec::new();
    for (field, size) in *all {
        let value = values.get(field).map_or(&[][..], |it| it.as_slice());
        let mut value = value.to_vec();
        value.resize(*size as usize, 0);
        bytes.extend(value);
    }
    bytes
}

pub(crate) fn word(number: u64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

pub(crate) fn row(name: &str) -> Vec<u8> {
    let mut name = name.as_bytes().to_vec();
    name.resize(32, 0);
    name
}

/// An ELF image whose note leads to the directory, which is that far from its beginning.
pub(crate) fn image(directory: u64) -> Vec<u8> {
    let mut image = vec![0; 0xa000];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    // ET_DYN, x86-64, version 1; program headers at 64, two of 56 bytes.
    put(16, &[3, 0, 62, 0, 1]);
    put(32, &64_u64.to_le_bytes());
    put(52, &[64, 0, 56, 0, 2, 0]);
    let header = |kind: u32, flags: u32, offset: u64, bytes: u64| {
        let head = [kind.to_le_bytes(), flags.to_le_bytes()].concat();
        let words = [offset, offset, offset, bytes, bytes, 4];
        [head, words.iter().flat_map(|it| it.to_le_bytes()).collect()].concat()
    };
    put(64, &header(1, 5, 0, 0xa000));
    put(120, &header(4, 4, 0x400, 32));
    put(0x400, &[11, 0, 0, 0, 8, 0, 0, 0, 1]);
    put(0x40c, b"slubmalloc\0");
    put(0x418, &(directory - 0x418).to_le_bytes());
    image
}
