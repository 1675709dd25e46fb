//! The words everyone speaks: pages, orders, granules, nodes, classes and their arithmetic.
//!
//! # Invariant
//!
//! Every index is relative to one arena; a number leaves its unit only through a named method.
#![forbid(unsafe_code)]

/// log2 of the arena's page size.
pub(crate) const PAGE_SHIFT: u32 = 12;
/// The arena's page: 4 KiB, whatever the operating system's own page is.
pub(crate) const PAGE_SIZE: usize = 1 << PAGE_SHIFT;
/// log2 of a granule.
pub(crate) const GRANULE_SHIFT: u32 = 16;
/// A granule: 64 KiB, the unit of the class map and of the slab table.
pub(crate) const GRANULE_SIZE: usize = 1 << GRANULE_SHIFT;
/// Pages of a granule.
pub(crate) const GRANULE_PAGES: u32 = 1 << (GRANULE_SHIFT - PAGE_SHIFT);
/// The largest order of the buddy system, as `MAX_PAGE_ORDER` in the kernel.
pub(crate) const MAX_ORDER: usize = 10;
/// Number of orders, 0 to [`MAX_ORDER`].
pub(crate) const ORDERS: usize = MAX_ORDER + 1;
/// Pages of a pageblock, the largest buddy block; buddies never join beyond it.
pub(crate) const BLOCK_PAGES: u32 = 1 << MAX_ORDER;
/// Bytes of a pageblock: 4 MiB.
pub(crate) const BLOCK_SIZE: usize = (BLOCK_PAGES as usize) << PAGE_SHIFT;
/// The alignment of every pointer that is handed out.
pub(crate) const MIN_ALIGN: usize = 16;
/// Most nodes that are told apart; the kernel's default for a large x86-64 machine.
pub(crate) const MAX_NODES: usize = 64;

/// Most clusters of processors that are told apart on a node.
pub(crate) const MAX_CLUSTERS: usize = 32;

const _: () = assert!(GRANULE_PAGES == 16);
const _: () = assert!(BLOCK_SIZE == 4 << 20);

/// A cluster: processors that share a cache, and with it cache nodes. Numbers are less than [`MAX_CLUSTERS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterId(pub(crate) u8);

/// A page of an arena, counted from its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PageIndex(pub(crate) u32);

impl PageIndex {
    /// The page that holds the byte at `offset` from the arena's base.
    pub(crate) const fn containing(offset: usize) -> Self {
        Self((offset >> PAGE_SHIFT) as u32)
    }

    /// The byte offset of the page's start from the arena's base.
    pub(crate) const fn offset(self) -> usize {
        (self.0 as usize) << PAGE_SHIFT
    }

    /// The page `pages` further on.
    pub(crate) const fn plus(self, pages: u32) -> Self {
        Self(self.0 + pages)
    }

    /// The pageblock that holds this page.
    pub(crate) const fn block(self) -> usize {
        (self.0 / BLOCK_PAGES) as usize
    }

    /// The page's place inside its pageblock.
    pub(crate) const fn in_block(self) -> u32 {
        self.0 % BLOCK_PAGES
    }

    /// The granule that holds this page.
    pub(crate) const fn granule(self) -> GranuleIndex {
        GranuleIndex(self.0 / GRANULE_PAGES)
    }
}

/// log2 of the pages of a buddy block, 0 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order(u8);

impl Order {
    /// The order with this number; at most [`MAX_ORDER`].
    pub(crate) const fn new(order: u32) -> Self {
        debug_assert!(order <= MAX_ORDER as u32);
        Self(order as u8)
    }

    /// The smallest order whose blocks hold `pages`, which lies in 1 ..= 1024.
    pub(crate) const fn holding(pages: u32) -> Self {
        Self::new(pages.next_power_of_two().trailing_zeros())
    }

    /// The largest block that may start at `page` and has at most `pages` pages.
    pub(crate) fn fitting(page: PageIndex, pages: u32) -> Self {
        let by_address = page.0.trailing_zeros().min(MAX_ORDER as u32);
        Self::new(by_address.min(pages.ilog2()))
    }

    /// Pages of a block of this order.
    pub(crate) const fn pages(self) -> u32 {
        1 << self.0
    }

    /// The order as an index.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The next larger order, or `None` for the largest.
    pub(crate) const fn up(self) -> Option<Self> {
        if (self.0 as usize) < MAX_ORDER {
            Some(Self(self.0 + 1))
        } else {
            None
        }
    }
}

/// A granule of an arena, counted from its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GranuleIndex(pub(crate) u32);

impl GranuleIndex {
    /// The granule that holds the byte at `offset` from the arena's base.
    pub(crate) const fn containing(offset: usize) -> Self {
        Self((offset >> GRANULE_SHIFT) as u32)
    }

    /// The byte offset of the granule's start from the arena's base.
    pub(crate) const fn offset(self) -> usize {
        (self.0 as usize) << GRANULE_SHIFT
    }

