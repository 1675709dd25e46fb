//! What a record of six bytes means.
//!
//! # Invariant
//!
//! Every record is an operation, and random ones are a mixture worth running: what takes long is rare.
#![forbid(unsafe_code)]

use super::kernel::Kernel;

/// Bytes of a record.
pub(crate) const RECORD: usize = 6;

/// Objects of a cache that one call takes or gives back.
pub(crate) const MOST_AT_ONCE: usize = 256;

/// One operation as it is written down.
pub(crate) type Record = [u8; RECORD];

/// The largest block that is asked for in earnest.
const LARGEST: usize = 24 << 20;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Takes a block; what was in the slot is released first.
    Take {
        how: Take,
        slot: u16,
        bytes: usize,
        align: usize,
    },
    /// Gives back what is in the slot, maybe nothing.
    Release { how: Release, slot: u16 },
    /// Changes a block's size.
    Resize {
        how: Resize,
        slot: u16,
        bytes: usize,
    },
    /// Takes blocks of one size into slots that follow each other and are empty.
    Fill {
        slot: u16,
        count: usize,
        bytes: usize,
    },
    /// Gives back the blocks of slots at equal distances.
    Sweep { slot: u16, count: usize, step: u16 },
    /// Looks at a block's bytes.
    Check { slot: u16 },
    /// Takes objects of a cache into slots that follow each other and are empty, in one call.
    TakeMany { slot: u16, count: usize, cache: u8 },
    /// Gives objects of one cache back in one call, from slots that follow each other.
    ReleaseMany { slot: u16, count: usize },
    /// Something about named caches, which the target chooses.
    TendCaches { what: [u8; 2] },
    /// Changes blocks with another player.
    Exchange { slot: u16, place: u8 },
    /// Another thread goes on.
    Switch { thread: u8 },
    /// A thread ends; it is born again when it is next switched to.
    End { thread: u8 },
    /// Asks for what must be refused.
    Refuse { what: Refusal, slot: u16 },
    /// Something about the heap as a whole, which the target chooses.
    Tend { what: [u8; 2] },
    /// Gives everything back and begins with other habits.
    Episode(Habits),
}

/// Ways to take a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Malloc,
    Calloc,
    /// `realloc` of null.
    Realloc,
    Memalign,
    AlignedAlloc,
    PosixMemalign,
    Valloc,
    Pvalloc,
    /// One of the forms of C++.
    New(New),
    /// On a node that the program names.
    OnNode(u8),
    /// As in the kernel.
    Kernel(Kernel),
}

/// A form of `operator new` or `operator delete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct New {
    pub(crate) is_array: bool,
    pub(crate) is_aligned: bool,
    pub(crate) is_nothrow: bool,
}

/// Ways to give a block back; what does not fit the block becomes `Free`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    Free,
    Cfree,
    /// With the size, and the alignment if it has one, as C23 and C++14 do.
    Sized,
    /// `realloc` to nothing.
    Realloc,
    /// The function of the kernel's that belongs to it.
    Kernel,
}

/// Ways to change a block's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resize {
    Realloc,
    ReallocArray,
}

/// What must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malloc,
    Calloc,
    Realloc,
    ReallocArray,
    Memalign,
    AlignedAlloc,
    PosixMemalignSize,
    PosixMemalignAlign,
    Pvalloc,
    NewNothrow,
    OnNode,
}

const REFUSALS: [Refusal; 11] = [
    Refusal::Malloc,
    Refusal::Calloc,
    Refusal::Realloc,
    Refusal::ReallocArray,
    Refusal::Memalign,
    Refusal::AlignedAlloc,
    Refusal::PosixMemalignSize,
    Refusal::PosixMemalignAlign,
    Refusal::Pvalloc,
    Refusal::NewNothrow,
    Refusal::OnNode,
];

/// What an episode does most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Habits {
    /// A slot's number is cut to this many bits.
    pub(crate) slot_bits: u8,
    /// A thread's number is taken modulo this, at least 1.
    pub(crate) threads: u8,
    pub(crate) sizes: Sizes,
}

