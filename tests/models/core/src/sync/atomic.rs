//! `core::sync::atomic`, as far as the library uses it.
//!
//! An atomic is plain memory of the same size, so tables may be made of zeroed memory. While threads share
//! the world each atomic that is touched stands for one of loom's; what was stored last is in the memory as well, for
//! who reads that without an atomic load.

use ::core::sync::atomic as plain;

pub use plain::Ordering;

use crate::world;

macro_rules! atomic {
    ($(#[$doc:meta])* $name:ident, $plain:ty, $value:ty, $store:ident) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub struct $name($plain);

        impl $name {
            /// With a value.
            pub const fn new(value: $value) -> Self {
                Self(<$plain>::new(value))
            }

            /// As in the core library; only for reading.
            pub const fn as_ptr(&self) -> *mut $value {
                self.0.as_ptr()
            }

            /// As in the core library.
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $value {
                match self.atom() {
                    Some(atom) => atom.load(order) as $value,
                    None => self.plain(),
                }
            }

            /// As in the core library.
            #[track_caller]
            pub fn store(&self, value: $value, order: Ordering) {
                if let Some(atom) = self.atom() {
                    atom.$store(value as u64, order);
                }
                self.0.store(value, Ordering::Relaxed);
            }

            /// As in the core library.
            #[track_caller]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                let before = match self.atom() {
                    Some(atom) => atom.swap(value as u64, order) as $value,
                    None => self.plain(),
                };
                self.0.store(value, Ordering::Relaxed);
                before
            }

            /// As in the core library.
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let result = match self.atom() {
                    Some(atom) => atom
                        .compare_exchange(current as u64, new as u64, success, failure)
                        .map(|value| value as $value)
                        .map_err(|value| value as $value),
                    None if self.plain() == current => Ok(current),
                    None => Err(self.plain()),
                };
                if result.is_ok() {
                    self.0.store(new, Ordering::Relaxed);
                }
                result
            }

            fn plain(&self) -> $value {
                self.0.load(Ordering::Relaxed)
            }

            #[track_caller]
            fn atom(&self) -> Option<world::Atom> {
                world::atom(self.as_ptr() as usize, || self.plain() as u64)
            }
        }

        impl From<$value> for $name {
            fn from(value: $value) -> Self {
                Self::new(value)
            }
        }
    };
}

macro_rules! arithmetic {
    ($name:ident, $value:ty) => {
        impl $name {
            /// As in the core library.
            #[track_caller]
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                let before = match self.atom() {
                    Some(atom) => atom.add(value as u64, order) as $value,
                    None => self.plain(),
                };
                self.0.store(before.wrapping_add(value), Ordering::Relaxed);
                before
            }

            /// As in the core library.
            #[track_caller]
            pub fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut change: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut value = self.load(fetch);
                while let Some(next) = change(value) {
                    match self.compare_exchange(value, next, set, fetch) {
                        Ok(before) => return Ok(before),
                        Err(now) => value = now,
                    }
                }
                Err(value)
            }

            /// As in the core library; never fails without a reason.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            /// As in the core library.
            #[track_caller]
            pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                let larger = |now: $value| Some(now.max(value));
                let (Ok(before) | Err(before)) =
                    self.fetch_update(order, Ordering::Relaxed, larger);
                before
            }

            /// As in the core library.
            #[track_caller]
            pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.fetch_add(value.wrapping_neg(), order)
            }
        }
    };
}

atomic!(
    /// A byte.
    AtomicU8, plain::AtomicU8, u8, store
);
atomic!(
    /// 16 bits.
    AtomicU16, plain::AtomicU16, u16, store
);
atomic!(
    /// 32 bits, a futex word perhaps. Loom does not know that a store which follows another in its thread comes
    /// after an exchange that read that one; so each store is an exchange here.
    AtomicU32, plain::AtomicU32, u32, swap
);
atomic!(
    /// 64 bits.
    AtomicU64, plain::AtomicU64, u64, store
);
atomic!(
    /// A word.
    AtomicUsize, plain::AtomicUsize, usize, store
);
arithmetic!(AtomicU32, u32);
arithmetic!(AtomicU64, u64);
arithmetic!(AtomicUsize, usize);

