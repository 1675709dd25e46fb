//! What the kernel is asked for huge blocks: to map, to make longer or shorter, and to take back.
//!
//! # Invariant
//!
//! All mappings of huge blocks are made, moved and unmapped here, each with its tracepoint: what the kernel has mapped for them is the
//! sum of these, but for what it does not take back.
#![forbid(unsafe_code)]

use crate::sys::{Mapping, usdt};

/// A fresh mapping of `bytes` at a multiple of `align`.
#[inline(never)]
pub(super) fn map(bytes: usize, align: usize) -> Option<Mapping> {
    let mapping = Mapping::new(bytes, align)?;
    usdt::huge_map(mapping.address(), mapping.bytes());
    Some(mapping)
}

/// Makes a mapping `bytes` long, where it is.
pub(super) fn stretch(mapping: Mapping, bytes: usize) -> Result<Mapping, Mapping> {
    changed(mapping, |mapping| mapping.stretch(bytes))
}

/// Makes a mapping `bytes` long, possibly elsewhere.
pub(super) fn resize(mapping: Mapping, bytes: usize) -> Result<Mapping, Mapping> {
    changed(mapping, |mapping| mapping.resize(bytes))
}

fn changed(
    mapping: Mapping,
    change: impl FnOnce(Mapping) -> Result<Mapping, Mapping>,
) -> Result<Mapping, Mapping> {
    let (address, bytes) = (mapping.address(), mapping.bytes());
    let changed = change(mapping)?;
    note_change(address, bytes, changed.address(), changed.bytes());
    Ok(changed)
}

#[inline(never)]
fn note_change(address: usize, bytes: usize, new_address: usize, new_bytes: usize) {
    usdt::huge_remap(address, bytes, new_address, new_bytes);
}

/// Gives a mapping back; itself where the kernel refuses.
#[inline(never)]
pub(super) fn try_unmap(mapping: Mapping) -> Result<(), Mapping> {
    let (address, bytes) = (mapping.address(), mapping.bytes());
    mapping.try_unmap()?;
    usdt::huge_unmap(address, bytes);
    Ok(())
}

/// Gives a mapping back whose addresses are lost where the kernel does not take them.
pub(super) fn unmap(mapping: Mapping) {
    if let Err(kept) = try_unmap(mapping) {
        let _ = kept.vacate();
    }
}
