//! The stack that calls need, by the compiled code and on painted stacks.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::process::Command;
use support::{Heap, checks_library, compile, run, scratch, skip_unless};

/// The most bytes of stack that a call may need, by default and in the modes that find misuse.
const MOST: &str = "4096";
const MOST_IN_MODES: &str = "8192";
const PATIENCE: Duration = Duration::from_secs(60);

/// The calls of `small_stacks.c`.
const CALLS: [&str; 12] = [
    "small", "zeroed", "large", "huge", "aligned", "nothing", "again", "freed", "many", "trimmed",
    "sized", "forked",
];

#[test]
#[cfg(target_arch = "x86_64")]
fn no_chain_of_calls_needs_more_than_four_kilobytes() {
    check(&[]);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn no_chain_of_calls_needs_more_than_eight_kilobytes_in_the_modes() {
    check(&["--modes"]);
}

fn check(flags: &[&str]) {
    skip_unless!("objdump", "readelf", "python3");
    checks_library("stack-use.sh", flags);
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
        "preset:tiny",
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
fn calls_fit_a_small_stack_where_misuse_is_looked_for() {
    for conf in [
        "slab_debug:FZPU",
        "guard:1/1",
        "quarantine:1m",
        "zero:free,zero:alloc",
    ] {
        for call in ["small", "many", "freed", "again"] {
            measure_up_to(MOST_IN_MODES, call, "first", conf);
            measure_up_to(MOST_IN_MODES, call, "later", conf);
        }
    }
}

/// backtrace(3) loads that library, each time anew where it cannot, and allocates meanwhile.
#[test]
fn stacks_are_told_where_the_compiler_s_library_is_missing() {
    let directory = scratch("no-libgcc");
    fs::write(directory.join("libgcc_s.so.1"), "").expect("an empty file");
    // Of the second one the kernel maps each segment for itself, with nothing between them.
    let apart = [
        "-rdynamic",
        "-Wl,-z,separate-code,-z,max-page-size=0x200000",
    ];
    let programs = [
        compile("c/called_twice.c", &["-rdynamic"]),
        compile("c/called_twice.c", &apart),
    ];
    let confs = ["slab_debug:FU", "slab_debug:FZPUT", "guard:1/1"];
    let runs = programs.iter().flat_map(|it| confs.map(|conf| (it, conf)));
    for (program, conf) in runs {
        let mut command = Command::new(program);
        command
            .env("LD_LIBRARY_PATH", &directory)
            .env("SLUBMALLOC_CONF", conf);
        let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
        let said = &finished.stderr;
        for part in ["Allocated:", "Freed:"] {
            let stack = said.split_once(part).unwrap_or_default().1;
            let mut frames = stack.lines().skip(1).map(str::trim_start);
            let from_program = frames.by_ref().take(3).filter(|it| it.contains("called"));
            assert_eq!(from_program.count(), 3, "{conf}, {part}\n{said}");
            assert!(
                frames.next().is_some_and(|it| it.starts_with("0x")),
                "{conf}, {part}\n{said}"
            );
        }
    }
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
    measure_up_to(MOST, call, when, conf);
}

fn measure_up_to(most: &str, call: &str, when: &str, conf: &str) {
    let mut command = Command::new(program());
    command.args([call, most, when]);
    if !conf.is_empty() {
        command.env("SLUBMALLOC_CONF", conf);
    }
    let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
    println!("{call} {when} {conf}: {}", finished.stdout.trim());
    finished.is_ok();
}
