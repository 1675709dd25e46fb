//! Snapshots as text: the kernel's formats, pages for people, and metrics.

mod buddyinfo;
mod diff;
mod map;
mod nodes;
mod numastat;
mod pool_metrics;
mod pools;
mod prometheus;
mod show;
mod slabinfo;
mod threads;
pub mod top;
mod top_nodes;
mod vmstat;

pub use buddyinfo::{buddyinfo, extfrag, pagetypeinfo};
pub use diff::{diff, not_of_one_program};
pub use map::{map, text_map};
pub(crate) use numastat::NAMES as NUMASTAT_NAMES;
pub use numastat::numastat;
pub use pools::{POOL_COLUMNS, pools};
pub use prometheus::{Process, prometheus};
pub use show::{ps, ps_within, show};
pub use slabinfo::{name, slabinfo};
pub use threads::threads;
pub use vmstat::vmstat;

/// Bytes as people read them.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// A number and what it counts.
pub fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
