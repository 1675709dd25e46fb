//! What was seen of a pool.

use serde::{Deserialize, Serialize};

use crate::named_json::limit;

/// A pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Its address, which tells it from others with the same name.
    pub address: u64,
    /// What the program calls it.
    pub name: String,
    /// The address of the pool above, 0 if there is none.
    pub parent: u64,
    /// The node that its slabs are on.
    pub node: u64,
    /// Whether it has ended, and blocks or pools below it are left.
    pub is_closed: bool,
    /// Whether nothing is left of it but slabs, which the next pool gets.
    pub is_kept: bool,
    /// Whether only one thread at a time uses it.
    pub is_single: bool,
    /// The most bytes that it and those below it may use; none if it is `u64::MAX`.
    #[serde(with = "limit")]
    pub limit_bytes: u64,
    /// Bytes that its blocks and those of the pools below it have.
    pub used_bytes: u64,
    /// Of these, those of its own.
    pub own_bytes: u64,
    /// Bytes of its objects that are at hand.
    pub at_hand_bytes: u64,
    /// Bytes of its slabs.
    pub slab_bytes: u64,
    /// Its objects by class of sizes, where there are slabs.
    pub classes: Vec<PoolClass>,
    /// Its blocks that are no objects of slabs.
    pub blocks: u64,
    /// Bytes of these.
    pub block_bytes: u64,
}

/// A pool's objects of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolClass {
    /// The class's number.
    pub class: u64,
    /// Bytes of an object.
    pub size: u64,
    /// Slabs.
    pub slabs: u64,
    /// Objects that the program holds.
    pub in_use: u64,
    /// Objects at hand.
    pub at_hand: u64,
}
