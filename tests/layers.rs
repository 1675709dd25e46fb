//! The floor plan: modules see only what lies below them, `unsafe` and `libc` stay in their rooms.
//!
//! The order of the `mod` lines in src/lib.rs is the plan, bottom to top.

#[path = "layers/circles.rs"]
mod circles;
#[path = "layers/made_up.rs"]
mod made_up;
#[path = "layers/parser.rs"]
mod parser;
#[path = "layers/rule.rs"]
mod rule;
#[path = "layers/ways.rs"]
mod ways;

use std::fs;
use std::path::{Path, PathBuf};

use parser::{blank, words};
use rule::{line_of_word, upward_references};

/// The only files under src/ that may hold `unsafe`. A directory's mod.rs above one of them cannot forbid it, as the
/// attribute would reach down; every other file does.
const UNSAFE_FILES: &[&str] = &[
    "arena/record.rs",
    "arena/summary.rs",
    "cache/bin.rs",
    "cache/idle_tests.rs",
    "cache/mod.rs",
    "cache/model.rs",
    "cache/named.rs",
    "cache/span_tests.rs",
    "face/arena.rs",
    "face/cache.rs",
    "face/kept.rs",
    "face/memory.rs",
    "face/pool_box.rs",
    "global/early.rs",
    "global/faults/kernel.rs",
    "global/faults/lifetime.rs",
    "global/faults/named.rs",
    "global/faults/process.rs",
    "global/faults/work.rs",
    "global/at_exit.rs",
    "global/kmalloc.rs",
    "global/kmem.rs",
    "global/life.rs",
    "global/malloc.rs",
    "global/pages.rs",
    "global/prefilled.rs",
    "global/size.rs",
    "global/threads.rs",
    "global/typed.rs",
    "global_alloc.rs",
    "heap/large.rs",
    "heap/metadata.rs",
    "huge/node.rs",
    "kmem/args.rs",
    "kmem/checks.rs",
    "kmem/cache.rs",
    "kmem/hooks.rs",
    "kmem/name.rs",
    "kmem/sheaves.rs",
    "kmem/store.rs",
    "kmem/take.rs",
    "profile/tables.rs",
    "slab/cache_nodes.rs",
    "slab/record/mod.rs",
    "slab/request.rs",
    "slab/sampled.rs",
    "slab/sheaf.rs",
    "sync/lock.rs",
    "sync/once.rs",
    "sync/static_ref.rs",
    "sys/barrier.rs",
    "sys/bell.rs",
    "sys/cpu.rs",
    "sys/dumps.rs",
    "sys/descriptor.rs",
    "sys/errno.rs",
    "sys/exit_key.rs",
    "sys/faults.rs",
    "sys/fence.rs",
    "sys/forked.rs",
    "sys/hooks.rs",
    "sys/huge_pages.rs",
    "sys/lifeline.rs",
    "sys/linux.rs",
    "sys/mapping.rs",
    "sys/mapping/cell.rs",
    "sys/mapping/moves.rs",
    "sys/memory.rs",
    "sys/own_stack.rs",
    "sys/policy.rs",
    "sys/prefetch.rs",
    "sys/probe.rs",
    "sys/program.rs",
    "sys/region.rs",
    "sys/renew.rs",
    "sys/rseq.rs",
    "sys/signal.rs",
    "sys/simulated.rs",
    "sys/single.rs",
    "sys/spawn.rs",
    "sys/syscall.rs",
    "sys/table.rs",
    "sys/thread.rs",
    "sys/ticks.rs",
    "sys/tls/aarch64.rs",
    "sys/tls/simulated.rs",
    "sys/tls/x86_64.rs",
    "sys/unwind/cursor.rs",
    "sys/unwind/find.rs",
    "sys/unwind/listed.rs",
    "sys/unwind/mod.rs",
    "sys/unwind/registers.rs",
    "sys/unwind/stack.rs",
    "sys/unwind/tests.rs",
    "sys/usdt.rs",
    "sys/versioned.rs",
    "sys/weak.rs",
    "sys/zero.rs",
    "pool/blocks.rs",
    "pool/close.rs",
    "pool/give.rs",
    "pool/options.rs",
    "pool/reach.rs",
    "pool/structure.rs",
    "modes/address_map.rs",
    "modes/bytes.rs",
    "modes/record.rs",
];

/// The only floor that calls libc.
const LIBC_FLOOR: &str = "sys/";

/// A longer file is two files.
const MOST_LINES: usize = 350;

