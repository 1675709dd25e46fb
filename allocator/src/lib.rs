//! The heap and the pools of [`slubmalloc`] as allocators of the crate `allocator-api2`, for its `Vec` and `Box`, and for the collections of
//! other crates that take such an allocator.
//!
//! ```
//! use allocator_api2::vec::Vec;
//! use slubmalloc::Pool;
//! use slubmalloc_allocator::PoolAllocator;
//!
//! let mut pool = Pool::builder().name("request").limit(1 << 20).build()?;
//! let sum = pool.scope(|pool| {
//!     let mut numbers = Vec::new_in(PoolAllocator::new(pool));
//!     numbers.extend(0..100_u64);
//!     numbers.iter().sum::<u64>()
//! });
//! assert_eq!((sum, pool.used()), (4950, 0));
//! # Ok::<(), slubmalloc::CreateError>(())
//! ```
#![no_std]

mod heap;
mod pool;

pub use heap::Heap;
pub use pool::PoolAllocator;
