//! `slab_debug`: from the kernel's grammar to flags for each class.
//!
//! `<options>[,<name|prefix*>…][;<options>,<names>…]`: the first block that names a class decides about it, else the
//! last block without names. See the kernel's Documentation/admin-guide/mm/slab.rst.
#![forbid(unsafe_code)]

use super::super::sort::{POISON, RED_ZONE, SANITY, SORTS, Sort, TRACE, USER, fits};

/// The flags of what has a name, as a text says that was found right.
fn decide(text: &[u8], is_named: impl Fn(&[u8]) -> bool) -> u8 {
    let blocks = || text.split(|byte| *byte == b';').filter_map(Block::parse);
    let named = blocks().find(|block| block.names().any(&is_named));
    let general = || blocks().rfind(Block::is_general);
    named.or_else(general).map_or(0, |block| block.flags)
}

/// What a named cache is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheFlags {
    /// `F`.
    pub(crate) checks: bool,
    /// `Z`.
    pub(crate) red_zones: bool,
    /// `P`.
    pub(crate) poison: bool,
    /// `U`.
    pub(crate) users: bool,
    /// `T`.
    pub(crate) traces: bool,
}

/// The most of an option's text that is kept, for caches that come later.
const TEXT: usize = 256;

/// The flags of each sort, and the text that they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    flags: [u8; SORTS],
    text: [u8; TEXT],
}

impl Options {
    /// No flags.
    pub(crate) const OFF: Self = Self {
        flags: [0; SORTS],
        text: [0; TEXT],
    };

    /// Whether anything is debugged.
    pub(crate) fn any(&self) -> bool {
        self.flags.iter().any(|flags| *flags != 0)
    }

    /// The flags of a sort.
    pub(super) fn of(&self, sort: Sort) -> u8 {
        self.flags.get(sort.index()).copied().unwrap_or(0)
    }

    /// Whether any sort has this flag.
    pub(super) fn have(&self, flag: u8) -> bool {
        self.flags.iter().any(|flags| flags & flag != 0)
    }

    /// Reads the kernel's grammar.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut options = Self::OFF;
        let blocks = || text.split(|byte| *byte == b';').map(Block::parse);
        for block in blocks() {
            let block = block?;
            // A class that does not exist is a mistake; any other name may be that of a cache.
            let is_known = |name: &[u8]| {
                !name.starts_with(b"kmalloc-") || Sort::all().any(|it| it.is_named(name))
            };
            if !block.names().all(is_known) {
                return None;
            }
        }
        if blocks().flatten().all(|block| block.flags == 0) {
            return Some(Self::OFF);
        }
        for (flags, sort) in options.flags.iter_mut().zip(Sort::all()) {
            *flags = decide(text, |name| sort.is_named(name));
        }
        options.text.get_mut(..text.len())?.copy_from_slice(text);
        Some(options)
    }

    /// What is asked of a named cache.
    pub(crate) fn of_cache(&self, name: &[u8]) -> CacheFlags {
        let end = self.text.iter().position(|byte| *byte == 0);
        let text = self.text.get(..end.unwrap_or(TEXT)).unwrap_or_default();
        let flags = match text {
            // Nothing was asked for, which as text would be all.
            [] if !self.any() => 0,
            text => decide(text, |pattern| fits(name, pattern)),
        };
        CacheFlags {
            checks: flags & SANITY != 0,
            red_zones: flags & RED_ZONE != 0,
            poison: flags & POISON != 0,
            users: flags & USER != 0,
            traces: flags & TRACE != 0,
        }
    }
}

/// Options and the names they are for.
#[derive(Clone, Copy, Debug)]
struct Block<'text> {
    flags: u8,
    names: Option<&'text [u8]>,
}

impl<'text> Block<'text> {
    fn parse(text: &'text [u8]) -> Option<Self> {
        let mut parts = text.splitn(2, |byte| *byte == b',');
        let letters = parts.next()?.trim_ascii();
        let mut flags = 0;
        // As for every other key; as letters it would be only sanity checks.
        let is_off = letters.eq_ignore_ascii_case(b"off");
        for letter in if is_off { b"-" } else { letters } {
            flags |= match letter.to_ascii_uppercase() {
                b'F' => SANITY,
                b'Z' => RED_ZONE,
                b'P' => POISON,
                b'U' => USER,
                b'T' => TRACE,
                // Off, and "off where it would raise the order of a slab", which it never does.
                b'-' | b'O' => 0,
                _ => return None,
            };
        }
        // The kernel's plain "slab_debug" means all of them but tracing.
        if letters.is_empty() {
            flags = SANITY | RED_ZONE | POISON | USER;
        }
        let names = parts.next();
        Some(Self { flags, names })
    }

    fn is_general(&self) -> bool {
        self.names.is_none()
    }

    fn names(&self) -> impl Iterator<Item = &'text [u8]> + use<'text> {
        let names = self.names.unwrap_or_default();
        let all = names.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        all.filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str, bytes: usize) -> u8 {
        let options = Options::parse(text.as_bytes()).unwrap();
        options.of(Sort::of(bytes, 1))
    }

    #[test]
    fn options_without_names_are_for_all() {
        let all = SANITY | RED_ZONE | POISON | USER;
        for bytes in [1, 64, 30_000, 70_000, 8 << 20] {
            assert_eq!(flags("FZPU", bytes), all);
            assert_eq!(flags("", bytes), all);
            assert_eq!(flags("fz", bytes), SANITY | RED_ZONE);
            assert_eq!(flags("-", bytes), 0);
            assert_eq!(flags("off", bytes), 0);
            assert_eq!(flags("FZ;off,kmalloc-*,large,huge", bytes), 0);
        }
    }

    #[test]
    fn the_first_block_that_names_a_class_decides() {
        let text = "Z,kmalloc-64;U,kmalloc-*;P";
        assert_eq!(flags(text, 64), RED_ZONE);
        assert_eq!(flags(text, 65), USER);
        assert_eq!(flags(text, 70_000), POISON);
        assert_eq!(flags("FZ;-,huge,kmalloc-1024", 1024), 0);
        assert_eq!(flags("FZ;-,huge,kmalloc-1024", 8 << 20), 0);
        assert_eq!(flags("FZ;-,huge,kmalloc-1024", 70_000), SANITY | RED_ZONE);
        assert_eq!(flags("T,large", 64), 0);
    }

    #[test]
    fn named_caches_are_found_by_name() {
        let of = |text: &str, name: &str| {
            Options::parse(text.as_bytes())
                .unwrap()
                .of_cache(name.as_bytes())
        };
        let zones = CacheFlags {
            red_zones: true,
            ..CacheFlags::default()
        };
        assert_eq!(of("Z,inode", "inode"), zones);
        assert_eq!(of("Z,ino*;-", "inode"), zones);
        assert_eq!(of("P;Z,dentry,inode", "inode"), zones);
        assert_eq!(of("Z,inode", "inode2"), CacheFlags::default());
        assert_eq!(of("Z;-,inode", "inode"), CacheFlags::default());
        assert!(of("", "inode").poison && of("fzpu", "inode").users);
        assert_eq!(Options::OFF.of_cache(b"inode"), CacheFlags::default());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["X", "F,kmalloc-65", "F;Q", "FZ,kmalloc-64;Z,kmalloc-"] {
            assert_eq!(Options::parse(text.as_bytes()), None, "{text}");
        }
    }
}