#[test]
fn imports_look_down() {
    let mut faults = Vec::new();
    for file in source_files() {
        faults.extend(upward_references(&floor_plan(), &file.name, &file.text));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_files_need_each_other() {
    let files = source_files();
    let texts = files
        .iter()
        .map(|file| (file.name.as_str(), file.text.as_str()));
    let circles = circles::circles(&circles::arrows(texts));
    let told: Vec<_> = circles.iter().map(|circle| circle.join(" → ")).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn ways_cross_as_few_files_as_is_known() {
    let text_of = |name: &str| fs::read_to_string(source_root().join(name)).ok();
    let faults = ways::faults(text_of);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_is_on_the_plan() {
    let plan = floor_plan();
    for file in source_files() {
        let floor = floor_of(&file.name);
        assert!(
            file.name == "lib.rs" || plan.contains(&floor),
            "src/{}: `mod {floor};` is not in src/lib.rs",
            file.name
        );
    }
}

#[test]
fn unsafe_is_where_it_may_be() {
    let mut faults = Vec::new();
    for file in source_files() {
        let code = blank(&file.text);
        let allowed = UNSAFE_FILES.contains(&file.name.as_str());
        if !allowed && let Some(line) = line_of_word(&code, "unsafe") {
            faults.push(format!(
                "src/{}:{line}: `unsafe` in a file that is not listed",
                file.name
            ));
        }
        let opens_with_forbid = code
            .split_whitespace()
            .collect::<String>()
            .starts_with("#![forbid(unsafe_code)]");
        if !allowed && !is_above_unsafe(&file.name) && !opens_with_forbid {
            faults.push(format!(
                "src/{}: does not open with #![forbid(unsafe_code)]",
                file.name
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_unsafe_list_is_no_longer_than_needed() {
    let files = source_files();
    for name in UNSAFE_FILES {
        let Some(file) = files.iter().find(|file| file.name == *name) else {
            panic!("src/{name} does not exist");
        };
        assert!(
            line_of_word(&blank(&file.text), "unsafe").is_some(),
            "src/{name} needs no `unsafe` any more"
        );
    }
}

#[test]
fn libc_is_called_on_one_floor() {
    for file in source_files()
        .iter()
        .filter(|file| !file.name.starts_with(LIBC_FLOOR))
    {
        if let Some(line) = line_of_word(&blank(&file.text), "libc") {
            panic!(
                "src/{}:{line}: libc is used in src/{LIBC_FLOOR} only",
                file.name
            );
        }
    }
}

#[test]
fn files_are_short_and_say_what_lives_there() {
    for file in source_files() {
        let lines = file.text.lines().count();
        assert!(
            lines <= MOST_LINES,
            "src/{} has {lines} lines, at most {MOST_LINES} are allowed",
            file.name
        );
        assert!(
            file.text.starts_with("//!"),
            "src/{} does not open with a //! line",
            file.name
        );
    }
}

// The source tree.

struct Source {
    /// Path below src/.
    name: String,
    text: String,
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn source_files() -> Vec<Source> {
    let root = source_root();
    let mut found = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of src/") {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(&root)
                    .expect("below src/")
                    .to_str()
                    .expect("UTF-8")
                    .to_owned();
                found.push(Source {
                    name,
                    text: fs::read_to_string(&path).expect("a source file"),
                });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!found.is_empty());
    found
}

fn floor_plan() -> Vec<String> {
    let plan =
        declared_modules(&fs::read_to_string(source_root().join("lib.rs")).expect("src/lib.rs"));
    assert!(!plan.is_empty(), "src/lib.rs declares no modules");
    plan
}

/// The names of `mod name;` lines, in order.
fn declared_modules(text: &str) -> Vec<String> {
    let code = blank(text);
    let words = words(&code);
    let mut names = Vec::new();
    for three in words.windows(3) {
        if three[0].text == "mod"
            && three[2].text == ";"
            && !names.iter().any(|name| name == three[1].text)
        {
            names.push(three[1].text.to_owned());
        }
    }
    names
}

/// `arena/buddy.rs` and `arena.rs` are on the floor `arena`.
fn floor_of(name: &str) -> String {
    name.split('/')
        .next()
        .expect("a path")
        .trim_end_matches(".rs")
        .to_owned()
}

/// `arena/mod.rs` is `[arena]`, `arena/buddy.rs` is `[arena, buddy]`, `lib.rs` is `[]`.
fn depth_of(name: &str) -> usize {
    let parts = name.split('/').count();
    if name == "lib.rs" || name.ends_with("/mod.rs") {
        parts - 1
    } else {
        parts
    }
}

/// lib.rs, mod.rs, and `a.rs` beside `a/`, above a listed file.
fn is_above_unsafe(name: &str) -> bool {
    let directory = match name {
        "lib.rs" => "",
        _ => name
            .strip_suffix("mod.rs")
            .unwrap_or(name.trim_end_matches(".rs")),
    };
    UNSAFE_FILES.iter().any(|file| {
        let below = file.strip_prefix(directory);
        below.is_some_and(|rest| {
            directory.is_empty() || directory.ends_with('/') || rest.starts_with('/')
        })
    })
}
