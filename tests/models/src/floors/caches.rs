//! Threads with caches of their own: objects that change hands, and threads that come and go.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::world::{self, Fault};

use super::memory::{BOUND, heap, heap_of_clusters};
use crate::cache::{Binding, Haste, Registry, ThreadCache};
use crate::decay::Budget;
use crate::heap::Heap;
use crate::limit::Limit;
use crate::slab::{Object, Request, class};
use crate::sync;
use crate::units::{ClusterId, NodeId, Zeroed};

/// A size of whose class a sheaf has room for few objects, and how many those are.
const BYTES: usize = class::MAX_SMALL;
const ROOM: usize = 6;

/// A cluster that nobody is in at first.
const OTHER: ClusterId = ClusterId(1);

/// A heap and its threads.
#[derive(Clone, Copy, Debug)]
struct Program {
    heap: &'static Heap,
    threads: &'static Registry,
}

impl Program {
    fn new(nodes: u64) -> Self {
        Self {
            heap: heap(nodes, Limit::off()),
            threads: world::place(Registry::new()),
        }
    }

    /// One with two clusters.
    fn of_clusters() -> Self {
        Self {
            heap: heap_of_clusters(1, Limit::off(), 2, || 0),
            threads: world::place(Registry::new()),
        }
    }

    fn thread(self, node: u8) -> &'static ThreadCache {
        let home = self.heap.home_of(NodeId(node));
        let heap = self.heap;
        let born = self.threads.birth(Binding { heap, home });
        born.expect("there is memory")
    }

    /// Objects that are neither in a slab nor in a barn, if no cache has any.
    fn in_use(self) -> usize {
        let id = class::class_of(BYTES);
        let cache_nodes = self.heap.nodes().map(|node| node.counts(id, ROOM));
        cache_nodes.map(|counts| counts.out - counts.in_barn).sum()
    }
}

fn alloc(cache: &ThreadCache) -> Object {
    let id = class::class_of(BYTES);
    let slow = || cache.alloc_slow(cache.binding()?, &Request::new(BYTES, 1, Zeroed::No)?);
    cache.pop(id).or_else(slow).expect("there is memory")
}

fn free(cache: &ThreadCache, object: Object) {
    if !cache.push(object.as_ptr())
        && !cache.push_alien(object.as_ptr())
        && let Some(binding) = cache.binding()
    {
        cache.free_slow(binding, object);
    }
}

/// Visits all caches as a round does; how many.
fn visit_all(threads: &Registry) -> usize {
    let (mut last, mut seen) = (None, 0);
    while let Some(cache) = threads.next(last) {
        cache.visit(Haste::Now, &mut Budget::unlimited());
        (last, seen) = (Some(cache), seen + 1);
    }
    seen
}

fn address(object: Object) -> usize {
    object.as_ptr().addr()
}

/// Objects of a cache that loom watches.
fn objects<const N: usize>(cache: &ThreadCache) -> [Object; N] {
    let objects = [(); N].map(|()| alloc(cache));
    objects
        .iter()
        .for_each(|object| world::watch(address(*object)));
    objects
}

/// What a thread does with an object that it got.
fn use_up(object: Object) {
    let place = address(object);
    assert!(world::read(place) < 3, "what the last owner wrote is there");
    world::write(place, 2);
    assert_eq!(world::read(place), 2, "an object has one owner");
}

/// A thread frees more than its sheaves have room for, the last objects written to just before; another one allocates. With
/// a mistake the first one writes to an object that it has freed.
pub fn hand_over(fault: Fault, writes_late: bool) -> usize {
    world::check(fault, BOUND, move || {
        let program = Program::new(1);
        let (giver, taker) = (program.thread(0), program.thread(0));
        let objects: [Object; 2 * ROOM + 1] = objects(giver);
        let (last, first) = objects.split_last().expect("there are objects");
        first.iter().for_each(|object| free(giver, *object));
        let give = {
            let last = *last;
            move || {
                let warm = alloc(giver);
                world::write(address(warm), 1);
                free(giver, warm);
                world::write(address(last), 1);
                free(giver, last);
                if writes_late {
                    world::write(address(warm), 1);
                }
            }
        };
        let take = move || {
            let object = alloc(taker);
            if objects.contains(&object) {
                use_up(object);
            }
            free(taker, object);
        };
        world::together([Box::new(give), Box::new(take)]);
        program.threads.for_each(|cache| cache.drain());
        assert_eq!(program.in_use(), 0, "no object is lost or there twice");
        program.heap.validate();
    })
}

