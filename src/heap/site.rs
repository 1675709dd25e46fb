//! Where a node lies: what is reserved for it, and what is where in that.
//!
//! # Invariant
//!
//! The arena comes last, at a multiple of a pageblock, after all tables.
#![forbid(unsafe_code)]

use super::Settings;
use super::node::{Node, Parts};
use crate::arena::Arena;
use crate::slab::{CacheNodes, SlabTables};
use crate::sys::{HugePages, Policy, Region};
use crate::units::{BLOCK_SIZE, NodeId, align_up};

/// The smallest reservation that is tried.
const MIN_ARENA_BYTES: usize = 1 << 20;
/// Reservations begin at multiples of this, unless they are much smaller.
const ALIGN: usize = 1 << 30;
/// Own tables may take this share of the arena's bytes.
const METADATA_SHARE: usize = 256;
const MIN_METADATA: usize = 256 << 10;
/// Where huge pages are wanted, they are from here on: below, an arena need not be dense.
const DENSE_BYTES: usize = 32 << 20;
/// Room for the node itself. What follows shares a page with its end.
const HOME_BYTES: usize = size_of::<Node>().next_multiple_of(128);
/// Own metadata that is committed with it: all that a small program needs.
const FIRST_BYTES: usize = 64 << 10;
/// Where the tables of granules begin.
const fn fixed_bytes(clusters: u8) -> usize {
    (HOME_BYTES + CacheNodes::bytes_for(clusters)).next_multiple_of(PART_ALIGN) + FIRST_BYTES
}
/// What core files hold of tables and arena from the start on, with memory or without.
const DUMPED_TABLES: usize = 1 << 20;
const DUMPED_DATA: usize = 16 << 20;
/// The coarsest OS page, to which every part is aligned.
const PART_ALIGN: usize = 64 << 10;

/// A node's reservation, with the memory that the node itself needs.
#[derive(Debug)]
#[must_use = "a dropped site is address space lost"]
pub(super) struct Site {
    id: NodeId,
    policy: Option<Policy>,
    region: Region,
    bytes: usize,
}

impl Site {
    /// Reserves what `settings` say for node `id`, or half of that, down to 1 MiB; `None` if even that
    /// is refused. Pages will come from where `policy` says.
    pub(super) fn find(id: NodeId, settings: &Settings, policy: Option<Policy>) -> Option<Self> {
        let mut bytes = align_up(settings.arena_bytes, PART_ALIGN)?;
        loop {
            if let Some(mut region) = reserve(bytes, settings.clusters) {
                // What building needs is committed first, while the reservation can go back whole.
                let maps = SlabTables::map_bytes_for(bytes) + Arena::first_map_bytes_for(bytes);
                if !region.open(fixed_bytes(settings.clusters) + maps) {
                    // A smaller arena needs smaller tables.
                    region.give_back();
                } else {
                    return Some(Self {
                        id,
                        policy,
                        region,
                        bytes,
                    });
                }
            }
            if bytes / 2 < MIN_ARENA_BYTES {
                return None;
            }
            bytes = align_up(bytes / 2, PART_ALIGN)?;
        }
    }

    /// Gives everything back.
    pub(super) fn leave(self) {
        self.region.give_back();
    }

    /// Builds the node, which takes no system call that could be refused.
    #[cold]
    #[inline(never)]
    pub(super) fn build(mut self, settings: &Settings) -> &'static Node {
        self.region.name(cstr::cstr!("slubmalloc"));
        if let Some(policy) = self.policy.filter(|policy| !is_striped(*policy)) {
            let _ = self.region.place(policy);
        }
        let fixed = fixed_bytes(settings.clusters);
        let (home, region) = self.region.split(HOME_BYTES);
        let (cache_nodes, region) = region.split(fixed - FIRST_BYTES - HOME_BYTES);
        let (first, region) = region.split(FIRST_BYTES);
        let (granules, region) = region.split(SlabTables::map_bytes_for(self.bytes));
        let (map, region) = region.split(Arena::map_bytes_for(self.bytes));
        let (records, region) = region.split(SlabTables::record_bytes_for(self.bytes));
        let (metadata, region) = region.split(metadata_bytes(self.bytes));
        let gap = region.bytes() - self.bytes;
        let (_gap, mut data) = region.split(gap);
        let (mut map, mut records, mut metadata) = (map, records, metadata);
        let _ = map.leave_out_of_dumps(DUMPED_TABLES);
        let _ = records.leave_out_of_dumps(DUMPED_TABLES);
        let _ = metadata.leave_out_of_dumps(DUMPED_TABLES);
        let _ = data.leave_out_of_dumps(DUMPED_DATA);
        if let Some(policy) = self.policy.filter(|policy| is_striped(*policy)) {
            data.place_what_is_committed(policy);
        }
        let start = match settings.huge_pages {
            HugePages::Always => DENSE_BYTES,
            _ => 0,
        };
        data.want_huge_pages(settings.huge_pages, start);
        let parts = Parts {
            home,
            first,
            cache_nodes,
            granules,
            map,
            records,
            metadata,
            data,
        };
        Node::build(self.id, self.policy, parts, settings)
    }
}

fn reserve(bytes: usize, clusters: u8) -> Option<Region> {
    let align = ALIGN.min((bytes / 16).next_power_of_two()).max(BLOCK_SIZE);
    Region::reserve_fenced(lead_bytes(bytes, clusters) + bytes, 0, align)
}

/// What lies before the arena. Of an arena of 64 GiB it is 832 MiB: the tables and the memory of a small program then have
/// their entries in few pages of the kernel's page tables, which a fork copies.
fn lead_bytes(bytes: usize, clusters: u8) -> usize {
    let slabs = SlabTables::map_bytes_for(bytes) + SlabTables::record_bytes_for(bytes);
    let tables = slabs + Arena::map_bytes_for(bytes) + metadata_bytes(bytes);
    // The gap keeps a stray write below the arena away from the tables.
    let parts = fixed_bytes(clusters) + tables + PART_ALIGN;
    parts.next_multiple_of(BLOCK_SIZE)
}

fn metadata_bytes(bytes: usize) -> usize {
    (bytes / METADATA_SHARE)
        .next_multiple_of(PART_ALIGN)
        .max(MIN_METADATA)
}

fn is_striped(policy: Policy) -> bool {
    matches!(policy, Policy::Striped(_))
}
