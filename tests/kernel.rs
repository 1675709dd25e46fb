//! Code of the kernel's own on named caches and `kmalloc`: data structures of `lib/` with their self tests.
//!
//! # Invariant
//!
//! The sources are taken from Debian's package when the test runs (`scripts/kernel-source.sh`); the repository has none of them. What
//! they include is theirs, or a header of `tests/kernel/shims` on top of `slubmalloc/kernel.h`.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use support::{
    Finished, Heap, api_library, compile_to, linked_to, linked_to_api, root, run, scratch,
    skip_unless, skipped, target,
};

const PATIENCE: Duration = Duration::from_secs(300);

/// The script's way to say that it cannot download.
const NO_PACKAGE: i32 = 77;

#[test]
fn lib_rbtree_passes_its_tests() {
    let Some(kernel) = kernel_source() else {
        return;
    };
    let sources = ["lib/rbtree.c", "lib/rbtree_test.c"].map(|file| kernel.join(file));
    passes_everywhere("rbtree", kernel, sources.to_vec());
}

#[test]
fn lib_interval_tree_passes_its_tests() {
    let Some(kernel) = kernel_source() else {
        return;
    };
    let names = [
        "lib/rbtree.c",
        "lib/interval_tree.c",
        "lib/interval_tree_test.c",
    ];
    passes_everywhere(
        "interval",
        kernel,
        names.map(|file| kernel.join(file)).to_vec(),
    );
}

#[test]
fn lib_list_sort_passes_its_tests() {
    let Some(kernel) = kernel_source() else {
        return;
    };
    let sources = ["lib/list_sort.c", "lib/test_list_sort.c"].map(|file| kernel.join(file));
    passes_everywhere("list_sort", kernel, sources.to_vec());
}

#[test]
fn lib_btree_holds_what_it_was_given() {
    let Some(kernel) = kernel_source() else {
        return;
    };
    passes_everywhere(
        "btree",
        kernel,
        vec![ours("btree.c"), kernel.join("lib/btree.c")],
    );
}

/// Radix tree, xarray, IDs and their threads, with liburcu's grace periods. A second of the tests' is the fiftieth of one.
#[test]
fn lib_radix_tree_and_xarray_pass_their_tests() {
    let Some(kernel) = kernel_source() else {
        return;
    };
    let folder = scratch("radix");
    let tests = kernel.join("tools/testing/radix-tree");
    // As the tests' Makefile does: what they look at is static in the kernel.
    for file in ["radix-tree.c", "idr.c"] {
        let text = read(&kernel.join("lib").join(file));
        let lines = text.lines().map(|line| {
            let line = line.strip_prefix("static ").unwrap_or(line);
            line.replacen("__always_inline ", "", 1)
                .replacen("inline ", "", 1)
        });
        write(&folder, file, &lines.collect::<Vec<_>>().join("\n"));
    }
    // The tests have an allocator that always refuses GFP_NOWAIT and say that the kernel does not; nor do we.
    let refused = ["GFP_NOWAIT)) != -ENOMEM);"];
    without(&kernel.join("lib/test_xarray.c"), &refused, &folder, 2);
    let refused = ["ida_check_nomem();", "ida_check_conv_user();"];
    without(&tests.join("idr-test.c"), &refused, &folder, 2);
    let xarray = read(&tests.join("xarray.c"));
    let xarray = xarray.replace("../../../lib/test_xarray.c", "test_xarray.c");
    write(&folder, "xarray.c", &xarray);

    let mut sources = vec![ours("benchmark.c")];
    let unchanged = "main test bitmap regression1 regression2 regression3 regression4 tag_check \
                     multiorder iteration_check iteration_check_2";
    sources.extend(
        unchanged
            .split_whitespace()
            .map(|name| tests.join(name).with_extension("c")),
    );
    sources
        .extend(["radix-tree.c", "idr.c", "idr-test.c", "xarray.c"].map(|name| folder.join(name)));
    sources.extend(["find_bit.c", "hweight.c"].map(|name| kernel.join("tools/lib").join(name)));
    let hurry = ours("shims/linux/hurry.h");
    let mut flags = vec![
        "-lurcu".to_owned(),
        "-include".to_owned(),
        hurry.display().to_string(),
        format!("-I{}", folder.display()),
        // For `../../../lib/`, which the moved files include.
        format!("-I{}", tests.display()),
    ];
    flags.extend(linked_to_api());
    let program = built("radix", kernel, &sources, &flags);
    // The seed of its random numbers.
    let mut command = Command::new(program);
    let finished = run(Heap::Slubmalloc, command.args(["-s", "1"]), PATIENCE);
    assert!(finished.is_ok());
    let passed = finished.stdout.lines().filter(|line| all_passed(line));
    assert_eq!(passed.count(), 2, "{}", finished.stdout);
    assert!(finished.stdout.contains("tests completed"));
}

#[test]
fn lib_maple_tree_passes_its_tests() {
    let Some(kernel) = kernel_source() else {
        return;
    };
    let tests = kernel.join("tools/testing/radix-tree");
    let mut sources = vec![ours("maple.c"), tests.join("bitmap.c")];
    sources.extend(
        ["lib/radix-tree.c", "lib/xarray.c", "tools/lib/find_bit.c"].map(|file| kernel.join(file)),
    );
    let mut flags = vec!["-lurcu".to_owned()];
    flags.extend(linked_to());
    let program = built("maple", kernel, &sources, &flags);
    let finished = run(Heap::Libc, &mut Command::new(program), PATIENCE);
    assert!(finished.is_ok());
    // One check of this version's test does not hold, whatever allocates.
    let wrong = finished
        .stdout
        .lines()
        .filter(|line| line.starts_with("BUG at "));
    let wrong: Vec<_> = wrong.collect();
    let is_known = wrong
        .iter()
        .all(|line| line.starts_with("BUG at next_prev_test:"));
    assert!(wrong.len() <= 1 && is_known, "{wrong:?}");
    assert!(finished.stdout.contains("maple_tree: "));
}

