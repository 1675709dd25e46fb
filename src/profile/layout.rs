//! The layout of the heap profile, for readers outside of the process.
#![forbid(unsafe_code)]

use core::sync::atomic::AtomicU64;

use super::sample::{Sample, Samples};
use super::stack::{Stack, Stacks};
use super::sums::Sums;
use super::tables::Tables;
use super::{FRACTION_BITS, Profile};
use crate::layout::{Part, Row, Value, fields, part};
use crate::sys::Table;

/// Where the entries of a table are, which is a part of a structure.
const fn entries<T>(table: Part) -> Part {
    Part {
        offset: table.offset + Table::<T>::ENTRIES.offset,
        size: Table::<T>::ENTRIES.size,
    }
}

/// The structures of this room.
pub(crate) const ROWS: &[&[Row]] = &[
    fields!(Profile as "profile" { rate, started, known }),
    fields!(Tables as "profile_tables" {
        change, peak_epoch, origin, peak_bytes, dropped_samples, dropped_stacks, lifetimes,
        samples as samples in entries::<Sample>(part!(Samples, entries)),
        samples as sample_end in part!(Samples, end),
        stacks as stacks in entries::<Stack>(part!(Stacks, entries)),
        stacks as stack_end in part!(Stacks, end),
        stacks as frames in entries::<AtomicU64>(part!(Stacks, frames)),
        stacks as frame_end in part!(Stacks, frame_end),
        sums as live_count in part!(Sums, live_count),
        sums as live_bytes in part!(Sums, live_bytes),
        sums as all_count in part!(Sums, all_count),
        sums as all_bytes in part!(Sums, all_bytes),
    }),
    fields!(Sample as "profile_sample" { address, bytes, count, at, stack }),
    fields!(Stack as "profile_stack" {
        first, depth, label, epoch, peak_count, peak_bytes,
        sums as live_count in part!(Sums, live_count),
        sums as live_bytes in part!(Sums, live_bytes),
        sums as all_count in part!(Sums, all_count),
        sums as all_bytes in part!(Sums, all_bytes),
    }),
];

/// The numbers of this room.
pub(crate) const VALUES: &[Value] = &[Value::new("profile_fraction_bits", FRACTION_BITS as u64)];
