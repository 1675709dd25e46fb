//! How much is in use, as the limit counts it.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::super::{Heap, Node};
use crate::limit::{self, Numbers, Usage};
use crate::sys;
use crate::units::PAGE_SIZE;

impl Heap {
    /// The limit and the usage, of which `own` is this process's share.
    pub(super) fn usage(&self, own: usize) -> (Numbers, Usage) {
        let bounds = &self.bounds;
        let known = bounds.numbers();
        if !bounds.may_read() {
            return (bounds.chosen().unwrap_or(known), Usage::of(own));
        }
        bounds.read_at.store(sys::milliseconds(), Relaxed);
        // What was charged and not written to yet is in no group's numbers. Looked at first: what is written meanwhile
        // is rather counted twice than not at all.
        let promised = own.saturating_sub(own_resident_bytes().unwrap_or(own));
        let (numbers, mut usage) = bounds.limit.read(known, own, limit::read_file);
        usage.hard = usage.hard.saturating_add(promised);
        (numbers, usage)
    }

    /// Bytes that are resident, or may become so without anybody asking again.
    pub(super) fn resident_bytes(&self) -> usize {
        let of_node = |node: &Node| {
            let counts = node.arena().counts();
            let used = counts.committed_pages - counts.free_pages + counts.dirty_pages;
            used as usize * PAGE_SIZE + node.table_bytes()
        };
        let huge = self.huge.counts();
        self.nodes().map(of_node).sum::<usize>() + huge.bytes + huge.kept_bytes
    }
}

/// The process's memory without its files, in bytes: the second number of `/proc/self/statm` less the
/// third, see proc_pid_statm(5).
#[inline(never)]
fn own_resident_bytes() -> Option<usize> {
    let mut text = [0; 96];
    let text = sys::read_file(cstr::cstr!("/proc/self/statm"), &mut text)?;
    let mut numbers = text.split(|byte| *byte == b' ').map(|word| {
        let digit = |sum: usize, byte: &u8| sum * 10 + usize::from(byte.wrapping_sub(b'0') & 15);
        word.iter().fold(0, digit)
    });
    let resident = numbers.nth(1)?;
    Some(resident.saturating_sub(numbers.next()?) * sys::page_size())
}
