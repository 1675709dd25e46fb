//! The layout of named caches, for readers outside of the process.
#![forbid(unsafe_code)]

use super::cache::{Entry, NamedCache};
use super::store::{SIZES, SMALLEST, Store};
use super::{Kmem, StaticRef};
use crate::layout::{Row, Value, fields};
use crate::slab::CacheNode;
use crate::sync::{CachePadded, Lock, Once};
use crate::sys::Table;

/// The structures of this room.
pub(crate) const ROWS: &[&[Row]] = &[
    fields!(Kmem as "kmem" {
        store,
        caches as caches in Table::<StaticRef<NamedCache>>::ENTRIES,
        caches as caches_ready in Table::<StaticRef<NamedCache>>::READY,
    }),
    &[
        Row::new("kmem_once", "", whole::<Once<Kmem>>()),
        Row::new("kmem_once", "state", Once::<Kmem>::STATE),
        Row::new("kmem_once", "value", Once::<Kmem>::VALUE),
    ],
    fields!(Store as "kmem_store" { cache_nodes }),
    fields!(NamedCache as "named_cache" {
        number, size, align, capacity, state, owner, out, limit, name, name_bytes, first,
    }),
    fields!(CachePadded<Entry> as "named_entry_padded" {}),
    fields!(Entry as "named_entry" { cache_node as cache_node in Lock::<CacheNode>::VALUE, next }),
];

/// The numbers of this room.
pub(crate) const VALUES: &[Value] = &[
    Value::new("kmem_store_sizes", SIZES as u64),
    Value::new("kmem_store_smallest", 1 << SMALLEST),
];

const fn whole<T>() -> crate::layout::Part {
    crate::layout::Part {
        offset: 0,
        size: size_of::<T>(),
    }
}
