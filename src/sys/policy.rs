//! From which nodes the kernel takes pages: mbind(2) and what belongs to it, called directly.
//!
//! A policy changes where pages come from, never what they hold; where a kernel knows no nodes the
//! calls fail and nothing is lost.

use super::syscall::call;

/// Modes of the kernel's `include/uapi/linux/mempolicy.h`.
const MPOL_DEFAULT: i32 = 0;
const MPOL_PREFERRED: usize = 1;
const MPOL_BIND: usize = 2;
const MPOL_INTERLEAVE: usize = 3;
const MPOL_LOCAL: i32 = 4;
const MPOL_WEIGHTED_INTERLEAVE: usize = 6;
const MPOL_F_NODE: usize = 1;
const MPOL_F_ADDR: usize = 2;
const MPOL_F_MEMS_ALLOWED: usize = 4;

/// `set_mempolicy_home_node`, Linux 5.17; the number is the same on all architectures.
const SYS_SET_MEMPOLICY_HOME_NODE: libc::c_long = 450;
/// Node masks have 64 bits, and the kernel wants to be told of one more.
const MASK_BITS: usize = 65;
/// Stripes are as long as this, a multiple of every slab's length, so that a slab lies on one node.
const STRIPE: usize = 1 << 20;
/// A stripe is a mapping for the kernel, of which a process may have 65,530 (`vm.max_map_count`). After
/// this many of ours memory is interleaved by page.
const MOST_STRIPES: usize = 16 << 10;
/// Stripes after which their order repeats.
pub(crate) const CYCLE: usize = 64;

/// Where a range's pages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// From this node, or from the nearest to it that has any.
    Prefer(u8),
    /// Only from the nodes of a mask, from `home` first where the kernel can do that.
    Bind {
        /// One bit for each node.
        mask: u64,
        /// The node to begin with.
        home: u8,
    },
    /// From the nodes of a mask in turn, page by page.
    Interleave {
        /// One bit for each node.
        mask: u64,
        /// As often as the kernel's weights say, where it has weights (Linux 6.9).
        weighted: bool,
    },
    /// From several nodes in turn, a mebibyte from each.
    Striped(Stripes),
}

/// The nodes of stripes, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stripes {
    nodes: [u8; CYCLE],
    count: usize,
}

impl Stripes {
    /// Stripes that come from `nodes` in turn, of which the first [`CYCLE`] count.
    pub(crate) fn new(nodes: impl Iterator<Item = u8>) -> Self {
        let mut stripes = Self {
            nodes: [0; CYCLE],
            count: 0,
        };
        for (place, node) in stripes.nodes.iter_mut().zip(nodes) {
            *place = node;
            stripes.count += 1;
        }
        stripes
    }

    /// The node of the byte at `offset` of what is striped.
    pub(crate) fn node_at(&self, offset: usize) -> Option<u8> {
        self.node(offset / STRIPE)
    }

    fn mask(&self) -> u64 {
        let nodes = self.nodes.iter().take(self.count);
        nodes.fold(0, |mask, node| mask | 1 << (node % 64))
    }

    fn node(&self, stripe: usize) -> Option<u8> {
        self.nodes.get(stripe.checked_rem(self.count)?).copied()
    }
}

/// Applies `policy` to the `bytes` at `start`; `origin` is where stripes are counted from. Whether
/// the kernel took it.
pub(super) fn apply(policy: Policy, origin: usize, start: usize, bytes: usize) -> bool {
    match policy {
        Policy::Prefer(node) => bind(start, bytes, MPOL_PREFERRED, 1 << (node % 64)),
        Policy::Bind { mask, home } => {
            let done = bind(start, bytes, MPOL_BIND, mask);
            let arguments = [start, bytes, home.into(), 0, 0, 0];
            // Without it the kernel begins with the node of the thread that touches a page.
            // SAFETY: see the module.
            let _ = unsafe { call(SYS_SET_MEMPOLICY_HOME_NODE, arguments) };
            done
        }
        Policy::Interleave { mask, weighted } => {
            weighted && bind(start, bytes, MPOL_WEIGHTED_INTERLEAVE, mask)
                || bind(start, bytes, MPOL_INTERLEAVE, mask)
        }
        Policy::Striped(stripes) => apply_stripes(&stripes, origin, start, bytes),
    }
}

