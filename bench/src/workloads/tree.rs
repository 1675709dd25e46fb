//! *tree*: a structure of a million nodes is built and destroyed, again and again: a binary tree in
//! depth-first order, or a list whose nodes carry a text of their own; or of a hundred thousand, a search tree that is built by
//! inserting keys and destroyed from the root down, so that it matters where the nodes of the next one lie. An operation is one node.

use crate::crew::{crew, share};
use crate::meter::{Meter, Outcome};
use crate::owned::Owned;
use crate::random::{Random, Sizes};
use crate::table::Table;

use super::Params;

struct Node {
    key: u64,
    children: [Option<Owned<Node>>; 2],
}

struct Item {
    text: Owned<u64>,
    next: Option<Owned<Item>>,
}

pub(super) fn binary(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads).div_ceil(params.scale as u64);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |_, gate| {
        gate.time(|| {
            let sum = (0..rounds).fold(0, |_, _| {
                fell(table, Some(plant(table, 0, params.scale as u64)))
            });
            let count = params.scale as u64;
            assert_eq!(
                sum,
                count * (count - 1) / 2,
                "a node did not keep what was written"
            );
            sum
        })
    });
    meter.finish(
        rounds * (params.scale * params.threads) as u64,
        elapsed,
        checksum,
    )
}

/// A balanced tree with the keys from `from` up to, not including, `to`.
fn plant(table: &Table, from: u64, to: u64) -> Owned<Node> {
    let middle = from.midpoint(to);
    let mut node = table.place(
        size_of::<Node>(),
        Node {
            key: middle,
            children: [None, None],
        },
    );
    if from < middle {
        node.children[0] = Some(plant(table, from, middle));
    }
    if middle + 1 < to {
        node.children[1] = Some(plant(table, middle + 1, to));
    }
    node
}

fn fell(table: &Table, tree: Option<Owned<Node>>) -> u64 {
    let Some(root) = tree else { return 0 };
    let Node {
        key,
        children: [left, right],
    } = table.remove(root);
    key + fell(table, left) + fell(table, right)
}

/// Keys in an order that is far from sorted, of which a tree becomes that is not deep: multiples of the golden section of the usual
/// scale, by which that cannot be divided.
const STRIDE: u64 = 61_803;

pub(super) fn search(table: &Table, params: &Params) -> Outcome {
    let count = params.scale as u64;
    let rounds = share(params.operations, params.threads).div_ceil(count);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let mut random = Random::new(params.seed + index as u64);
        gate.time(|| {
            let sum = (0..rounds).fold(0, |_, _| {
                let first = random.draw() % count;
                let keys = (0..count).map(|number| (first + number * STRIDE) % count);
                fell(table, sown(table, keys))
            });
            assert_eq!(
                sum,
                count * (count - 1) / 2,
                "a node did not keep what was written"
            );
            sum
        })
    });
    meter.finish(rounds * count * params.threads as u64, elapsed, checksum)
}

/// The search tree that these keys make, inserted one after the other.
fn sown(table: &Table, keys: impl Iterator<Item = u64>) -> Option<Owned<Node>> {
    let mut root: Option<Owned<Node>> = None;
    for key in keys {
        let mut place = &mut root;
        while let Some(node) = place {
            let side = usize::from(node.key < key);
            place = &mut node.children[side];
        }
        let children = [None, None];
        *place = Some(table.place(size_of::<Node>(), Node { key, children }));
    }
    root
}

pub(super) fn list(table: &Table, params: &Params) -> Outcome {
    let rounds = share(params.operations, params.threads).div_ceil(params.scale as u64);
    let sizes = Sizes::uniform(8, 64);
    let meter = Meter::start();
    let (elapsed, checksum) = crew(params.threads, |index, gate| {
        let mut random = Random::new(params.seed + index as u64);
        gate.time(|| {
            (0..rounds).fold(0u64, |sum, _| {
                sum.wrapping_add(chain(table, params.scale, &sizes, &mut random))
            })
        })
    });
    meter.finish(
        rounds * (params.scale * params.threads) as u64,
        elapsed,
        checksum,
    )
}

fn chain(table: &Table, count: usize, sizes: &Sizes, random: &mut Random) -> u64 {
    let mut first = None;
    for index in 0..count {
        let text = table.place(sizes.pick(random.draw()), index as u64);
        first = Some(table.place(size_of::<Item>(), Item { text, next: first }));
    }
    let mut sum = 0;
    while let Some(item) = first {
        let Item { text, next } = table.remove(item);
        sum += table.remove(text);
        first = next;
    }
    let count = count as u64;
    assert_eq!(
        sum,
        count * (count - 1) / 2,
        "an item did not keep what was written"
    );
    sum
}