/// The sizes that an episode asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// Small ones most, and a few of each other kind.
    Any,
    /// Next to where classes and kinds of blocks begin.
    Edges,
    /// One, or a little less.
    One(u16),
    Small,
    /// Some pages, from the arenas.
    Large,
    /// Mappings of their own.
    Huge,
}

impl Habits {
    /// Before the first episode.
    pub(crate) const FIRST: Self = Self {
        slot_bits: 8,
        threads: 3,
        sizes: Sizes::Any,
    };

    /// Records, as a power of two, of an episode at most: large blocks cost a thousand times what small ones do.
    pub(crate) fn length_shift(self) -> u32 {
        match self.sizes {
            Sizes::Huge => 6,
            Sizes::Large => 8,
            Sizes::Any | Sizes::Edges => 15,
            Sizes::One(_) | Sizes::Small => 17,
        }
    }

    /// From the last three bytes of a record.
    fn decode([a, b, c]: [u8; 3]) -> Self {
        let sizes = match b % 16 {
            0..=5 => Sizes::Any,
            6..=8 => Sizes::Edges,
            9..=10 => Sizes::One(edge(c, b >> 4) as u16),
            11..=13 => Sizes::Small,
            14 => Sizes::Large,
            _ => Sizes::Huge,
        };
        Self {
            slot_bits: match sizes {
                Sizes::Huge => 2 + a % 5,
                Sizes::Large => 2 + a % 8,
                _ => 2 + a % 11,
            },
            threads: 1 + (a >> 4) % 6,
            sizes,
        }
    }
}

/// A size next to an edge of the classes: of the quarters and eighths between powers of two. Up to 64 KiB.
fn edge(which: u8, nudge: u8) -> usize {
    let (power, eighth) = (4 + usize::from(which) / 8 % 12, usize::from(which) % 8);
    let size = (8 + eighth) << power >> 3;
    match nudge % 4 {
        0 => size - 1,
        1 => size + 1,
        _ => size,
    }
}

impl Sizes {
    fn decode(self, a: u8, word: u16) -> usize {
        let wide = usize::from(word);
        match self {
            Self::Any => match a {
                0..=159 => wide % 1_025,
                160..=207 => edge(word as u8, (word >> 8) as u8),
                208..=251 => wide % 32_769,
                252..=254 => 32_768 + wide * 8,
                255 => wide * 128,
            },
            Self::Edges => match a {
                0..=239 => edge(word as u8, (word >> 8) as u8),
                240..=253 => (edge(word as u8, 2) << 4).wrapping_add_signed(sign(a)),
                254..=255 => (4_usize << 20).wrapping_add_signed(sign(a)),
            },
            Self::One(size) => match a {
                0..=239 => usize::from(size),
                240..=255 => usize::from(size) - usize::from(size) * usize::from(a - 239) / 64,
            },
            Self::Small => wide % 129,
            Self::Large => match a {
                0..=31 => wide % 1_025,
                32..=199 => 32_768 + wide * 4,
                200..=247 => wide * 16,
                248..=255 => wide * 64,
            },
            Self::Huge => match a {
                0..=63 => wide % 32_769,
                64..=127 => wide * 64,
                128..=223 => (4 << 20) + wide * 64,
                224..=255 => (wide * 512).min(LARGEST),
            },
        }
    }
}

fn sign(a: u8) -> isize {
    isize::from(a % 3) - 1
}