fn apply_stripes(stripes: &Stripes, origin: usize, start: usize, bytes: usize) -> bool {
    let end = start + bytes;
    let mut done = true;
    let mut from = start;
    while from < end {
        let stripe = (from - origin) / STRIPE;
        if stripe >= MOST_STRIPES {
            return done & bind(from, end - from, MPOL_INTERLEAVE, stripes.mask());
        }
        let next = (origin + (stripe + 1) * STRIPE).min(end);
        let Some(node) = stripes.node(stripe) else {
            return false;
        };
        done &= bind(from, next - from, MPOL_PREFERRED, 1 << (node % 64));
        from = next;
    }
    done
}

fn bind(start: usize, bytes: usize, mode: usize, mask: u64) -> bool {
    let arguments = [start, bytes, mode, (&raw const mask) as usize, MASK_BITS, 0];
    // SAFETY: see the module; `mask` outlives the call.
    unsafe { call(libc::SYS_mbind, arguments) }.is_ok()
}

/// Whether somebody chose where this process's memory comes from, as numactl(8) does.
pub(crate) fn process_has_memory_policy() -> bool {
    let mut mode: i32 = 0;
    let arguments = [(&raw mut mode) as usize, 0, 0, 0, 0, 0];
    // SAFETY: the kernel writes one int to `mode`.
    let answer = unsafe { call(libc::SYS_get_mempolicy, arguments) };
    answer.is_ok() && !matches!(mode, MPOL_DEFAULT | MPOL_LOCAL)
}

/// The nodes that this process may have memory of, one bit for each below 64; `None` where the kernel
/// does not tell.
pub(crate) fn allowed_nodes() -> Option<u64> {
    // The kernel refuses a mask that is shorter than its own, which has up to 1,024 bits.
    let mut mask = [0_u64; 16];
    let bits = mask.len() * 64;
    let arguments = [
        0,
        mask.as_mut_ptr() as usize,
        bits,
        0,
        MPOL_F_MEMS_ALLOWED,
        0,
    ];
    // SAFETY: the kernel writes at most `bits` bits to `mask`.
    unsafe { call(libc::SYS_get_mempolicy, arguments) }.value()?;
    mask.first().copied().filter(|mask| *mask != 0)
}

/// The node that holds the page at `address`, which is touched if it was not yet; `None` where the
/// kernel does not tell.
pub(crate) fn node_of_page(address: usize) -> Option<u8> {
    let mut node: i32 = 0;
    let flags = MPOL_F_NODE | MPOL_F_ADDR;
    let arguments = [(&raw mut node) as usize, 0, 0, address, flags, 0];
    // SAFETY: the kernel writes one int to `node`.
    let answer = unsafe { call(libc::SYS_get_mempolicy, arguments) };
    answer.value()?;
    u8::try_from(node).ok()
}

/// The node of the CPU that runs the caller.
pub(crate) fn current_node() -> Option<u8> {
    match super::rseq::node() {
        Some(kept) => u8::try_from(kept).ok(),
        None => asked_node(),
    }
}

/// The same, where nobody keeps it.
pub(super) fn asked_node() -> Option<u8> {
    let mut node: u32 = 0;
    // SAFETY: the kernel writes one unsigned int to `node`.
    let answer = unsafe { call(libc::SYS_getcpu, [0, (&raw mut node) as usize, 0, 0, 0, 0]) };
    answer.value()?;
    u8::try_from(node).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Mapping;

    #[test]
    fn stripes_repeat_and_none_is_no_node() {
        let stripes = Stripes::new([3, 0, 3].into_iter());
        let nodes = [0, 1, 2, 3, 64].map(|stripe| stripes.node(stripe));
        assert_eq!(nodes, [3, 0, 3, 3, 0].map(Some));
        assert_eq!(stripes.mask(), 0b1001);
        assert_eq!(Stripes::new([].into_iter()).node(0), None);
        assert_eq!(Stripes::new((0..255).cycle()).count, CYCLE);
    }

    #[test]
    fn a_page_of_ours_is_on_the_node_that_runs_us_or_another_one() {
        let mapping = Mapping::new(1 << 20, 1).unwrap();
        // A kernel without nodes answers neither question.
        if let Some(node) = node_of_page(mapping.address()) {
            assert!(node < 64);
            assert!(current_node().is_some());
        }
        mapping.unmap();
    }
}
