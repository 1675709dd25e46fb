//! The names of caches and pools by the word that says whose memory is.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

use anyhow::Result;

use super::{Target, pools};

/// Whose memory it is that is not malloc's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// A named cache's.
    Cache(String),
    /// A pool's.
    Pool(String),
}

impl Label {
    /// The kind of owner, and its name.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Cache(name) => ("cache", name),
            Self::Pool(name) => ("pool", name),
        }
    }
}

impl Display for Label {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.parts();
        write!(formatter, "{kind} {name}")
    }
}

/// Names by owner.
#[derive(Debug, Default)]
pub(crate) struct OwnerNames {
    named: HashMap<u64, String>,
    /// By place in the table of pools.
    pools: HashMap<u64, String>,
    /// The number of the first pool's owner, and where the number begins in the word.
    first_pool: u64,
    shift: u64,
}

impl OwnerNames {
    /// The label of an owner; none of malloc.
    pub(crate) fn label(&self, owner: u64) -> Option<Label> {
        if owner == 0 {
            return None;
        }
        if let Some(name) = self.named.get(&owner) {
            return Some(Label::Cache(name.clone()));
        }
        let number = owner >> self.shift;
        let place = number.checked_sub(self.first_pool);
        // It is gone, or begins just now.
        let Some(place) = place.filter(|_| self.first_pool != 0) else {
            return Some(Label::Cache(number.to_string()));
        };
        let name = self.pools.get(&place).filter(|it| !it.is_empty()).cloned();
        Some(Label::Pool(name.unwrap_or_else(|| place.to_string())))
    }
}

impl Target<'_> {
    /// The names of all owners of memory.
    pub(crate) fn owner_names(&self) -> Result<OwnerNames> {
        let mut names = OwnerNames::default();
        let Some(process) = self.process()? else {
            return Ok(names);
        };
        names.shift = self.directory.value("owner_number_shift", 1, 31)?;
        let made = self
            .directory
            .value("process_made", 1, u64::from(u32::MAX))?;
        let once = process.inner("kmem", "kmem_once")?;
        if once.number("state")? == made {
            let kmem = once.inner("value", "kmem")?;
            for address in self.named_addresses(&kmem)? {
                let record = self.record("named_cache", address)?;
                if record.number("state")? != 0 {
                    let name = self.named_name(&record)?;
                    names.named.insert(record.number("owner")?, name);
                }
            }
        }
        if let Some(registry) = self.pools(&process)? {
            names.first_pool = self.directory.value("first_pool_number", 1, 1 << 20)?;
            for record in self.pool_records(&registry)? {
                let name = pools::name(record.bytes("name")?);
                names.pools.insert(record.number("place")?, name);
            }
        }
        Ok(names)
    }
}
