//! Whose slabs are that are not malloc's: named caches, and pools.

use std::collections::HashMap;

/// Which class a slab with an owner belongs to.
#[derive(Debug, Default)]
pub(super) struct Owners {
    named: HashMap<u64, u64>,
    pools: Option<PoolOwners>,
    /// The number of a heap profile's owner, and where it begins in the word.
    profile: Option<(u64, u64)>,
}

/// How the owners of pools' slabs are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolOwners {
    /// The number of the first pool's owner.
    pub(super) first: u64,
    /// Where the number begins in an owner's word, below which the class is.
    pub(super) shift: u64,
    /// The class of pools' objects of class 1; the others follow.
    pub(super) class: u64,
}

impl Owners {
    /// Enters a named cache.
    pub(super) fn insert(&mut self, owner: u64, class: u64) {
        self.named.insert(owner, class);
    }

    /// Enters all pools.
    pub(super) fn insert_pools(&mut self, pools: PoolOwners) {
        self.pools = Some(pools);
    }

    /// Says which owner has the slabs of objects that a heap profile has sampled: they are of malloc's classes.
    pub(super) fn insert_profile(&mut self, number: u64, shift: u64) {
        self.profile = Some((number, shift));
    }

    /// Owner and class of each named cache.
    pub(super) fn named(&self) -> impl Iterator<Item = (u64, u64)> {
        self.named.iter().map(|(owner, class)| (*owner, *class))
    }

    /// The class of a slab with that owner, 0 if there is none.
    pub(super) fn class(&self, owner: u64) -> usize {
        let of_pool = || {
            let (_, class) = self.pool(owner)?;
            let pools = self.pools?;
            Some(pools.class + class.checked_sub(1)?)
        };
        if let Some((number, shift)) = self.profile
            && owner >> shift == number
        {
            return (owner & 0xff) as usize;
        }
        let class = self.named.get(&owner).copied().or_else(of_pool);
        class.unwrap_or(0) as usize
    }

    /// The place of the pool that an owner is, and the class of its objects there.
    pub(super) fn pool(&self, owner: u64) -> Option<(u64, u64)> {
        let pools = self.pools?;
        let number = owner >> pools.shift;
        let is_profile = self.profile.is_some_and(|(profile, _)| profile == number);
        let place = number.checked_sub(pools.first).filter(|_| !is_profile)?;
        Some((place, owner & 0xff))
    }

    /// The class of pools' objects of a class of sizes, as the heap's classes are numbered.
    pub(super) fn class_of_pools(&self, id: u64) -> Option<u64> {
        Some(self.pools?.class + id.checked_sub(1)?)
    }
}
