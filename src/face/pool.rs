//! A pool, and what may be done with all of it.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::marker::PhantomData;

use super::error::{CreateError, ResetError};
use crate::global::{pool_create, pool_destroy, pool_reset, pool_set_limit, pool_used};
use crate::pool::{PoolHandle, PoolOptions, SINGLE_THREAD};

/// A heap of the program's own: memory that no other block lies in, which goes at once when the pool is reset or dropped, and a limit.
///
/// Values live in it in two ways. [`alloc`](Self::alloc) gives a `&mut T` that borrows the pool, as an arena does; such a value is never
/// dropped, so its type may not need that. [`make`](Self::make) gives a [`PoolBox`](crate::PoolBox), which drops the value and frees the memory. Both
/// borrow the pool, so it cannot end, or be reset, while there are any.
///
/// Any thread may use a pool. A [`LocalPool`] is for one thread at a time and takes no lock.
///
/// ```
/// use slubmalloc::Pool;
///
/// let mut pool = Pool::builder().name("request").limit(1 << 20).build()?;
/// let word = pool.alloc_str("hello")?;
/// let number = pool.make(41)?;
/// assert_eq!((word.len(), *number + 1), (5, 42));
/// drop(number);
/// pool.reset()?;
/// assert_eq!(pool.used(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What is in a pool does not outlive a reset:
///
/// ```compile_fail,E0502
/// let mut pool = slubmalloc::Pool::new().unwrap();
/// let number = pool.alloc(1).unwrap();
/// pool.reset().unwrap();
/// *number = 2;
/// ```
///
/// nor the pool:
///
/// ```compile_fail,E0505
/// let pool = slubmalloc::Pool::new().unwrap();
/// let number = pool.make(1).unwrap();
/// drop(pool);
/// assert_eq!(*number, 1);
/// ```
#[derive(Debug)]
pub struct Pool<'parent, M = Shared> {
    handle: PoolHandle,
    marker: PhantomData<(&'parent (), M)>,
}

/// A pool for one thread at a time. It may move to another thread, but neither it nor a [`PoolBox`](crate::PoolBox) of it is ever used by two.
///
/// ```
/// let pool = slubmalloc::LocalPool::new_local()?;
/// let moved = std::thread::spawn(move || pool.alloc(7).map(|it| *it));
/// assert_eq!(moved.join().unwrap()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail,E0277
/// let pool = slubmalloc::LocalPool::new_local().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(|| pool.alloc(7).map(|it| *it));
/// });
/// ```
///
/// ```compile_fail,E0277
/// let pool = slubmalloc::LocalPool::new_local().unwrap();
/// let number = pool.make(7).unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(number));
/// });
/// ```
pub type LocalPool<'parent> = Pool<'parent, Local>;

/// Marks a pool for any thread.
#[derive(Debug)]
pub struct Shared;

/// Marks a pool for one thread at a time.
#[derive(Debug)]
pub struct Local(PhantomData<Cell<()>>);

/// The flags of a pool that is marked with a type.
pub(super) trait Mark {
    const FLAGS: u32;
}

impl Mark for Shared {
    const FLAGS: u32 = 0;
}

impl Mark for Local {
    const FLAGS: u32 = SINGLE_THREAD;
}

impl<M> Pool<'_, M> {
    /// Creates a pool. What the options say of a parent is one that lives as long as the caller wants the pool to.
    pub(super) fn create(name: &[u8], options: PoolOptions) -> Result<Self, CreateError>
    where
        M: Mark,
    {
        let flags = M::FLAGS;
        Ok(Self {
            handle: pool_create(name, PoolOptions { flags, ..options })?,
            marker: PhantomData,
        })
    }

    /// What functions of C would know it by.
    #[inline]
    pub(super) fn handle(&self) -> PoolHandle {
        self.handle
    }

    /// Bytes that the blocks of this pool and of those below it have.
    pub fn used(&self) -> usize {
        pool_used(self.handle)
    }

    /// Limits the bytes that blocks of this pool and of those below it have from now on; `None` is no limit. What is there already stays.
    pub fn set_limit(&self, bytes: Option<usize>) {
        // It fails for what is no pool only.
        let _ = pool_set_limit(self.handle, limit(bytes));
    }

    /// Frees all blocks at once. Values in boxes that were forgotten are not dropped.
    ///
    /// # Errors
    ///
    /// In a signal handler that has interrupted its own thread in the allocator.
    pub fn reset(&mut self) -> Result<(), ResetError> {
        pool_reset(self.handle, 0).map_err(|_| ResetError)
    }

    /// Runs `run` with the pool and frees all blocks at the end, also after a panic. Nothing that lies in the pool can leave.
    ///
    /// ```
    /// let mut pool = slubmalloc::Pool::new()?;
    /// let sum = pool.scope(|pool| {
    ///     let numbers = pool.alloc_slice(100, |index| index)?;
    ///     Ok::<usize, slubmalloc::AllocError>(numbers.iter().sum())
    /// })?;
    /// assert_eq!((sum, pool.used()), (4950, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// ```compile_fail
    /// let mut pool = slubmalloc::Pool::new().unwrap();
    /// let number = pool.scope(|pool| pool.alloc(1).unwrap());
    /// *number = 2;
    /// ```
    ///
    /// ```compile_fail,E0521
    /// let mut pool = slubmalloc::Pool::new().unwrap();
    /// let mut leaked = None;
    /// pool.scope(|pool| leaked = pool.make(1).ok());
    /// ```
    pub fn scope<R>(&mut self, run: impl for<'scope> FnOnce(&'scope Self) -> R) -> R {
        let emptied = Emptied(self);
        run(emptied.0)
    }
}

/// Bytes as options have them, where 0 is no limit. No block fits in 1.
pub(super) fn limit(bytes: Option<usize>) -> usize {
    bytes.map_or(0, |bytes| bytes.max(1))
}

/// Empties a pool at its end.
struct Emptied<'pool, 'parent, M>(&'pool mut Pool<'parent, M>);

impl<M> Drop for Emptied<'_, '_, M> {
    fn drop(&mut self) {
        // Where that is not possible blocks stay until the pool ends.
        let _ = self.0.reset();
    }
}

impl<M> Drop for Pool<'_, M> {
    fn drop(&mut self) {
        // In a signal handler that must not wait the pool stays.
        let _ = pool_destroy(self.handle, 0);
    }
}
