//! What pools and caches may be told when they are created.
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use super::error::CreateError;
use super::pool::{Local, LocalPool, Pool, limit};
use crate::pool::{PoolHandle, PoolOptions};

/// What a pool may be told.
#[derive(Clone, Copy, Debug)]
pub struct PoolBuilder<'parent, 'name> {
    name: &'name str,
    limit: Option<usize>,
    parent: PoolHandle,
    node: Option<u32>,
    lifetime: PhantomData<&'parent ()>,
}

impl Pool<'static> {
    /// A pool of which nothing is said.
    ///
    /// # Errors
    ///
    /// If there is no memory for it, or there are 65,536.
    pub fn new() -> Result<Self, CreateError> {
        Self::builder().build()
    }

    /// Begins to say what a pool is to be.
    pub const fn builder() -> PoolBuilder<'static, 'static> {
        PoolBuilder {
            name: "",
            limit: None,
            parent: PoolHandle::NULL,
            node: None,
            lifetime: PhantomData,
        }
    }
}

impl Pool<'static, Local> {
    /// A pool for one thread of which nothing is said.
    ///
    /// # Errors
    ///
    /// As for [`Pool::new`].
    pub fn new_local() -> Result<Self, CreateError> {
        Pool::builder().build_local()
    }
}

impl<'parent, 'name> PoolBuilder<'parent, 'name> {
    /// A name for messages, of which 32 bytes are kept.
    #[must_use]
    pub const fn name<'new>(self, name: &'new str) -> PoolBuilder<'parent, 'new> {
        PoolBuilder { name, ..self }
    }

    /// The most bytes that blocks in use may have, each rounded up as the allocator does.
    #[must_use]
    pub const fn limit(self, bytes: usize) -> Self {
        let limit = Some(bytes);
        Self { limit, ..self }
    }

    /// A pool whose limit counts as well, and those above it. It lives longer than this one.
    ///
    /// ```
    /// use slubmalloc::Pool;
    ///
    /// let tenant = Pool::builder().limit(64 << 10).build()?;
    /// let request = Pool::builder().parent(&tenant).build()?;
    /// assert!(request.alloc([0_u8; 40_000]).is_ok() && tenant.used() >= 40_000);
    /// assert!(request.alloc([0_u8; 40_000]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// ```compile_fail,E0505
    /// use slubmalloc::Pool;
    ///
    /// let tenant = Pool::new().unwrap();
    /// let request = Pool::builder().parent(&tenant).build().unwrap();
    /// drop(tenant);
    /// request.alloc(1).unwrap();
    /// ```
    #[must_use]
    pub fn parent<'new, M>(self, parent: &'new Pool<'_, M>) -> PoolBuilder<'new, 'name> {
        let parent = parent.handle();
        let lifetime = PhantomData;
        PoolBuilder {
            parent,
            lifetime,
            ..self
        }
    }

    /// As [`Self::parent`], for pools that are kept side by side: when the parent ends its limit is gone, and those above it still count.
    #[must_use]
    pub fn loose_parent<M>(self, parent: &Pool<'_, M>) -> Self {
        let parent = parent.handle();
        Self { parent, ..self }
    }

    /// The NUMA node that memory comes from as long as it has any; that of the calling thread by default.
    #[must_use]
    pub const fn node(self, node: u32) -> Self {
        let node = Some(node);
        Self { node, ..self }
    }

    /// The pool.
    ///
    /// # Errors
    ///
    /// [`CreateError::Invalid`] for a node that threads of this process take no memory from.
    pub fn build(self) -> Result<Pool<'parent>, CreateError> {
        Pool::create(self.name.as_bytes(), self.options())
    }

    /// The pool, for one thread at a time.
    ///
    /// # Errors
    ///
    /// As for [`Self::build`].
    pub fn build_local(self) -> Result<LocalPool<'parent>, CreateError> {
        Pool::create(self.name.as_bytes(), self.options())
    }

    fn options(self) -> PoolOptions {
        let node = self
            .node
            .map_or(-1, |node| i32::try_from(node).unwrap_or(i32::MAX));
        PoolOptions {
            limit: limit(self.limit),
            parent: self.parent,
            node,
            ..PoolOptions::default()
        }
    }
}

/// What a cache may be told. [`build`](Self::build) and [`build_kept`](Self::build_kept) create one.
#[derive(Clone, Copy, Debug)]
pub struct CacheBuilder<'name> {
    pub(super) name: &'name str,
    pub(super) limit: Option<usize>,
    pub(super) sheaf_capacity: u32,
}

impl<'name> CacheBuilder<'name> {
    /// A cache with a name, 1 to 255 bytes long, for messages and statistics.
    pub const fn new(name: &'name str) -> Self {
        Self {
            name,
            limit: None,
            sheaf_capacity: 0,
        }
    }

    /// The most objects that may be out of the cache's slabs. What threads have at hand counts, and is taken from them where it is needed.
    #[must_use]
    pub const fn limit(self, objects: usize) -> Self {
        let limit = Some(objects);
        Self { limit, ..self }
    }

    /// Objects that a thread has at hand before it exchanges them with others, 1 to 1022; by default by their size, 238 at most.
    #[must_use]
    pub const fn sheaf_capacity(self, objects: u32) -> Self {
        Self {
            sheaf_capacity: objects,
            ..self
        }
    }
}