    /// The granule as a table index.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The granule's first page.
    pub(crate) const fn first_page(self) -> PageIndex {
        PageIndex(self.0 * GRANULE_PAGES)
    }
}

/// A NUMA node by the kernel's number; numbers need not be dense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub u8);

impl NodeId {
    /// The node as an index below [`MAX_NODES`].
    pub(crate) const fn index(self) -> usize {
        self.0 as usize % MAX_NODES
    }
}

/// A size class; 0 stands for "not a slab".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClassId(pub(crate) u8);

impl ClassId {
    /// No class: the granule belongs to no slab.
    pub(crate) const NONE: Self = Self(0);

    /// The class as a table index.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whether memory must read as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeroed {
    /// Every byte of the request reads as zero.
    Yes,
    /// The content does not matter.
    No,
}

/// Pages that hold `bytes`.
pub(crate) const fn pages_for(bytes: usize) -> usize {
    bytes.div_ceil(PAGE_SIZE)
}

/// `value` rounded up to a multiple of `align`, a power of two; `None` where that overflows.
pub(crate) const fn align_up(value: usize, align: usize) -> Option<usize> {
    match value.checked_add(align - 1) {
        Some(sum) => Some(sum & !(align - 1)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_pages_need_order_four() {
        assert_eq!(Order::holding(1).index(), 0);
        assert_eq!(Order::holding(8).index(), 3);
        assert_eq!(Order::holding(9).index(), 4);
        assert_eq!(Order::holding(1024).index(), 10);
    }

    #[test]
    fn a_block_fits_its_address_and_its_length() {
        assert_eq!(Order::fitting(PageIndex(9), 7).pages(), 1);
        assert_eq!(Order::fitting(PageIndex(12), 4).pages(), 4);
        assert_eq!(Order::fitting(PageIndex(0), 4096).pages(), 1024);
        assert_eq!(Order::fitting(PageIndex(16), 9).pages(), 8);
    }

    #[test]
    fn rounding_up_refuses_to_overflow() {
        assert_eq!(align_up(1, 64), Some(64));
        assert_eq!(align_up(64, 64), Some(64));
        assert_eq!(align_up(usize::MAX, 64), None);
    }

    #[test]
    fn every_length_is_held_by_the_smallest_order() {
        for pages in 1..=BLOCK_PAGES {
            let order = Order::holding(pages);
            assert!(order.pages() >= pages);
            assert!(order.index() == 0 || order.pages() / 2 < pages);
        }
    }

    #[test]
    fn every_run_of_a_block_is_cut_into_aligned_parts_and_nothing_else() {
        for start in 0..BLOCK_PAGES {
            for pages in 1..=BLOCK_PAGES - start {
                let (mut page, mut left, mut parts) = (PageIndex(start), pages, 0);
                while left > 0 {
                    let order = Order::fitting(page, left);
                    assert!(order.pages() <= left && page.0.is_multiple_of(order.pages()));
                    // It could not be larger.
                    let larger = order.pages() * 2;
                    assert!(larger > left || !page.0.is_multiple_of(larger));
                    (page, left) = (page.plus(order.pages()), left - order.pages());
                    parts += 1;
                }
                assert!(page == PageIndex(start + pages) && parts <= 2 * MAX_ORDER);
            }
        }
    }

    #[test]
    fn every_byte_of_a_block_has_one_page_and_one_granule() {
        for offset in (0..2 * BLOCK_SIZE).step_by(16).chain([BLOCK_SIZE - 1]) {
            let (page, granule) = (
                PageIndex::containing(offset),
                GranuleIndex::containing(offset),
            );
            assert!((page.offset()..page.offset() + PAGE_SIZE).contains(&offset));
            assert!((granule.offset()..granule.offset() + GRANULE_SIZE).contains(&offset));
            assert_eq!(page.granule(), granule);
            assert_eq!(granule.first_page().granule(), granule);
            assert_eq!(page.0, page.block() as u32 * BLOCK_PAGES + page.in_block());
        }
    }

    #[test]
    fn every_number_of_bytes_has_its_pages() {
        for bytes in 0..=2 * BLOCK_SIZE {
            let pages = pages_for(bytes);
            assert!(pages * PAGE_SIZE >= bytes && pages * PAGE_SIZE < bytes + PAGE_SIZE);
        }
        assert_eq!(pages_for(usize::MAX), 1 << (usize::BITS - PAGE_SHIFT));
    }

    #[test]
    fn rounding_up_is_exact_near_both_ends() {
        for shift in 0..usize::BITS {
            let align = 1_usize << shift;
            let near = [
                0,
                align / 2,
                align,
                usize::MAX / 2,
                usize::MAX - align,
                usize::MAX,
            ];
            for value in near.into_iter().flat_map(|it| {
                (0..70).flat_map(move |by| [it.wrapping_add(by), it.wrapping_sub(by)])
            }) {
                let exact = (value as u128).next_multiple_of(align as u128);
                assert_eq!(
                    align_up(value, align),
                    usize::try_from(exact).ok(),
                    "{value} to {align}"
                );
            }
        }
    }
}
