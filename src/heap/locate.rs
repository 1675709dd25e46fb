//! "Whose pointer is this?": from an address to what it is.
#![forbid(unsafe_code)]

use super::Heap;
use super::node::Node;
use crate::report::Context;
use crate::slab::{NAMED, Owner, SlabTables, class};
use crate::units::{ClassId, GranuleIndex, PageIndex};

/// What an address belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Home {
    /// A slab of class `class` on `node`.
    Slab {
        /// The node.
        node: &'static Node,
        /// The class.
        class: ClassId,
        /// Whether the address is the start of one of the slab's objects.
        is_start: bool,
    },
    /// A slab of class `class` on `node` whose objects a heap profile has sampled.
    Sampled {
        /// The node.
        node: &'static Node,
        /// The class.
        class: ClassId,
        /// Whether the address is the start of one of the slab's objects.
        is_start: bool,
    },
    /// A slab of a named cache.
    Named {
        /// The node.
        node: &'static Node,
        /// The cache.
        owner: Owner,
        /// Whether the address is the start of one of the slab's objects.
        is_start: bool,
    },
    /// No slab, but a page of `node`'s arena.
    Page {
        /// The node.
        node: &'static Node,
        /// The page.
        page: PageIndex,
        /// Whether the address is the page's start.
        is_start: bool,
    },
    /// No node's memory: huge, or not ours.
    Outside,
}

impl Heap {
    /// What `address` belongs to.
    pub(crate) fn locate(&self, address: usize) -> Home {
        let Some(node) = self.nodes().find(|node| node.owns(address)) else {
            return Home::Outside;
        };
        let offset = address - node.arena().base();
        let granule = GranuleIndex::containing(offset);
        let mark = node.tables().class_at(granule);
        if mark == ClassId::NONE {
            let page = PageIndex::containing(offset);
            return Home::Page {
                node,
                page,
                is_start: page.offset() == offset,
            };
        }
        let owner = match mark {
            NAMED => node.tables().owner_at(granule),
            _ => Owner::MALLOC,
        };
        let class = match owner {
            Owner::MALLOC => mark,
            owner => owner.class(),
        };
        let slab = SlabTables::slab_of(granule, class::info(class));
        let (index, is_start) = class::info(class).object_at(offset - slab.offset());
        let is_start = is_start && index < class::info(class).objects;
        if owner.is_profile() {
            return Home::Sampled {
                node,
                class,
                is_start,
            };
        }
        if owner != Owner::MALLOC {
            return Home::Named {
                node,
                owner,
                is_start,
            };
        }
        Home::Slab {
            node,
            class,
            is_start,
        }
    }

    /// The slab that `address` lies in, for a report.
    #[cold]
    pub(crate) fn context(&self, address: usize) -> Context {
        match self.locate(address) {
            Home::Slab { node, class, .. } | Home::Sampled { node, class, .. } => {
                let base = node.arena().base();
                let granule = GranuleIndex::containing(address - base);
                let slab = SlabTables::slab_of(granule, class::info(class));
                node.tables().context(base, slab, class)
            }
            Home::Named { .. } | Home::Page { .. } | Home::Outside => Context::Nowhere,
        }
    }
}
