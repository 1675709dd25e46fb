//! Threads that share the memory of a node: its tables, its arena, its cache nodes.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::world::{self, Fault};

use crate::arena::{Span, Use};
use crate::decay::{Budget, Elapsed};
use crate::heap::{Heap, Node, Settings};
use crate::limit::Limit;
use crate::numa::{Choice, NodeSet, Topology};
use crate::slab::{Sheaf, class, sheaf_bytes};
use crate::sys::{HugePages, Region, Table};
use crate::units::{ClassId, ClusterId, GRANULE_SHIFT, GranuleIndex, Order, PageIndex};

/// Preemptions that are tried.
pub(super) const BOUND: Option<usize> = Some(2);

/// A heap on nodes that need not exist, one bit for each, with an arena of 1 MiB for each.
pub(super) fn heap(nodes: u64, limit: Limit) -> &'static Heap {
    heap_of_clusters(nodes, limit, 1, || 0)
}

/// The same, where the threads are in `clusters`.
pub(super) fn heap_of_clusters(
    nodes: u64,
    limit: Limit,
    clusters: u8,
    current_cluster: fn() -> u8,
) -> &'static Heap {
    let settings = Settings {
        arena_bytes: 1 << 20,
        reuse_bytes: 0,
        is_tiny: false,
        is_eager: false,
        shares_bins: false,
        huge_pages: HugePages::System,
        limit,
        choice: Choice::Local,
        current_node: || None,
        clusters,
        current_cluster,
        few_threads: 0,
    };
    let topology = Topology::uniform(NodeSet::from_bits(nodes));
    world::place(Heap::new(topology, settings).expect("there is memory"))
}

fn node() -> &'static Node {
    let heap = heap(1, Limit::off());
    heap.nodes().next().expect("there is a node")
}

/// The largest class, of which a slab has few objects.
fn large() -> ClassId {
    class::class_of(class::MAX_SMALL)
}

fn address(node: &Node, page: PageIndex) -> usize {
    node.arena().base() + page.offset()
}

/// A thread takes a span, writes to it and gives it back, while another one has all free memory given
/// back `purges` times. With a mistake the first one writes to its span once more.
pub fn purge(fault: Fault, purges: usize, writes_late: bool) -> usize {
    world::check(fault, BOUND, move || {
        let node = node();
        let arena = node.arena();
        let take = || {
            arena
                .take(1, Order::new(0), Use::Large)
                .expect("there are pages")
        };
        // A page that was used and one that never was.
        let dirty = take();
        (0..2).for_each(|page| world::watch(address(node, PageIndex(dirty.first.0 + page))));
        world::write(address(node, dirty.first), 1);
        arena.give(dirty);
        let user = move || {
            for turn in 1..=2 {
                let span = take();
                let place = address(node, span.first);
                assert!(
                    !span.zero || world::read(place) == 0,
                    "what is called zero is"
                );
                world::write(place, turn);
                assert_eq!(world::read(place), turn, "nobody takes memory that is lent");
                arena.give(span);
                if writes_late {
                    world::write(place, turn);
                }
            }
        };
        let purger = move || (0..purges).for_each(|_| _ = arena.purge());
        world::together([Box::new(purger), Box::new(user)]);
        node.validate();
    })
}

/// A thread needs the last page of an arena, while another one has that page's memory given back. With a limit on how long it
/// looks there would be none.
pub fn last_page(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let node = node();
        let arena = node.arena();
        let take = || arena.take(1, Order::new(0), Use::Large);
        let all: Vec<_> = core::iter::from_fn(take).collect();
        let last = all.into_iter().last().expect("there are pages");
        let first = last.first;
        world::watch(address(node, first));
        world::write(address(node, first), 1);
        arena.give(last);
        let user = move || {
            let span = take().expect("there is a page");
            world::write(address(node, span.first), 2);
            assert_eq!(world::read(address(node, span.first)), 2);
            arena.give(span);
        };
        let purger = move || _ = arena.purge();
        world::together([Box::new(purger), Box::new(user)]);
        node.validate();
    })
}

/// Two threads need memory that nobody has committed yet.
pub fn commit(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let node = node();
        let arena = node.arena();
        let work = move || {
            // A quarter of the arena each.
            let spans = [(); 4].map(|()| arena.take(16, Order::new(4), Use::Large));
            for span in spans {
                arena.give(span.expect("there is room"));
            }
        };
        world::together([Box::new(work), Box::new(work)]);
        node.validate();
    })
}

