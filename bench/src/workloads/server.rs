//! *server*: connections. Each thread replaces random objects of its own slots, 16 to 1,024 bytes,
//! then hands the slots to a fresh thread and dies. An operation is one replacement.

use std::sync::mpsc::{Sender, channel};
use std::thread::Scope;
use std::time::Instant;

use crate::crew::share;
use crate::mapped::Mapped;
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::random::{Random, Sizes, scale};
use crate::table::Table;

use super::Params;

/// Replacements in a thread's life.
const LIFE: u64 = 20_000;

/// One chain of threads: what the dying hands to the fresh.
struct Chain {
    slots: Mapped<Option<Owned<u64>>>,
    random: Random,
    left: u64,
}

pub(super) fn run(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads);
    let sizes = &Sizes::uniform(16, 1024);
    let chains: Vec<_> = (0..params.threads)
        .map(|index| Chain {
            slots: Mapped::filled(params.scale, |_| None),
            random: Random::new(params.seed + index as u64),
            left: rounds,
        })
        .collect();
    let meter = Meter::start();
    let start = Instant::now();
    let (done, results) = channel();
    std::thread::scope(|scope| {
        chains
            .into_iter()
            .for_each(|chain| live(scope, table, sizes, chain, done.clone()));
    });
    drop(done);
    let elapsed = start.elapsed();
    let checksum = results
        .iter()
        .map(|chain| empty(table, chain))
        .fold(0, u64::wrapping_add);
    meter.finish(rounds * params.threads as u64, elapsed, checksum)
}

fn live<'scope>(
    scope: &'scope Scope<'scope, '_>,
    table: &'scope Table,
    sizes: &'scope Sizes,
    mut chain: Chain,
    done: Sender<Chain>,
) {
    scope.spawn(move || {
        let life = chain.left.min(LIFE);
        for _ in 0..life {
            let draw = chain.random.draw();
            let index = scale(draw, chain.slots.len());
            let slot = &mut chain.slots[index];
            if let Some(old) = slot.take() {
                assert_eq!(
                    table.remove(old),
                    index as u64,
                    "an object did not keep what was written"
                );
            }
            *slot = Some(table.place(sizes.pick(draw), index as u64));
        }
        chain.left -= life;
        if chain.left > 0 {
            live(scope, table, sizes, chain, done);
        } else {
            done.send(chain).expect("the starter waits for all chains");
        }
    });
}

fn empty(table: &Table, mut chain: Chain) -> u64 {
    chain
        .slots
        .iter_mut()
        .filter_map(Option::take)
        .map(|object| table.remove(object))
        .sum()
}
