//! What a thread's blocks are taken from in place of its sheaves: a stack of words, whose meaning is known above.
//!
//! # Invariant
//!
//! Only the cache's thread, and its signal handlers, read or write this. A level counts before anything says that it is there.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    compiler_fence,
};

use super::{Binding, ThreadCache};

/// Levels of different words, one upon the other.
const LEVELS: usize = 64;

/// The stack; zeroes are an empty one.
#[derive(Debug)]
pub(super) struct Sources {
    depth: AtomicU32,
    /// How many calls it stands back for.
    aside: AtomicU32,
    levels: [Level; LEVELS],
}

#[derive(Debug)]
struct Level {
    word: AtomicUsize,
    /// How often it was pushed in a row.
    times: AtomicU32,
}

// ORDERING: relaxed, one thread's; a handler of its own sees what was written before the fence first.

impl Sources {
    fn depth(&self) -> usize {
        self.depth.load(Relaxed) as usize
    }

    fn set_depth(&self, depth: usize) {
        compiler_fence(SeqCst);
        self.depth.store(depth as u32, Relaxed);
    }

    fn top(&self) -> Option<&Level> {
        self.levels.get(self.depth().checked_sub(1)?)
    }
}

impl ThreadCache {
    /// Has blocks come from `word` until it is popped; the stub that the thread's slot is to point to meanwhile, `None` where there is no
    /// memory for one, and no room.
    pub(crate) fn push_source(
        &'static self,
        binding: Binding,
        word: usize,
    ) -> Option<&'static Self> {
        let stub = self.stub(binding)?;
        let sources = self.sources()?;
        match sources.top() {
            Some(top) if top.word.load(Relaxed) == word => {
                let times = top.times.load(Relaxed).checked_add(1)?;
                top.times.store(times, Relaxed);
            }
            _ => {
                let depth = sources.depth();
                let level = sources.levels.get(depth)?;
                level.word.store(word, Relaxed);
                level.times.store(1, Relaxed);
                sources.set_depth(depth + 1);
            }
        }
        Some(stub)
    }

    /// Takes back the last push, if it was of `word`; whether it was.
    pub(crate) fn pop_source(&self, word: usize) -> bool {
        let Some(sources) = self.sources() else {
            return false;
        };
        let Some(top) = sources.top().filter(|top| top.word.load(Relaxed) == word) else {
            return false;
        };
        match top.times.load(Relaxed) {
            2.. => top.times.store(top.times.load(Relaxed) - 1, Relaxed),
            _ => sources.set_depth(sources.depth().saturating_sub(1)),
        }
        true
    }

    /// Takes all pushes back.
    pub(crate) fn pop_all_sources(&self) {
        if let Some(sources) = self.sources() {
            sources.set_depth(0);
        }
    }

    /// Whether anything is pushed.
    pub(crate) fn has_source(&self) -> bool {
        self.sources().is_some_and(|sources| sources.depth() > 0)
    }

    /// What was pushed last, `depth` levels from there.
    pub(crate) fn source(&self, depth: usize) -> Option<usize> {
        let sources = self.sources()?;
        if sources.aside.load(Relaxed) != 0 {
            return None;
        }
        let place = sources.depth().checked_sub(depth + 1)?;
        Some(sources.levels.get(place)?.word.load(Relaxed))
    }

    /// Runs what takes its blocks from the thread's sheaves, whatever is pushed.
    pub(crate) fn beside_sources<T>(&self, run: impl FnOnce() -> T) -> T {
        let Some(sources) = self.sources() else {
            return run();
        };
        let before = sources.aside.load(Relaxed);
        sources.aside.store(before + 1, Relaxed);
        compiler_fence(SeqCst);
        let answer = run();
        compiler_fence(SeqCst);
        sources.aside.store(before, Relaxed);
        answer
    }

    fn sources(&self) -> Option<&'static Sources> {
        Some(self.stub.get()?.sources())
    }
}