/// A thread frees objects of another node until its buffer for that is full, and ends; a thread there allocates, and a visitor
/// comes by.
pub fn aliens(fault: Fault, writes_late: bool) -> usize {
    world::check(fault, BOUND, move || {
        let program = Program::new(0b11);
        let (remote, native) = (program.thread(0), program.thread(1));
        let objects: [Object; ROOM + 2] = objects(native);
        let (mine, sent) = objects.split_first().expect("there are objects");
        let (mine, mut sent) = (*mine, sent.to_vec());
        let late = sent.split_off(ROOM - 1);
        native.drain();
        sent.iter().for_each(|object| free(remote, *object));
        let send = move || {
            for object in &late {
                world::write(address(*object), 1);
                free(remote, *object);
            }
            if writes_late {
                world::write(address(late[0]), 1);
            }
            program.threads.exit(remote);
        };
        let take = move || {
            world::write(address(mine), 1);
            free(native, mine);
            let taken = [alloc(native), alloc(native)];
            for object in taken {
                if objects.contains(&object) {
                    use_up(object);
                }
            }
            taken.into_iter().for_each(|object| free(native, object));
            visit_all(program.threads);
        };
        world::together([Box::new(send), Box::new(take)]);
        program.threads.for_each(|cache| cache.drain());
        assert_eq!(program.in_use(), 0, "no object is lost or there twice");
        program.heap.validate();
    })
}

/// A thread is born, allocates, frees and ends, while another one visits all caches.
pub fn births(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let program = Program::new(1);
        program.threads.exit(program.thread(0));
        let live = move || {
            let cache = program.thread(0);
            let object = alloc(cache);
            free(cache, object);
            program.threads.exit(cache);
        };
        let visit = move || {
            let seen = visit_all(program.threads);
            assert!(seen <= 1, "who has ended is not seen");
        };
        world::together([Box::new(live), Box::new(visit)]);
        assert_eq!(program.threads.count(), 0);
        assert_eq!(program.in_use(), 0, "who ends leaves nothing");
        program.heap.validate();
    })
}

/// A thread gets the cache that another one left as it was, and leaves it so again, while a visitor takes its objects.
pub fn heirs(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let program = Program::new(1);
        let ended = program.thread(0);
        let objects: [Object; 2] = objects(ended);
        objects.iter().for_each(|object| free(ended, *object));
        program.threads.leave(ended);
        let live = move || {
            let cache = program.thread(0);
            let object = alloc(cache);
            if objects.contains(&object) {
                use_up(object);
            }
            free(cache, object);
            program.threads.leave(cache);
        };
        let visit = move || {
            visit_all(program.threads);
            visit_all(program.threads);
        };
        world::together([Box::new(live), Box::new(visit)]);
        assert_eq!(program.threads.count(), 0);
        program.threads.cool_all();
        assert_eq!(program.in_use(), 0, "no object is lost or there twice");
        program.heap.validate();
    })
}

/// A thread forks while another one is born, allocates, moves to a cluster that nobody was on before, holds a lock of the heap,
/// frees, allocates there and ends.
pub fn fork(fault: Fault, holds: bool) -> usize {
    world::check(fault, Some(1), move || {
        let program = Program::of_clusters();
        let survivor = program.thread(0);
        let own = alloc(survivor);
        program.threads.leave(program.thread(0));
        let moment = world::place(AtomicUsize::new(0));
        let live = move || {
            let cache = program.thread(0);
            let object = alloc(cache);
            if let Some(binding) = cache.binding() {
                cache.enter_cluster(binding, OTHER);
                let _cache_node = binding
                    .home
                    .cache_node(ClusterId(0), class::class_of(BYTES))
                    .lock();
                moment.fetch_add(1, Relaxed);
            }
            free(cache, object);
            cache.drain();
            free(cache, alloc(cache));
            program.threads.leave(cache);
        };
        let fork = move || {
            if holds {
                sync::begin_fork(sync::Interrupted::No);
                program.threads.hold_for_fork();
                program.heap.hold_for_fork();
            }
            moment.fetch_add(1, Relaxed);
            world::fork(|| {
                if holds {
                    sync::end_fork_in_child();
                }
                program.threads.begin_child(Some(survivor));
                assert_eq!(program.threads.count(), 1, "the child has one thread");
                free(survivor, own);
                let object = alloc(survivor);
                free(survivor, object);
                survivor.drain();
                program.threads.adopt_orphans(usize::MAX);
                program.threads.cool_all();
                // The other thread may have held one.
                assert!(program.in_use() <= 1, "what the others' caches had is back");
                program.heap.validate();
            });
            if holds {
                sync::end_fork();
            }
        };
        world::together([Box::new(fork), Box::new(live)]);
        free(survivor, own);
        survivor.drain();
        program.threads.cool_all();
        assert_eq!(program.in_use(), 0, "the parent goes on");
        program.heap.validate();
    })
}
