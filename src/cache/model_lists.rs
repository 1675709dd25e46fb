//! Long lists of chance, and the stored ones.
#![forbid(unsafe_code)]

extern crate std;
use std::path::Path;
use std::time::UNIX_EPOCH;
use std::{fs, println};

use super::interpreter::{RECORD, Record};
use super::{APART, Machine};

/// xorshift64*, eight bytes at a time.
fn random(seed: &mut u64) -> [u8; 8] {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    seed.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
}

/// A random record, as likely about the heap as a whole as in [`records`].
fn random_record(seed: &mut u64) -> Record {
    let [a, b, c, d, e, f, kind, _] = random(seed);
    match kind {
        0..32 => [252, a, 0, 0, b, c],
        32..48 => [247, 0, 0, a, b, c],
        _ => [a, b, c, d, e, f],
    }
}

#[test]
fn many_lists_in_a_row_leave_nothing_behind() {
    let full = std::env::var_os("SLUBTEST_FULL").is_some();
    let lists = if full { 2_000 } else { 100 };
    let now = UNIX_EPOCH.elapsed().map_or(1, |now| now.as_nanos() as u64);
    let given = std::env::var("SLUBTEST_SEED").ok();
    let mut seed = given.map_or(now | 1, |seed| seed.parse().expect("a number"));
    println!("SLUBTEST_SEED={seed}");
    for nodes in [1, 0b101, 0b1111] {
        let mut machine = Machine::new(nodes, nodes == 0b101, APART);
        for list in 0..lists {
            let records = (0..1_000).map(|_| random_record(&mut seed));
            let done = machine.perform(records);
            assert!(done.is_ok(), "list {list} on nodes {nodes:b}: {done:?}");
        }
    }
}

#[test]
fn stored_lists_hold_on_machines_that_do_not_exist() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut machines = [1, 0b101, 0b1111].map(|nodes| Machine::new(nodes, nodes == 0b101, APART));
    let mut lists = 0;
    for file in fs::read_dir(corpus).expect("the stored lists") {
        let path = file.expect("a stored list").path();
        let bytes = fs::read(&path).expect("a stored list");
        let (records, _) = bytes.as_chunks::<RECORD>();
        for machine in &mut machines {
            let done = machine.perform(records.iter().copied());
            let nodes = machine.world.heap.nodes().count();
            assert!(done.is_ok(), "{path:?} on {nodes} nodes: {done:?}");
        }
        lists += 1;
    }
    assert!(lists > 0);
}
