//! Operations of the kernel's interface: blocks of `kmalloc`, pages, and objects of named caches.
//!
//! # Invariant
//!
//! What a way gives follows from the way and the bytes that were asked for only, so the model knows size and alignment.
#![forbid(unsafe_code)]

/// A cache that every player uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheKind {
    pub(crate) bytes: usize,
    pub(crate) align: usize,
    pub(crate) flags: u32,
    /// Its constructor writes [`CONSTRUCTED`] to all bytes, and what is freed holds that again.
    pub(crate) constructs: bool,
    /// The most objects that may exist, 0 for any number.
    pub(crate) limit: usize,
}

/// How many pools there are.
pub(crate) const POOLS: usize = 3;

/// What each byte of a constructed object holds that is not in use.
pub(crate) const CONSTRUCTED: u8 = 0x11;

const PLAIN: CacheKind = CacheKind {
    bytes: 8,
    align: 16,
    flags: 0,
    constructs: false,
    limit: 0,
};

/// The caches.
pub(crate) const CACHES: [CacheKind; 8] = [
    PLAIN,
    CacheKind {
        bytes: 100,
        align: 64,
        flags: 0x2000,
        ..PLAIN
    },
    CacheKind {
        bytes: 64,
        constructs: true,
        ..PLAIN
    },
    // SLAB_TYPESAFE_BY_RCU
    CacheKind {
        bytes: 200,
        flags: 0x8_0000,
        constructs: true,
        ..PLAIN
    },
    CacheKind {
        bytes: 1_000,
        limit: 300,
        ..PLAIN
    },
    // SLUB_MERGE, twice
    CacheKind {
        bytes: 500,
        flags: 0x200_0000,
        ..PLAIN
    },
    CacheKind {
        bytes: 510,
        flags: 0x200_0000,
        ..PLAIN
    },
    CacheKind {
        bytes: 20_000,
        align: 4_096,
        ..PLAIN
    },
];

/// Ways of an object out of its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Alloc,
    /// `kmem_cache_zalloc`, without a constructor.
    Zeroed,
    /// With flags that allow neither waiting nor asking the system.
    NoWait,
    OnNode,
    /// From a sheaf that is filled and returned in the same call.
    Sheaf,
    /// From a mempool over the cache, if there is one.
    Pool,
    /// Many at once, or none.
    Bulk,
}

/// Ways to take a block as the kernel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    Kmalloc,
    Kzalloc,
    Vmalloc,
    /// Pages, the number as a power of two.
    Pages(u8),
    PagesExact,
    /// Of one of the pools.
    Pooled(u8),
    Object {
        cache: u8,
        source: Source,
    },
}

const MOST_EXACT: usize = 4 << 20;
const MOST_ORDER: u8 = 10;

impl Kernel {
    /// A way, of which objects are most.
    pub(crate) fn decode(a: u8, b: u8, c: u8) -> Self {
        match a {
            0..=99 => Self::Object {
                cache: c % CACHES.len() as u8,
                source: match b {
                    0..=127 => Source::Alloc,
                    128..=159 => Source::Zeroed,
                    160..=191 => Source::NoWait,
                    192..=207 => Source::OnNode,
                    208..=231 => Source::Sheaf,
                    232..=255 => Source::Pool,
                },
            },
            100..=139 => Self::Kmalloc,
            140..=159 => Self::Kzalloc,
            160..=167 => Self::Vmalloc,
            // A large order is rare.
            168..=179 => Self::Pages(b.leading_zeros() as u8 + c % 3),
            180..=194 => Self::Pooled(c % POOLS as u8),
            _ => Self::PagesExact,
        }
    }

    /// What a block of this kind has, if `asked` bytes were asked for.
    pub(crate) fn bytes(self, asked: usize) -> usize {
        match self {
            Self::Pages(order) => 4_096 << order.min(MOST_ORDER),
            Self::PagesExact => asked.clamp(1, MOST_EXACT),
            Self::Object { cache, .. } => CACHES[usize::from(cache) % CACHES.len()].bytes,
            Self::Kmalloc | Self::Kzalloc | Self::Vmalloc => asked.max(1),
            Self::Pooled(_) => asked,
        }
    }

    /// What its address is a multiple of.
    pub(crate) fn align(self, bytes: usize) -> usize {
        match self {
            Self::Pages(_) => bytes,
            Self::PagesExact => bytes.next_power_of_two().max(4_096),
            Self::Vmalloc => 4_096,
            Self::Object { cache, .. } => CACHES[usize::from(cache) % CACHES.len()].align,
            Self::Kmalloc | Self::Kzalloc if bytes.is_power_of_two() && bytes <= MOST_EXACT => {
                bytes
            }
            Self::Kmalloc | Self::Kzalloc | Self::Pooled(_) => 1,
        }
    }

    pub(crate) fn is_zeroed(self) -> bool {
        let Self::Object { source, .. } = self else {
            return self == Self::Kzalloc;
        };
        source == Source::Zeroed && !self.constructs()
    }

    /// Whether its free bytes belong to the cache.
    pub(crate) fn constructs(self) -> bool {
        let Self::Object { cache, .. } = self else {
            return false;
        };
        CACHES[usize::from(cache) % CACHES.len()].constructs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_powers_of_two_lie_at_multiples_of_themselves() {
        for way in (0..=255).map(|a| Kernel::decode(a, 200, 7)) {
            let bytes = way.bytes(4_096);
            assert!(bytes > 0 && way.align(bytes).is_power_of_two(), "{way:?}");
        }
        assert_eq!(Kernel::Pages(3).align(Kernel::Pages(3).bytes(1)), 32 << 10);
        assert_eq!(Kernel::Kmalloc.align(512), 512);
    }
}
