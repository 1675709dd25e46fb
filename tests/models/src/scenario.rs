//! A scenario: the owner of a cache with its steps, a visitor with its visits.
#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::cache::{Haste, Mistake, ThreadCache};
use crate::decay::Budget;
use crate::slab::Object;
use crate::sys;

/// Objects that a main sheaf has room for.
pub(crate) const CAPACITY: usize = 3;

/// What the owner does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Takes an object.
    Malloc,
    /// Gives back the object that it took last.
    Free,
    /// Gives back an object that another thread took.
    Bring,
    /// Detaches what is in its main sheaf, as in a slow path of another class.
    Detach,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    in_main: usize,
    in_spare: usize,
    steps: &'static [Step],
    visits: &'static [Haste],
    /// Whether the visitor is `malloc_trim`, and another one's visit in between.
    trims: Option<Option<Haste>>,
    /// Whether the owner's calls are counted from the start on, and whether the visitor begins and ends that.
    is_counted: bool,
    switches: bool,
    pause: fn(),
    mistake: Option<Mistake>,
}

impl Scenario {
    /// The owner of a cache with `in_main` objects in its main sheaf takes `steps`; meanwhile a visitor
    /// comes once for each of `visits`, with as much time between them as must be.
    pub(crate) fn new(in_main: usize, steps: &'static [Step], visits: &'static [Haste]) -> Self {
        Self {
            in_main,
            in_spare: 0,
            steps,
            visits,
            trims: None,
            is_counted: false,
            switches: false,
            pause: sys::wait,
            mistake: None,
        }
    }

    /// The same with `malloc_trim` as the visitor, and perhaps another one who comes after the barrier.
    pub(crate) fn trim(in_main: usize, steps: &'static [Step], between: Option<Haste>) -> Self {
        Self {
            trims: Some(between),
            ..Self::new(in_main, steps, &[])
        }
    }

    /// The same with objects in a spare sheaf.
    pub(crate) fn with_spare(self, in_spare: usize) -> Self {
        Self { in_spare, ..self }
    }

    /// The same while the heap is profiled.
    pub(crate) fn counted(self) -> Self {
        Self {
            is_counted: true,
            ..self
        }
    }

    /// The same with a visitor that begins with that and ends it.
    pub(crate) fn switched(self) -> Self {
        Self {
            switches: true,
            ..self
        }
    }

    /// The same with something else between the visits.
    pub(crate) fn with_pause(self, pause: fn()) -> Self {
        Self { pause, ..self }
    }

    /// The same with a mistake.
    pub(crate) fn with_mistake(self, mistake: Mistake) -> Self {
        let mistake = Some(mistake);
        Self { mistake, ..self }
    }

    /// Runs the scenario in all orders.
    pub(crate) fn check(self) {
        loom::model(move || self.run());
    }

    fn run(self) {
        let mut numbers = 1..;
        let mut new_objects = |count| numbers.by_ref().take(count).collect::<Vec<Object>>();
        let cache = Rc::new(ThreadCache::new(
            self.mistake,
            self.is_counted || self.switches,
        ));
        cache.fill(new_objects(self.in_main), new_objects(self.in_spare));
        if self.is_counted {
            cache.set_counting(true);
        }
        let visitor = loom::thread::spawn({
            let cache = Rc::clone(&cache);
            move || self.visit(&cache)
        });
        let mut held = Vec::new();
        for step in self.steps {
            match step {
                Step::Malloc => held.extend(cache.malloc()),
                Step::Free => held.pop().into_iter().for_each(|it| cache.free(it)),
                Step::Bring => new_objects(1).into_iter().for_each(|it| cache.free(it)),
                Step::Detach => cache.detach_all(),
            }
        }
        visitor.join().unwrap();
        // What the program does not hold, the cache and the heap have.
        held.extend(core::iter::from_fn(|| cache.malloc()));
        held.sort_unstable();
        let all = (1..numbers.start).collect::<Vec<_>>();
        assert_eq!(held, all, "each object has one holder");
        assert!(cache.has_no_gap(), "all gaps are closed");
    }

    fn visit(self, cache: &ThreadCache) {
        let mut budget = Budget::unlimited();
        if self.switches {
            cache.set_counting(true);
        }
        if let Some(between) = self.trims {
            cache.detach_for(1, Haste::Now, &mut budget);
            (self.pause)();
            if let Some(haste) = between {
                cache.visit(haste, &mut budget);
            }
            cache.take_detached(1, &mut budget);
        }
        for (number, haste) in self.visits.iter().enumerate() {
            if number > 0 {
                (self.pause)();
            }
            cache.visit(*haste, &mut budget);
        }
        if self.switches {
            cache.set_counting(false);
        }
    }
}
