//! Classes, of which there is one.
#![forbid(unsafe_code)]

/// Like `src/units.rs`.
pub(crate) const PAGE_SIZE: usize = 4096;

/// Like `src/units.rs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassId;
