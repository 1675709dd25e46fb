//! What has an object, in words: the rooms above know that.
#![forbid(unsafe_code)]

use super::LINE;
use super::Line;
use crate::sync::Once;

/// Writes what has the object at an address, as " in …"; `false` if nobody knows. Takes no lock.
pub(crate) type Namer = fn(usize, &mut Line<LINE>) -> bool;

static NAMER: Once<Namer> = Once::new();

/// Has reports name objects by this from now on.
pub(crate) fn name_objects_by(namer: Namer) {
    let _ = NAMER.get_or_try_make(|| Some(namer));
}

pub(super) fn name(address: usize, line: &mut Line<LINE>) -> bool {
    NAMER.get().is_some_and(|namer| namer(address, line))
}