impl AtomicU64 {
    /// As in the core library.
    #[track_caller]
    pub fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.change(|value| value | bits, order)
    }

    /// As in the core library.
    #[track_caller]
    pub fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        self.change(|value| value & bits, order)
    }

    #[track_caller]
    fn change(&self, change: impl Fn(u64) -> u64, order: Ordering) -> u64 {
        let mut value = self.load(Ordering::Relaxed);
        loop {
            match self.compare_exchange(value, change(value), order, Ordering::Relaxed) {
                Ok(before) => return before,
                Err(now) => value = now,
            }
        }
    }
}

/// Yes or no.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct AtomicBool(AtomicU8);

impl AtomicBool {
    /// With a value.
    pub const fn new(value: bool) -> Self {
        Self(AtomicU8::new(value as u8))
    }

    /// As in the core library.
    #[track_caller]
    pub fn load(&self, order: Ordering) -> bool {
        self.0.load(order) != 0
    }

    /// As in the core library.
    #[track_caller]
    pub fn store(&self, value: bool, order: Ordering) {
        self.0.store(u8::from(value), order);
    }

    /// As in the core library.
    #[track_caller]
    pub fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(u8::from(value), order) != 0
    }
}

/// A pointer.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicPtr<T>(plain::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    /// With a value.
    pub const fn new(value: *mut T) -> Self {
        Self(plain::AtomicPtr::new(value))
    }

    /// As in the core library.
    #[track_caller]
    pub fn load(&self, order: Ordering) -> *mut T {
        match self.atom() {
            Some(atom) => ::core::ptr::with_exposed_provenance_mut(atom.load(order) as usize),
            None => self.0.load(Ordering::Relaxed),
        }
    }

    /// As in the core library. Loom's relaxed store does not continue the release sequence of the same thread's store
    /// before, as every processor's does; its exchange does.
    #[track_caller]
    pub fn store(&self, value: *mut T, order: Ordering) {
        if let Some(atom) = self.atom() {
            atom.store(value.expose_provenance() as u64, order);
        }
        self.0.store(value, Ordering::Relaxed);
    }

    /// As in the core library.
    #[track_caller]
    pub fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        let before = match self.atom() {
            Some(atom) => {
                let before = atom.swap(value.expose_provenance() as u64, order);
                ::core::ptr::with_exposed_provenance_mut(before as usize)
            }
            None => self.0.load(Ordering::Relaxed),
        };
        self.0.store(value, Ordering::Relaxed);
        before
    }

    /// As in the core library.
    #[track_caller]
    pub fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        let pointer = |value: u64| ::core::ptr::with_exposed_provenance_mut(value as usize);
        let exchanged = match self.atom() {
            Some(atom) => atom
                .compare_exchange(
                    current.expose_provenance() as u64,
                    new.expose_provenance() as u64,
                    success,
                    failure,
                )
                .map(pointer)
                .map_err(pointer),
            None if self.0.load(Ordering::Relaxed) == current => Ok(current),
            None => Err(self.0.load(Ordering::Relaxed)),
        };
        if exchanged.is_ok() {
            self.0.store(new, Ordering::Relaxed);
        }
        exchanged
    }

    #[track_caller]
    fn atom(&self) -> Option<world::Atom> {
        let now = || self.0.load(Ordering::Relaxed).expose_provenance() as u64;
        world::atom(self.0.as_ptr() as usize, now)
    }
}

impl<T> Default for AtomicPtr<T> {
    fn default() -> Self {
        Self::new(::core::ptr::null_mut())
    }
}

/// Between two accesses of one thread: here a fence, see `tests/models/src/models.rs`.
pub fn compiler_fence(order: Ordering) {
    world::fence(order);
}

/// As in the core library.
pub fn fence(order: Ordering) {
    world::fence(order);
}
