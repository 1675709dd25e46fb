//! The stack that calls need, by the compiled code and on painted stacks.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::process::Command;
use support::{Heap, compile, library, root, run, skip_unless};

/// The most bytes of stack that a call may need.
const MOST: &str = "4096";
const PATIENCE: Duration = Duration::from_secs(60);

/// The calls of `small_stacks.c`.
const CALLS: [&str; 12] = [
    "small", "zeroed", "large", "huge", "aligned", "nothing", "again", "freed", "many", "trimmed",
    "sized", "forked",
];

#[test]
#[cfg(target_arch = "x86_64")]
fn no_chain_of_calls_needs_more_than_four_kilobytes() {
    skip_unless!("objdump", "readelf", "python3");
    let output = Command::new(root().join("scripts/stack-use.sh"))
        .args(["--check", "--library"])
        .arg(library())
        .output()
        .expect("stack-use.sh");
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn a_first_call_fits_a_small_stack() {
    for call in CALLS {
        measure(call, "first", "");
        measure(call, "thread", "");
    }
}

#[test]
fn later_calls_fit_a_small_stack() {
    for call in CALLS {
        measure(call, "later", "");
    }
}

#[test]
fn calls_fit_a_small_stack_where_memory_goes_back_at_once() {
    for conf in [
        "purge_ms:0",
        "purge_thread:on",
        "numa:interleave",
        "thp:always",
    ] {
        for call in ["small", "many", "freed", "again"] {
            measure(call, "first", conf);
            measure(call, "later", conf);
        }
    }
}

#[test]
fn calls_fit_a_small_stack_at_a_limit() {
    measure("too_much", "first", "limit:100m");
    measure("too_much", "later", "limit:100m");
}

#[test]
fn a_handler_on_an_alternate_stack_may_come_first() {
    for call in ["small", "zeroed", "large", "huge", "nothing"] {
        measure(call, "handler", "");
    }
}

#[test]
fn a_program_with_a_small_stack_runs() {
    let shell = "ulimit -s 64 && exec \"$0\" many 4096 first";
    let mut command = Command::new("sh");
    command.args(["-c", shell]).arg(program()).env_clear();
    run(Heap::Slubmalloc, &mut command, PATIENCE).is_ok();
}

fn program() -> std::path::PathBuf {
    // What the loader needs to find a function when it is called first is not what is measured.
    compile("c/small_stacks.c", &["-Wl,-z,now"])
}

fn measure(call: &str, when: &str, conf: &str) {
    let mut command = Command::new(program());
    command.args([call, MOST, when]);
    if !conf.is_empty() {
        command.env("SLUBMALLOC_CONF", conf);
    }
    let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
    println!("{call} {when} {conf}: {}", finished.stdout.trim());
    finished.is_ok();
}
