//! An object that lies in a sheaf, looked at where it is: its slab must hold it for out.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::class::info;
use super::pool::Place;
use super::sheaf::Slot;
use super::table::SlabTables;
use crate::report::{Crime, Scene, accuse};
use crate::units::{ClassId, GranuleIndex};

/// Names the crime if an object of this node and class, which somebody has in a sheaf, is in its slab as well, or
/// was never out. No object of the sheaf comes back to its slab meanwhile: the caller has read it since it locked the pool, or
/// the sheaf is its own.
pub(crate) fn doubt(place: Place<'_>, id: ClassId, object: Slot) {
    let (base, address) = (place.arena.base(), object as usize);
    let offset = address.wrapping_sub(base);
    if offset >= place.tables.covered_bytes() {
        // A stranger, after a refill from afar.
        return;
    }
    let slab = SlabTables::slab_of(GranuleIndex::containing(offset), info(id));
    if place.tables.class_at(slab) != id {
        return accuse(Crime::DoubleFree, address, Scene::FreePages);
    }
    let (index, _) = info(id).object_at(offset - slab.offset());
    let record = place.tables.record(slab);
    // ORDERING: relaxed, under the pool's lock.
    let word = record.bits.get(index as usize / 64);
    let bits = word.map_or(0, |word| word.load(Relaxed));
    let crime = if !record.known(info(id)).contains(&index) {
        Crime::InvalidFree
    } else if bits >> (index % 64) & 1 == 1 {
        Crime::DoubleFree
    } else {
        return;
    };
    accuse(crime, address, place.tables.scene(base, slab, id));
}
