//! The layout of pools, for readers outside of the process.
#![forbid(unsafe_code)]

use super::Pools;
use super::account::Account;
use super::blocks::{BUCKETS, Blocks, FACTOR, SHIFT};
use super::options::SINGLE_THREAD;
use super::structure::{CLOSED, LIVE, Pool, RESTING};
use crate::layout::{Row, Value, fields};
use crate::sync::Once;
use crate::sys::Table;

/// The structures of this room.
pub(crate) const ROWS: &[&[Row]] = &[
    fields!(Once<Pools> as "pools_once" {}),
    &[
        Row::new("pools_once", "state", Once::<Pools>::STATE),
        Row::new("pools_once", "value", Once::<Pools>::VALUE),
    ],
    fields!(Pools as "pools" {
        table as table in Table::<Pool>::ENTRIES,
        table as ready in Table::<Pool>::READY,
        blocks, made,
    }),
    Pool::LAYOUT,
    Account::LAYOUT,
    Blocks::LAYOUT,
    Blocks::BLOCK_LAYOUT,
];

/// The numbers of this room.
pub(crate) const VALUES: &[Value] = &[
    Value::new("pool_live", LIVE as u64),
    Value::new("pool_closed", CLOSED as u64),
    Value::new("pool_resting", RESTING as u64),
    Value::new("pool_single_thread", SINGLE_THREAD as u64),
    Value::new("pool_buckets", BUCKETS as u64),
    Value::new("pool_bucket_factor", FACTOR as u64),
    Value::new("pool_bucket_shift", SHIFT as u64),
];