/// What `slubmalloc/kernel.h` defines is code without a warning in each language that may include it.
#[test]
fn kernel_h_compiles_everywhere() {
    let style = ours("style.c");
    let include = format!("-I{}", root().join("cdylib/include").display());
    for (compiler, language, standards) in [
        ("gcc", "c", &["c99", "gnu11", "c17"][..]),
        ("clang", "c", &["c99", "gnu11", "c17"]),
        ("g++", "c++", &["c++11", "c++20"]),
        ("clang++", "c++", &["c++11", "c++20"]),
    ] {
        skip_unless!(compiler);
        for standard in standards {
            let mut command = Command::new(compiler);
            command.args([
                "-x",
                language,
                "-Wall",
                "-Wextra",
                "-Werror",
                "-fsyntax-only",
            ]);
            command.args([&format!("-std={standard}"), &include]);
            if language == "c" {
                command.arg("-pedantic");
            }
            let finished = run(Heap::Libc, command.arg(&style), PATIENCE);
            assert!(
                finished.status.success(),
                "{compiler} {standard}: {}",
                finished.stderr
            );
        }
    }
    let program = scratch("style").join("style");
    let flags: Vec<String> = linked_to().into_iter().chain([include]).collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    compile_to(&program, &[&style], &flags);
    assert!(run(Heap::Libc, &mut Command::new(program), PATIENCE).is_ok());
}

/// Runs a program linked to the library, linked to the one without malloc's names, and that one under the preloaded library.
fn passes_everywhere(name: &str, kernel: &Path, sources: Vec<PathBuf>) {
    let shared = built(name, kernel, &sources, &linked_to());
    api_library();
    let beside = built(&format!("{name}-api"), kernel, &sources, &linked_to_api());
    for (program, heap) in [
        (&shared, Heap::Libc),
        (&beside, Heap::Libc),
        (&beside, Heap::Slubmalloc),
    ] {
        let finished: Finished = run(heap, &mut Command::new(program), PATIENCE);
        let is_silent = finished.stderr.is_empty();
        // A module that is unloaded says so after the end of `main`.
        let said_ok = finished.stdout.lines().any(|line| line == "ok");
        assert!(
            finished.status.success() && said_ok && is_silent,
            "{finished:?}"
        );
    }
}

fn built(name: &str, kernel: &Path, sources: &[PathBuf], flags: &[String]) -> PathBuf {
    let program = scratch(&format!("program-{name}")).join(name);
    let tests = kernel.join("tools/testing/radix-tree");
    let include = [
        ours("shims"),
        root().join("cdylib/include"),
        tests.clone(),
        kernel.join("include"),
        kernel.join("tools/include"),
        kernel.join("tools/arch/x86/include"),
    ];
    let mut all: Vec<_> = include
        .iter()
        .map(|folder| format!("-I{}", folder.display()))
        .collect();
    // What the kernel's own build accepts is no warning here.
    all.extend(["-w", "-D_LGPL_SOURCE"].map(str::to_owned));
    all.extend_from_slice(flags);
    let environment = ours("environment.c");
    let mut files: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
    files.push(&environment);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    compile_to(&program, &files, &all);
    program
}

/// Whether a line says that as many tests passed as were run.
fn all_passed(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    matches!(words[..], [_, passed, "of", run, "tests", "passed"] if passed == run && passed != "0")
}

/// Where the kernel's files are, taken from their package if need be; nothing where that is not possible.
fn kernel_source() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let mut command = Command::new("bash");
        command.arg(root().join("scripts/kernel-source.sh"));
        command.env("CARGO_TARGET_DIR", target());
        let finished = run(Heap::Libc, &mut command, PATIENCE);
        if finished.status.code() == Some(NO_PACKAGE) {
            return None;
        }
        let folder = PathBuf::from(finished.succeeded().stdout.trim());
        let generated = folder.join("tools/testing/radix-tree/generated");
        write(&generated, "bit-length.h", "#define CONFIG_64BIT 1\n");
        write(&generated, "map-shift.h", "#define XA_CHUNK_SHIFT 3\n");
        Some(folder)
    });
    if folder.is_none() {
        skipped("no source of the kernel here");
    }
    folder.as_deref()
}

/// A copy of a file in `folder` without the lines that contain one of these texts; there are `count`.
fn without(file: &Path, texts: &[&str], folder: &Path, count: usize) {
    let text = read(file);
    let is_wanted = |line: &&str| !texts.iter().any(|text| line.contains(text));
    let kept: Vec<_> = text.lines().filter(is_wanted).collect();
    assert_eq!(text.lines().count() - kept.len(), count, "{file:?}");
    let name = file.file_name().and_then(|name| name.to_str());
    write(folder, name.expect("a plain name"), &kept.join("\n"));
}

fn ours(file: &str) -> PathBuf {
    root().join("tests/kernel").join(file)
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"))
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::write(&file, format!("{text}\n")).unwrap_or_else(|error| panic!("{file:?}: {error}"));
}
