//! Limits under the built library: what they bind, what they leave room for, and what a refusal costs.
//!
//! # Invariant
//!
//! Costs are processor time as the programs count it themselves, with room for machines that are slow or busy.
#![cfg(not(any(miri, loom)))]

mod support;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use support::{
    Finished, Heap, compile, compile_with_header, keeps_promise_with, linked_to, run, run_with,
    skipped,
};

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_limit_on_address_space_set_later_binds_and_leaves_room() {
    for how in ["setrlimit", "setrlimit64", "prlimit", "prlimit64"] {
        keeps_promise_with("", "c/limited_later.c", &[how, "6144", "100", "1048576"]);
    }
}

#[test]
fn a_limit_on_address_space_set_later_binds_for_blocks_of_any_size() {
    for bytes in ["64", "3000", "5242880"] {
        keeps_promise_with("", "c/limited_later.c", &["setrlimit", "300", "20", bytes]);
    }
}

#[test]
fn a_limit_on_address_space_that_the_library_does_not_hear_of_binds() {
    keeps_promise_with("", "c/limited_later.c", &["kernel", "6144", "0", "1048576"]);
    keeps_promise_with("", "c/limited_later.c", &["kernel", "300", "0", "64"]);
}

#[test]
fn a_limit_on_data_set_later_binds() {
    keeps_promise_with("", "c/limited_later.c", &["data", "1024", "0", "1048576"]);
    keeps_promise_with("", "c/limited_later.c", &["data", "256", "0", "64"]);
}

#[test]
fn a_limit_set_later_binds_with_a_purge_thread_and_in_debug_modes() {
    for how in ["setrlimit", "kernel"] {
        let threads = if how == "kernel" { "0" } else { "20" };
        let arguments = [how, "512", threads, "3000"];
        for conf in [
            "purge_thread:on",
            "slab_debug:FZPU,kmalloc-64",
            "guard:1/10000",
        ] {
            keeps_promise_with(conf, "c/limited_later.c", &arguments);
        }
    }
}

#[test]
fn the_impossible_is_refused_at_no_cost() {
    keeps_promise_with("purge_ms:never", "c/refused_cheaply.c", &["impossible"]);
}

#[test]
fn a_program_out_of_memory_is_refused_at_little_cost() {
    keeps_promise_with("", "c/refused_cheaply.c", &["data", "400"]);
    keeps_promise_with("", "c/refused_cheaply.c", &["addresses", "400"]);
}

#[test]
fn a_heap_out_of_memory_by_its_own_limit_refuses_at_little_cost() {
    keeps_promise_with("limit:256m", "c/refused_cheaply.c", &["heap", "256"]);
}

#[test]
fn a_group_whose_limit_changes_is_obeyed() {
    let Some(group) = Group::new(256 << 20) else {
        return skipped("no memory cgroup can be made here");
    };
    for bytes in ["1048576", "5242880", "20000", "200"] {
        group.limit_to(256 << 20);
        group
            .run("", "c/limit_of_group.c", &[group.limit_file(), bytes])
            .is_ok();
    }
}

#[test]
fn threads_in_a_group_are_not_refused_below_its_limit() {
    let Some(group) = Group::new(400 << 20) else {
        return skipped("no memory cgroup can be made here");
    };
    for conf in ["", "purge_ms:8,purge_thread:on"] {
        group.run(conf, "c/takers.c", &[]).is_ok();
    }
}

#[test]
fn what_must_not_fail_passes_the_limit_of_a_group() {
    let Some(group) = Group::new(256 << 20) else {
        return skipped("no memory cgroup can be made here");
    };
    let program = compile_with_header("kmem/beyond.c", &linked_to());
    group.run_program("", &program, &[]).is_ok();
}

