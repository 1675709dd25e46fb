//! Alien buffers: a thread's freed objects of other nodes, on their way home.
//!
//! # Invariant
//!
//! A buffer holds objects of one node alone, of any class, which nobody else holds.
#![forbid(unsafe_code)]

use crate::heap::Node;
use crate::report::{Crime, fatal};
use crate::slab::{Object, Sheaf, sheaf_bytes};
use crate::units::{ClassId, GranuleIndex};

use super::sizing::ALIEN_CAPACITY;

/// Bytes of a buffer.
pub(crate) const ALIEN_BYTES: usize = sheaf_bytes(ALIEN_CAPACITY);

/// Puts an object into the buffer of its node; a full buffer goes home first.
pub(crate) fn put(buffer: &mut Sheaf, home: &'static Node, object: Object) {
    if buffer.count() == ALIEN_CAPACITY {
        send_home(buffer, home);
    }
    buffer.push(object);
}

/// Gives all objects back to their slabs, one class at a time.
pub(crate) fn send_home(buffer: &mut Sheaf, home: &'static Node) {
    let mut sorted = [(ClassId::NONE, core::ptr::null_mut()); ALIEN_CAPACITY];
    let count = buffer.count();
    for (place, object) in sorted.iter_mut().zip(buffer.objects()) {
        let offset = (*object as usize).wrapping_sub(home.arena().base());
        let id = home.tables().class_at(GranuleIndex::containing(offset));
        if id == ClassId::NONE {
            fatal(Crime::DoubleFree, *object as usize);
        }
        *place = (id, *object);
    }
    buffer.clear();
    let sorted = sorted.get_mut(..count).unwrap_or_default();
    sorted.sort_unstable_by_key(|(id, _)| id.0);
    for group in sorted.chunk_by(|one, other| one.0 == other.0) {
        let Some((id, _)) = group.first() else {
            continue;
        };
        let mut objects = [core::ptr::null_mut(); ALIEN_CAPACITY];
        objects
            .iter_mut()
            .zip(group)
            .for_each(|(place, (_, object))| *place = *object);
        let objects = objects.get(..group.len()).unwrap_or_default();
        home.pool(*id).lock().take_back(home.place(), *id, objects);
    }
}

const _: () = assert!(ALIEN_BYTES == 512);