/// A thread makes slabs until the tables have grown; another one that is handed an object looks up its class, and what the
/// fast path of `free` may read is there.
pub fn growth(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let node = node();
        let (tables, id) = (node.tables(), large());
        let handed = world::place(AtomicUsize::new(0));
        let sheaf = new_sheaf(node, 1);
        let grower = move || {
            let mut sheaf = sheaf;
            let got = node.fill(ClusterId(0), id, &mut sheaf, 1);
            assert_eq!(got, 1, "there is memory");
            handed.store(sheaf.objects()[0].addr(), Ordering::SeqCst);
        };
        let reader = move || {
            // Without a word from the other thread: whatever is said to be there is.
            let covered = tables.covered_bytes() >> GRANULE_SHIFT;
            let mut granules = (0..covered as u32).map(GranuleIndex);
            let found = granules.find(|granule| tables.class_at(*granule) != ClassId::NONE);
            assert!(found.is_none_or(
                |slab| tables.class_at(slab) == id || tables.class_at(slab) == ClassId::NONE
            ));
            let object = handed.swap(0, Ordering::SeqCst);
            if object != 0 {
                let offset = object - node.arena().base();
                assert!(
                    offset < tables.covered_bytes(),
                    "the map covers what is out"
                );
                assert_eq!(tables.class_at(GranuleIndex::containing(offset)), id);
            }
        };
        world::together([Box::new(reader), Box::new(grower)]);
        node.validate();
    })
}

/// A thread makes a table grow; another one reads the entries that are said to be there.
pub fn table(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let bytes = Table::<AtomicU64>::bytes_for(1);
        let region = Region::reserve(bytes, 0, bytes).expect("there are addresses");
        let table = world::place(Table::<AtomicU64>::new(region));
        let grower = move || assert!(table.grow(1), "there is memory");
        let reader = move || {
            if table.ready() > 0 {
                assert_eq!(table.get(0).load(Ordering::Relaxed), 0);
            }
        };
        world::together([Box::new(reader), Box::new(grower)]);
    })
}

fn new_sheaf(node: &Node, capacity: usize) -> Sheaf {
    let memory = node.metadata().take(sheaf_bytes(capacity));
    // SAFETY: as long as asked, aligned, for ever.
    unsafe { Sheaf::new_in(memory.expect("there is memory")) }
}

/// A thread takes objects of a slab and gives one back, while another one has the slab's pages without objects given back
/// `visits` times.
pub fn slab_purge(fault: Fault, visits: usize, writes_late: bool) -> usize {
    world::check(fault, BOUND, move || {
        let node = node();
        let id = class::class_of(8 << 10);
        let cache_node = node.cache_node(ClusterId(0), id);
        let mut kept = new_sheaf(node, 3);
        assert_eq!(node.fill(ClusterId(0), id, &mut kept, 3), 3);
        let objects: Vec<_> = kept.objects().to_vec();
        let slab = GranuleIndex::containing(objects[0].addr() - node.arena().base());
        for object in &objects {
            world::watch(object.addr());
            world::write(object.addr(), 1);
        }
        let mut first = [objects[0], objects[1]];
        // One stays out, so that the slab is partial; the pages of the others may go.
        cache_node
            .lock()
            .take_back(node.place(ClusterId(0)), id, &mut first);
        let mut sheaf = new_sheaf(node, 2);
        let tracked: Vec<_> = objects.iter().map(|object| object.addr()).collect();
        let user = move || {
            let got = node.fill(ClusterId(0), id, &mut sheaf, 1);
            assert_eq!(got, 1, "there are objects");
            let object = sheaf.objects()[0].addr();
            // While the kernel takes pages of the slab, objects come from another one.
            let is_tracked = tracked.contains(&object);
            if is_tracked {
                world::write(object, 2);
                assert_eq!(world::read(object), 2, "nobody takes memory that is lent");
            }
            cache_node
                .lock()
                .take_back(node.place(ClusterId(0)), id, sheaf.objects_mut());
            if writes_late && is_tracked {
                world::write(object, 3);
            }
        };
        let purger = move || {
            for _ in 0..visits {
                let mut budget = Budget::unlimited();
                node.release_slab(id, slab, Elapsed::FOR_EVER, &mut budget);
            }
        };
        let stays = objects[2].addr();
        world::together([Box::new(purger), Box::new(user)]);
        assert_eq!(world::read(stays), 1, "what is out stays");
        node.validate();
    })
}