#[test]
fn statistics_tell_the_limit_its_source_and_what_it_refused() {
    let source = "c/refused_and_counted.c";
    let finished = run_with("limit:256m", source, &["10"]);
    assert!(finished.is_ok());
    assert_eq!(value(&finished.stderr, "limit"), "262144");
    assert_eq!(value(&finished.stderr, "limit set by"), "SLUBMALLOC_CONF");
    assert_eq!(
        value(&finished.stderr, "requests refused by the limit"),
        "10"
    );
    assert_eq!(value(&finished.stderr, "refused by the system"), "0");
    for line in [
        "<limit size=\"268435456\" source=\"SLUBMALLOC_CONF\"/>",
        "<refused type=\"limit\" count=\"10\"/>",
        "<refused type=\"system\" count=\"0\"/>",
    ] {
        assert!(finished.stdout.contains(line), "{}", finished.stdout);
    }
    let at_exit = run_with("limit:256m,stats:exit", source, &["3"]);
    assert_eq!(
        at_exit
            .stderr
            .matches("requests refused by the limit")
            .count(),
        2
    );
    let unlimited = run_with("limit:off", source, &["0"]);
    assert_eq!(value(&unlimited.stderr, "limit"), "none");
    assert!(!unlimited.stderr.contains("limit set by"));
}

#[test]
fn statistics_name_the_group_whose_limit_holds() {
    let Some(group) = Group::new(256 << 20) else {
        return skipped("no memory cgroup can be made here");
    };
    let finished = group.run("", "c/refused_and_counted.c", &["7"]);
    assert!(finished.is_ok());
    assert_eq!(value(&finished.stderr, "limit"), "262144");
    // The end of a long name.
    let shown = value(&finished.stderr, "limit set by");
    let shown = shown.trim_start_matches("...");
    assert!(group.limit_file().ends_with(shown), "{shown}");
    assert_eq!(
        value(&finished.stderr, "requests refused by the limit"),
        "7"
    );
}

/// The value of a line of the statistics.
fn value<'text>(text: &'text str, name: &str) -> &'text str {
    let values = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(' '));
    let mut values = values.map(str::trim).filter(|it| !it.starts_with("set by"));
    values
        .next()
        .unwrap_or_else(|| panic!("no {name}:\n{text}"))
}

/// A memory cgroup below this process's own; the drop removes it.
struct Group {
    directory: PathBuf,
    limit_file: String,
}

impl Group {
    fn new(bytes: u64) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // ORDERING: Relaxed, only the number's uniqueness matters.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let lines = fs::read_to_string("/proc/self/cgroup").ok()?;
        let (mut own, mut file) = (None, "memory.max");
        for line in lines.lines() {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let path = path.trim_start_matches('/');
            if controllers.split(',').any(|it| it == "memory") {
                own = Some(Path::new("/sys/fs/cgroup/memory").join(path));
                file = "memory.limit_in_bytes";
                break;
            }
            if controllers.is_empty() {
                own = Some(Path::new("/sys/fs/cgroup").join(path));
            }
        }
        let directory = own?.join(format!("slubtest-{}-{number}", std::process::id()));
        fs::create_dir(&directory).ok()?;
        let limit_file = directory.join(file).to_str()?.to_owned();
        let group = Self {
            directory,
            limit_file,
        };
        fs::write(&group.limit_file, bytes.to_string()).ok()?;
        Some(group)
    }

    fn limit_file(&self) -> &str {
        &self.limit_file
    }

    fn limit_to(&self, bytes: u64) {
        fs::write(&self.limit_file, bytes.to_string()).expect("a limit that could be set before");
    }

    /// Runs a program that is in the group from its start.
    fn run(&self, conf: &str, source: &str, arguments: &[&str]) -> Finished {
        self.run_program(conf, &compile(source, &[]), arguments)
    }

    fn run_program(&self, conf: &str, program: &Path, arguments: &[&str]) -> Finished {
        let join = "echo 0 >\"$0/cgroup.procs\" && exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", join]).arg(&self.directory);
        command.arg(program).args(arguments);
        run(
            Heap::Slubmalloc,
            command.env("SLUBMALLOC_CONF", conf),
            PATIENCE,
        )
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel needs a moment for the last process's pages.
        for _ in 0..100 {
            if fs::remove_dir(&self.directory).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
