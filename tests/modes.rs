//! The modes that watch blocks: programs live in them as without, and what they report reads as the kernel's reports do.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::process::Command;
use support::{Finished, Heap, compile, find_tool, message_of, run};

const PATIENCE: Duration = Duration::from_secs(120);
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// What every mode must leave as it is: one program per promise, and its arguments.
const PROMISES: &[(&str, &[&str])] = &[
    ("aligned", &[]),
    ("errno_kept", &[]),
    ("interrupted", &[]),
    ("keys", &[]),
    ("leave", &["exit"]),
    ("sandbox", &["asked"]),
    ("starved", &[]),
    ("too_large", &[]),
    ("usable_size", &[]),
    ("debugged", &[]),
];

#[test]
fn promises_are_kept_while_slabs_are_debugged() {
    promises_hold("slab_debug:FZPU");
}

#[test]
fn promises_are_kept_while_some_classes_are_debugged() {
    promises_hold("slab_debug:FZP,kmalloc-*;U,large");
}

#[test]
fn promises_are_kept_while_all_blocks_are_guarded() {
    promises_hold("guard:1/1");
}

#[test]
fn promises_are_kept_while_blocks_rest_and_are_cleared() {
    promises_hold("guard:1/100,quarantine:4m,zero:free,zero:alloc");
}

#[test]
fn damage_is_reported_in_the_kernels_shape() {
    let finished = damaged("slab_debug:FZPU", "o", "50");
    let block = culprit(&finished);
    assert_eq!(finished.signal(), Some(SIGABRT), "{finished:?}");
    let mut lines: Vec<&str> = finished.stderr.lines().collect();
    let place = block + 50;
    let first = format!("kmalloc-64: Right Redzone overwritten at {place:#x}");
    assert_eq!(message_of(lines.remove(0)), Some(first.as_str()));
    assert!(lines[0].len() == 77 && lines[0].bytes().all(|byte| byte == b'='));
    assert_eq!(lines[1], "BUG kmalloc-64: Right Redzone overwritten");
    assert!(lines[2].len() == 77 && lines[2].bytes().all(|byte| byte == b'-'));
    let damage = format!("{place:#x}-{place:#x} @offset=66. First byte 0x41 instead of 0xcc");
    assert_eq!((lines[3], lines[4]), ("", damage.as_str()));
    assert_eq!(
        lines[5],
        format!("Object {block:#x} @offset=16 size=50 in use")
    );
    assert!(lines[6].starts_with("Allocated: age=") && lines[6].ends_with(" thread=1"));
    if find_tool("addr2line").is_some() {
        assert!(lines[7].contains("  allocates at "), "{}", lines[7]);
        assert!(finished.stderr.contains("  frees at "));
    }
    let dumped = |part: &str| {
        let rows = lines.iter().filter_map(move |line| line.strip_prefix(part));
        rows.map(|row| &row[..row.len().min(80)])
            .collect::<String>()
    };
    assert_eq!(dumped("Object   (").matches(" 5a").count(), 50);
    assert_eq!(dumped("Redzone  (").matches(" 41").count(), 1);
    assert!(lines.contains(&"Call Trace:"));
}

#[test]
fn every_kind_of_damage_has_its_name() {
    for (misuse, size, name) in [
        ("o", "64", "BUG kmalloc-64: Right Redzone overwritten"),
        ("o", "100000", "BUG large: Right Redzone overwritten"),
        ("u", "1", "BUG kmalloc-16: Left Redzone overwritten"),
        ("u", "8000000", "BUG huge: Left Redzone overwritten"),
        ("w", "64", "BUG kmalloc-64: Poison overwritten"),
        ("w", "6000000", "BUG huge: Poison overwritten"),
        ("d", "64", "BUG kmalloc-64: Object already free"),
        ("d", "70000", "BUG large: Object already free"),
        ("i", "64", "BUG kmalloc-64: Invalid object pointer"),
    ] {
        let finished = damaged("slab_debug:FZPU", misuse, size);
        assert_eq!(
            finished.signal(),
            Some(SIGABRT),
            "{misuse} {size} {finished:?}"
        );
        assert!(
            finished.stderr.lines().any(|line| line == name),
            "{misuse} {size} {finished:?}"
        );
    }
}