impl Operation {
    /// The operation that a record means to a player with these habits.
    pub(crate) fn decode(record: Record, habits: Habits) -> Self {
        let [kind, low, high, a, b, c] = record;
        let slot = u16::from_le_bytes([low, high]) & ((1 << habits.slot_bits) - 1);
        let word = u16::from_le_bytes([b, c]);
        let bytes = habits.sizes.decode(a, word);
        // The alignment comes from bits of the slot's number that habits cut off, or from where it is the smallest.
        let align = 1_usize << (high >> 4);
        let take = |how, align| Self::Take {
            how,
            slot,
            bytes,
            align,
        };
        match kind {
            0..=87 => take(Take::Malloc, 1),
            88..=99 => take(Take::Calloc, 1),
            100..=101 => take(Take::Realloc, 1),
            102..=104 => take(Take::Memalign, far(align, c)),
            105..=106 => take(Take::AlignedAlloc, far(align, c)),
            107..=108 => take(Take::PosixMemalign, far(align, c).max(8)),
            109 => take(Take::Valloc, 4_096),
            110 => take(Take::Pvalloc, 4_096),
            111..=115 => {
                let form = New {
                    is_array: low & 1 != 0,
                    is_aligned: kind == 115,
                    is_nothrow: c & 1 != 0,
                };
                take(Take::New(form), if form.is_aligned { align } else { 1 })
            }
            116 => take(Take::OnNode(c % 4), 1),
            117..=190 => Self::Release {
                how: match a {
                    0..=199 => Release::Free,
                    200..=209 => Release::Cfree,
                    210..=245 => Release::Sized,
                    246..=255 => Release::Realloc,
                },
                slot,
            },
            191..=222 => Self::Resize {
                how: if kind < 219 {
                    Resize::Realloc
                } else {
                    Resize::ReallocArray
                },
                slot,
                bytes,
            },
            223..=224 => Self::Check { slot },
            225..=230 => match a {
                0..=199 => {
                    let kernel = Kernel::decode(a, b, c);
                    let bytes = kernel.bytes(habits.sizes.decode(b, word));
                    Self::Take {
                        how: Take::Kernel(kernel),
                        slot,
                        bytes,
                        align: kernel.align(bytes),
                    }
                }
                200..=219 => Self::Release {
                    how: Release::Kernel,
                    slot,
                },
                220..=231 => Self::TakeMany {
                    slot,
                    count: count(b).min(MOST_AT_ONCE),
                    cache: c,
                },
                232..=243 => Self::ReleaseMany {
                    slot,
                    count: count(b).min(MOST_AT_ONCE),
                },
                244..=249 => Self::TendCaches { what: [b, c] },
                250..=255 => Self::Check { slot },
            },
            231..=236 => Self::Exchange { slot, place: c },
            237..=240 => Self::Fill {
                slot,
                count: count(c),
                bytes: bytes.min(16 << 10),
            },
            241..=246 => Self::Sweep {
                slot,
                count: count(c),
                step: u16::from(b) % 5 + 1,
            },
            247..=250 => Self::Switch {
                thread: a % habits.threads.max(1),
            },
            251 if a < 16 => Self::End {
                thread: b % habits.threads.max(1),
            },
            252 if a < 32 => Self::Tend { what: [b, c] },
            253 if a < 128 => Self::Refuse {
                what: REFUSALS[usize::from(b) % REFUSALS.len()],
                slot,
            },
            254 if a < 4 => Self::Episode(Habits::decode([b, c, low])),
            251..=255 => Self::Check { slot },
        }
    }

    /// The record that begins an episode, and the habits that it brings.
    pub(crate) fn episode(habits: [u8; 3]) -> (Record, Habits) {
        let [b, c, low] = habits;
        ([254, low, 0, 0, b, c], Habits::decode(habits))
    }
}

/// A few objects, or as many as make sheaves full.
fn count(c: u8) -> usize {
    let few = usize::from(c) % 64 + 1;
    if c >= 192 { few * 16 } else { few }
}

/// An alignment above 32 KiB, now and then.
fn far(align: usize, c: u8) -> usize {
    if c == 255 {
        (align << 8).min(16 << 20)
    } else {
        align
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn every_kind_has_a_meaning_and_an_episode_is_one() {
        for kind in 0..=255 {
            Operation::decode([kind, 1, 2, 3, 4, 5], Habits::FIRST);
        }
        let (record, habits) = Operation::episode([7, 9, 11]);
        assert_eq!(
            Operation::decode(record, Habits::FIRST),
            Operation::Episode(habits)
        );
    }

    #[test]
    fn edges_meet_every_power_of_two_up_to_32_kib() {
        let sizes: std::vec::Vec<usize> = (0..=255).map(|which| edge(which, 2)).collect();
        for power in 4..=15 {
            assert!(sizes.contains(&(1 << power)), "{power}");
        }
    }
}
