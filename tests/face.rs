//! Pools and caches as types of Rust: values are dropped once, memory goes when they say so, and no lack of memory panics.
#![cfg(not(any(miri, loom)))]

#[path = "face/caches.rs"]
mod caches;
#[path = "face/pools.rs"]
mod pools;

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::env;
use std::process::Command;
use std::sync::Arc;

/// As programs have it: what is not said to be elsewhere comes from the same heap.
#[global_allocator]
static ALLOCATOR: slubmalloc::Slubmalloc = slubmalloc::Slubmalloc;

/// Counts values that exist.
#[derive(Clone, Default)]
struct Census(Arc<AtomicUsize>);

/// A value that is counted, and has memory of its own.
struct Counted {
    number: Box<u64>,
    census: Census,
}

impl Census {
    fn one(&self, number: u64) -> Counted {
        self.0.fetch_add(1, Relaxed);
        Counted {
            number: Box::new(number),
            census: self.clone(),
        }
    }

    fn living(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.census.0.fetch_sub(1, Relaxed);
    }
}

/// Modes see calls that sheaves do not, keep what was freed, and clear it.
#[test]
fn debug_modes_change_nothing() {
    const INSIDE: &str = "SLUBTEST_INSIDE";
    if env::var_os(INSIDE).is_some() {
        return;
    }
    for modes in [
        "slab_debug:FZPU",
        "guard:1/2",
        "quarantine:1m",
        "zero:free,zero:alloc",
    ] {
        // In one thread: what another one takes out of quarantine at that moment is in use for a cache.
        let finished = Command::new(env::current_exe().expect("this program"))
            .arg("--test-threads=1")
            .env("SLUBMALLOC_CONF", modes)
            .env(INSIDE, "1")
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&finished.stdout);
        let is_right = finished.status.success() && text.contains(" 0 failed");
        assert!(is_right, "{modes}: {text}");
    }
}