#[test]
fn sanity_checks_alone_repair_and_go_on() {
    let finished = damaged("slab_debug:F", "d", "64").succeeded();
    assert!(
        finished
            .stderr
            .contains("BUG kmalloc-64: Object already free\n")
    );
    assert!(
        finished
            .stderr
            .contains("FIX kmalloc-64: Object not freed again\n")
    );
}

#[test]
fn a_warning_repairs_and_goes_on() {
    let finished = damaged("slab_debug:ZP,crime:warn", "w", "64").succeeded();
    let block = culprit(&finished) + 32;
    let fix = format!("FIX kmalloc-64: Restoring Poison {block:#x}-{block:#x}=0x6b\n");
    assert!(finished.stderr.contains(&fix), "{finished:?}");
    let finished = damaged("crime:warn", "d", "64").succeeded();
    let line = finished
        .stderr
        .strip_suffix("; ignored\n")
        .expect("one line");
    let named = format!(
        "double free of {:#x} in kmalloc-64 (slab 0x",
        culprit(&finished)
    );
    assert!(
        message_of(line).is_some_and(|it| it.starts_with(&named)),
        "{line}"
    );
}

#[test]
fn only_the_classes_that_are_named_are_debugged() {
    for (size, is_seen) in [("64", true), ("80", false), ("1000", false)] {
        let finished = damaged("slab_debug:ZP,kmalloc-64;U,kmalloc-1*", "w", size);
        assert_eq!(
            finished.stderr.contains("Poison overwritten"),
            is_seen,
            "{finished:?}"
        );
        assert_eq!(finished.status.success(), !is_seen);
    }
}

#[test]
fn a_trace_has_a_line_for_each_call() {
    let finished = damaged("slab_debug:T,kmalloc-1280", "n", "1234").succeeded();
    let block = culprit(&finished);
    let all = finished
        .stderr
        .lines()
        .filter(|line| line.starts_with("TRACE"));
    let of_block: Vec<&str> = all
        .filter(|line| line.ends_with(&format!("{block:#x}")))
        .collect();
    let alloc = format!("TRACE kmalloc-1280 alloc {block:#x}");
    assert_eq!(
        of_block,
        [alloc.clone(), alloc.replace(" alloc ", " free ")]
    );
}

#[test]
fn a_guarded_block_stops_who_reads_it_after_its_end() {
    for (misuse, did) in [
        ("r", "use after free: read of "),
        ("w", "use after free: write of "),
    ] {
        let finished = damaged("guard:1/1", misuse, "64");
        let place = culprit(&finished) + 32;
        assert_eq!(finished.signal(), Some(SIGSEGV), "{finished:?}");
        let line = finished.report();
        let did = if cfg!(target_arch = "x86_64") {
            did.to_owned()
        } else {
            String::new()
        };
        assert!(line.starts_with(&did), "{line}");
        assert!(line.contains(&format!(
            "{place:#x}, 32 bytes after the start of a block of 64 bytes"
        )));
        assert!(finished.stderr.contains("Freed: age="));
    }
    let finished = damaged("guard:1/1", "o", "4096");
    assert_eq!(finished.signal(), Some(SIGSEGV), "{finished:?}");
    assert!(finished.report().starts_with("buffer overflow: "));
}

#[test]
fn one_block_in_a_few_is_guarded() {
    // Of 3,002 blocks, each freed before the next one comes, the first is not the hundredth.
    let finished = damaged("guard:1/100000000", "r", "64");
    assert_eq!(finished.signal(), None, "{finished:?}");
}

#[test]
fn a_block_that_rests_is_not_handed_out_and_not_freed_again() {
    let finished = damaged("quarantine:1m", "d", "64");
    assert_eq!(finished.signal(), Some(SIGABRT));
    assert!(finished.report().starts_with("double free of "));
}

