//! A world under a plan, from its birth to its end.

use super::work::Work;
use super::world::World;
use crate::sys::faults::Plan;

/// Many steps of all kinds; how many requests were refused. All is freed in the end.
fn work(world: &World, seed: u64, steps: usize) -> usize {
    let mut work = Work::new(world, seed);
    for _ in 0..steps {
        work.step();
    }
    work.end();
    work.refusals()
}

/// A world under a plan from its birth to its end: what it promises is checked while refusals come and when they have
/// stopped. How many requests were refused.
pub(super) fn live(plan: &'static Plan, seed: u64, steps: usize) -> usize {
    let refusals = plan.during(|| {
        let world = World::new(seed).or_else(|| {
            let ledger = plan.ledger();
            assert!(plan.refused() > 0, "the machine has enough for a heap");
            assert!(
                ledger.bytes() <= ledger.refused_bytes(),
                "a heap that never was keeps {ledger:?}"
            );
            plan.relent();
            World::new(seed)
        });
        let world = world.expect("a heap, behind all refusals");
        let before = plan.refused();
        world.make_kmem();
        let mut made = plan.ledger().bytes();
        let refusals = work(&world, seed, steps);
        // A smaller arena may be full.
        let is_whole = world.is_whole();
        assert!(
            refusals == 0 || plan.refused() > before || !is_whole,
            "nobody refused anything"
        );
        world.rest();
        plan.relent();
        let before = plan.ledger().bytes();
        world.make_kmem();
        made += plan.ledger().bytes() - before;
        let refusals_later = work(&world, seed + 1, steps / 4);
        assert!(refusals_later == 0 || !is_whole, "the heap recovers");
        world.rest();
        let ledger = plan.ledger();
        assert_eq!(ledger.kept_bytes(), 0, "memory that nobody can free");
        // Huge blocks have one table, and each node two of what is whose cache's.
        let tables = TABLE * (1 + 2 * world.heap.nodes().count());
        let lost = (ledger.bytes() - ledger.refused_bytes()).saturating_sub(made + tables);
        assert_eq!(lost, 0, "of {} bytes at first", made);
        refusals
    });
    // SAFETY: the world has ended.
    unsafe { plan.raze() };
    refusals
}

/// A table that is made when it is first needed and stays, and the fences around it.
const TABLE: usize = 3 * (64 << 10);
