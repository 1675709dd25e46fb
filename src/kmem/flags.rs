//! Flags of the kernel's functions, with the values that the header gives them.
#![forbid(unsafe_code)]

/// `__GFP_…` bits, as in Linux.
const HIGHMEM: u32 = 0x02;
const MOVABLE: u32 = 0x08;
const RECLAIMABLE: u32 = 0x10;
const HIGH: u32 = 0x20;
const IO: u32 = 0x40;
const FS: u32 = 0x80;
const ZERO: u32 = 0x100;
const DIRECT_RECLAIM: u32 = 0x400;
const KSWAPD_RECLAIM: u32 = 0x800;
const NOWARN: u32 = 0x2000;
const RETRY_MAYFAIL: u32 = 0x4000;
const NOFAIL: u32 = 0x8000;
const NORETRY: u32 = 0x1_0000;
const MEMALLOC: u32 = 0x2_0000;
const COMP: u32 = 0x4_0000;
const HARDWALL: u32 = 0x10_0000;
const THISNODE: u32 = 0x20_0000;
const ACCOUNT: u32 = 0x40_0000;

/// Flags that change nothing where an object is at hand.
pub(crate) const FAST_FLAGS: u32 = HIGHMEM
    | MOVABLE
    | RECLAIMABLE
    | HIGH
    | IO
    | FS
    | DIRECT_RECLAIM
    | KSWAPD_RECLAIM
    | NOWARN
    | RETRY_MAYFAIL
    | NORETRY
    | MEMALLOC
    | COMP
    | HARDWALL
    | ACCOUNT;
/// All that are known.
const KNOWN: u32 = FAST_FLAGS | ZERO | NOFAIL | THISNODE;

/// How an allocation may get its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gfp(u32);

impl Gfp {
    /// What these flags say; `None` for unknown ones, for memory that this process does not have (`GFP_DMA`, `GFP_DMA32`), and
    /// for a request that must neither fail nor wait.
    pub(crate) const fn new(flags: u32) -> Option<Self> {
        let gfp = Self(flags);
        if flags & !KNOWN != 0 || gfp.never_fails() && !gfp.may_wait() {
            return None;
        }
        Some(gfp)
    }

    /// What may wait and may fail.
    pub(crate) const KERNEL: Self = Self(DIRECT_RECLAIM | KSWAPD_RECLAIM | IO | FS);

    /// The same flags for one that does not wait.
    pub(crate) const fn without_waiting(self) -> u32 {
        self.0 & !(DIRECT_RECLAIM | NOFAIL)
    }

    /// The same flags for one that may fail.
    pub(crate) const fn may_fail(self) -> u32 {
        self.0 & !NOFAIL
    }

    /// Whether the memory must read as zero.
    pub(crate) const fn zeroes(self) -> bool {
        self.0 & ZERO != 0
    }

    /// Whether a lock may be waited for and memory asked of the system.
    pub(crate) const fn may_wait(self) -> bool {
        self.0 & DIRECT_RECLAIM != 0
    }

    /// Whether what other threads have at hand may be taken for it, which can take some hundredths of a second.
    pub(crate) const fn may_collect(self) -> bool {
        self.may_wait() && self.0 & NORETRY == 0
    }

    /// Whether no memory is the end of the process.
    pub(crate) const fn never_fails(self) -> bool {
        self.0 & NOFAIL != 0
    }

    /// Whether another node's memory will not do.
    pub(crate) const fn is_this_node(self) -> bool {
        self.0 & THISNODE != 0
    }
}

/// `SLAB_…` bits, as in Linux up to 6.16.
pub(super) const SLAB_HWCACHE_ALIGN: u32 = 0x2000;
pub(super) const SLAB_CONSISTENCY_CHECKS: u32 = 0x100;
pub(super) const SLAB_RED_ZONE: u32 = 0x400;
pub(super) const SLAB_POISON: u32 = 0x800;
pub(super) const SLAB_STORE_USER: u32 = 0x1_0000;
/// Each object comes by the modes, which see every call: no flag of the program's.
pub(super) const DEBUGGED: u32 = 1;
/// Added by the library, with that, where freed memory is cleared and free objects are not: it is when it leaves the cache.
pub(super) const CLEARED_LATE: u32 = 2;
/// Each call is printed: no flag of the program's.
pub(super) const TRACED: u32 = 4;
/// Those for which each object is looked at.
pub(super) const SLAB_CHECKS: u32 =
    SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER;
pub(super) const SLAB_TYPESAFE_BY_RCU: u32 = 0x8_0000;
pub(super) const SLAB_PANIC: u32 = 0x4_0000;
/// Of ours, not of the kernel's, which merges by default.
pub(super) const SLAB_MERGE: u32 = 0x0200_0000;
pub(super) const SLAB_NO_MERGE: u32 = 0x0100_0000;
pub(super) const SLAB_ACCOUNT: u32 = 0x0400_0000;
pub(super) const SLAB_KNOWN: u32 = SLAB_MERGE
    | SLAB_CHECKS
    | SLAB_TYPESAFE_BY_RCU
    | SLAB_HWCACHE_ALIGN
    | SLAB_PANIC
    | SLAB_NO_MERGE
    | SLAB_ACCOUNT;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_contradictory_flags_are_none() {
        for flags in [0x01, 0x04, 0x200, 0x1000, 0x8_0000, 0x80_0000, 1 << 31] {
            assert_eq!(Gfp::new(0xcc0 | flags), None, "{flags:#x}");
        }
        for bit in (0..32)
            .map(|bit| 1_u32 << bit)
            .filter(|bit| KNOWN & bit != 0)
        {
            assert!(Gfp::new(0xcc0 | bit).is_some(), "{bit:#x}");
        }
        assert_eq!(Gfp::new(NOFAIL | KSWAPD_RECLAIM), None);
        assert!(Gfp::new(0xcc0 | NOFAIL).is_some_and(Gfp::never_fails));
    }
}