#[test]
fn a_signal_that_is_sent_kills_as_ever() {
    let program = compile("c/raised.c", &[]);
    for conf in ["guard:1/1", "guard:1/1000", "slab_debug:FZPU"] {
        let mut command = Command::new(&program);
        let finished = run(
            Heap::Slubmalloc,
            command.env("SLUBMALLOC_CONF", conf),
            PATIENCE,
        );
        assert_eq!(finished.signal(), Some(SIGSEGV), "{conf}: {finished:?}");
        assert_eq!(finished.stderr, "", "{conf}");
    }
}

#[test]
fn a_handler_that_allocates_is_not_kept_waiting_by_a_report() {
    let program = compile("violations/handled.c", &[]);
    for conf in ["slab_debug:FZP", "guard:1/1", "quarantine:1m"] {
        let mut command = Command::new(&program);
        command.arg("1").env("SLUBMALLOC_CONF", conf);
        let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
        assert_eq!(finished.signal(), Some(SIGABRT), "{conf}: {finished:?}");
    }
}

#[test]
fn exit_in_a_handler_ends() {
    let program = compile("c/exit_in_handler.c", &["-pthread"]);
    for conf in ["crime:abort", "stats:exit", "zero:free"] {
        for time in (1_000..2_000).step_by(37) {
            let mut command = Command::new(&program);
            command.arg(time.to_string()).env("SLUBMALLOC_CONF", conf);
            let finished = run(Heap::Slubmalloc, &mut command, Duration::from_secs(20));
            assert!(finished.status.success(), "{conf} {time}: {finished:?}");
        }
    }
}

fn promises_hold(conf: &str) {
    for (name, arguments) in PROMISES {
        let program = compile(&format!("c/{name}.c"), &[]);
        let mut command = Command::new(program);
        command.args(*arguments).env("SLUBMALLOC_CONF", conf);
        let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
        assert!(finished.is_ok(), "{conf}: {name}");
    }
}

fn damaged(conf: &str, misuse: &str, size: &str) -> Finished {
    let program = compile("c/damaged.c", &["-g", "-fno-omit-frame-pointer"]);
    let mut command = Command::new(program);
    command.args([misuse, size]).env("SLUBMALLOC_CONF", conf);
    run(Heap::Slubmalloc, &mut command, PATIENCE)
}

/// The address that a program names.
fn culprit(finished: &Finished) -> usize {
    let named = finished
        .stdout
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("0x"));
    usize::from_str_radix(named.unwrap_or_default(), 16).expect("the program names its block")
}

/// Memory changes hands in more ways than by `malloc` and `free`.
#[test]
fn what_realloc_gives_up_and_takes_obeys_the_modes() {
    let program = compile("c/handed_over.c", &[]);
    for (conf, rule) in [
        ("zero:free", "free"),
        ("zero:free,quarantine:4m", "free"),
        ("zero:free,reuse:0,purge_ms:0", "free"),
        ("zero:free,zero:alloc", "free"),
        ("zero:free,slab_debug:FZ,kmalloc-64,huge", "free"),
        ("zero:alloc", "alloc"),
        ("zero:alloc,quarantine:64m", "alloc"),
        ("zero:free,zero:alloc", "alloc"),
        ("zero:free", "alloc"),
        ("zero:alloc,slab_debug:FZP", "alloc"),
        ("zero:alloc,guard:1/3", "alloc"),
        ("quarantine:256m", "rest"),
        ("quarantine:256m,zero:free", "rest"),
        ("slab_debug:F", "rest"),
        ("guard:1/1,quarantine:256m", "rest"),
        ("slab_debug:P", "move"),
        ("slab_debug:FZPU", "move"),
        ("guard:1/1", "move"),
    ] {
        let mut command = Command::new(&program);
        command.arg(rule).env("SLUBMALLOC_CONF", conf);
        let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
        assert!(finished.is_ok(), "{conf}: {rule}");
    }
}
