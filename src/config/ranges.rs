//! What the values of keys may be.
#![forbid(unsafe_code)]

/// The smallest reservation that may be asked for; a smaller one would not hold a program.
pub(super) const MIN_ARENA: usize = 64 << 20;
pub(super) const MAX_ARENA: usize = 4 << 40;
/// The smallest limit that may be asked for; less would not hold a program and its reserve.
pub(super) const MIN_LIMIT: usize = 16 << 20;
pub(super) const MAX_PURGE_MS: u64 = 3_600_000;

/// Whether memory may go back within that many milliseconds.
pub(crate) fn is_purge_time(milliseconds: u64) -> bool {
    milliseconds <= MAX_PURGE_MS
}

/// Whether a limit may be that many bytes.
pub(crate) fn is_limit(bytes: usize) -> bool {
    bytes >= MIN_LIMIT
}

/// Whether samples of the heap profile may be that many bytes apart.
pub(crate) fn is_profile_rate(bytes: usize) -> bool {
    (1..=1 << 40).contains(&bytes)
}
