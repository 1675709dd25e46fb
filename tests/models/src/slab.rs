//! Objects, which are numbers, and the sheaves they wait in: plain memory, in which loom finds every race.
#![forbid(unsafe_code)]

use loom::cell::Cell;

use crate::scenario::CAPACITY;

/// Its number; 0 is none.
pub(crate) type Object = u32;

/// A place for an object.
#[derive(Debug)]
pub(crate) struct Slot(Cell<Object>);

/// The word below the first slot, and the slots; not across a multiple of 4 GiB.
#[derive(Debug)]
#[repr(align(4096))]
pub(crate) struct Slots([Slot; CAPACITY + 1]);

const _: () = assert!(size_of::<Slots>() == 4096);

impl Slots {
    /// Memory without objects.
    pub(crate) fn new() -> Box<Self> {
        Box::new(Self(core::array::from_fn(|_| Slot(Cell::new(0)))))
    }

    /// The word below the first slot.
    pub(crate) fn bottom(&self) -> *mut Slot {
        self.0.as_ptr().cast_mut()
    }

    /// Reads a slot.
    pub(crate) fn read(&self, place: *mut Slot) -> Object {
        self.slot(place).0.get()
    }

    /// Writes a slot.
    pub(crate) fn write(&self, place: *mut Slot, object: Object) {
        self.slot(place).0.set(object);
    }

    fn slot(&self, place: *mut Slot) -> &Slot {
        &self.0[(place.addr() - self.bottom().addr()) / size_of::<Slot>()]
    }
}

/// A sheaf that is not open.
#[derive(Debug, Default)]
pub(crate) struct Sheaf(pub(crate) Vec<Object>);

impl Sheaf {
    /// Number of objects.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// A place for a sheaf, which the cache's lock guards.
#[derive(Debug)]
pub(crate) struct SheafCell(Cell<Sheaf>);

impl SheafCell {
    /// No sheaf.
    pub(crate) fn new() -> Self {
        Self(Cell::new(Sheaf::default()))
    }

    /// Stores a sheaf.
    pub(crate) fn put(&self, sheaf: Sheaf) {
        self.0.set(sheaf);
    }

    /// Number of objects in the sheaf.
    pub(crate) fn count(&self) -> usize {
        let sheaf = self.0.take();
        let count = sheaf.count();
        self.0.set(sheaf);
        count
    }

    /// Takes the sheaf out.
    pub(crate) fn take(&self) -> Option<Sheaf> {
        Some(self.0.take()).filter(|sheaf| sheaf.count() > 0)
    }
}

/// Like `src/slab/class.rs`.
pub(crate) mod class {
    use crate::units::ClassId;

    /// What there is to know about a class.
    pub(crate) struct ClassInfo {
        /// Bytes of an object.
        pub(crate) size: u32,
    }

    /// What is known about the only class.
    pub(crate) fn info(_id: ClassId) -> ClassInfo {
        ClassInfo { size: 1 }
    }

    /// The only class.
    pub(crate) fn every() -> impl Iterator<Item = ClassId> {
        core::iter::once(ClassId)
    }

    /// No class of spans.
    pub(crate) fn spans() -> impl Iterator<Item = ClassId> {
        core::iter::empty()
    }
}
