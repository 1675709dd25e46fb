//! `check`: a heap that is whole has no contradiction, and each table that is damaged is found, with a line that says which.

mod huge;
mod named;
mod pages;
mod pools;
mod sheaves;
mod slabs;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tables.rs"]
mod tables;

use std::process::Command;

use support::{Target, built, compile};
use tables::Tables;

/// The first word that fits.
fn first(
    tables: &Tables,
    start: u64,
    bytes: usize,
    count: u64,
    is_it: impl Fn(u64) -> bool,
) -> u64 {
    let addresses = (0..count).map(|index| start + index * bytes as u64);
    let mut fitting = addresses.filter(|it| is_it(tables.number(*it, bytes)));
    fitting.next().expect("a word")
}

fn stopped(name: &str) -> (Target, Tables) {
    // What is cached stays where it is.
    let mut command = Command::new(compile(name, &[]));
    command
        .arg("threads")
        .env("SLUBMALLOC_CONF", "purge_ms:never");
    let target = Target::start(command.env("LD_PRELOAD", built().join("libslubmalloc.so")));
    // Nothing changes while this test changes something.
    let stop = Command::new("kill")
        .args(["-STOP", &target.pid().to_string()])
        .status();
    assert!(stop.expect("kill").success());
    let tables = Tables::of(target.pid());
    (target, tables)
}
