//! `slubmalloc.hpp`: its classes in C++ programs with each form of the library, under sanitizers, and in each dialect.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{
    Finished, Heap, compile_to, compile_with_header, fully_static, linked_to, linked_to_api,
    message_of, root, run, scratch, skip_unless,
};

const PATIENCE: Duration = Duration::from_secs(120);
const STRICT: [&str; 2] = ["-Wpedantic", "-Werror"];

#[test]
fn pools_are_memory_resources() {
    keeps("pools", &[]);
}

#[test]
fn containers_allocate_from_pools_and_from_the_heap() {
    keeps("allocators", &[]);
}

#[test]
fn caches_construct_and_destroy_and_keep_what_is_in_use() {
    let kept = "cache \"kept\" was not destroyed: 1 object is still in use, at 0x";
    let lines = [
        "cache \"unknown flags\" was not created: unknown flags 0x1",
        "cache \"\" was not created: its name is not of 1 to 255 bytes",
        // When it is closed, and when another cache is moved to it.
        kept,
        kept,
    ];
    keeps("caches", &lines);
}

#[test]
fn sanitizers_find_nothing() {
    // AddressSanitizer has malloc's names.
    for name in ["pools", "allocators", "caches"] {
        let mut flags = linked_to_api();
        flags.push("-fsanitize=address,undefined".to_owned());
        let object = compiled(name, &["-fsanitize=address,undefined", "-O0", "-g0"]);
        let finished = run(
            Heap::Libc,
            &mut Command::new(link(&format!("{name}-sanitized"), &object, &flags)),
            PATIENCE,
        );
        assert!(finished.is_ok() && !finished.stderr.contains("Sanitizer"));
        assert!(!finished.stderr.contains("runtime error"), "{finished:?}");
    }
}

#[test]
fn neither_exceptions_nor_run_time_types_are_needed() {
    let mut flags = linked_to();
    flags.extend(["-fno-exceptions", "-fno-rtti"].map(str::to_owned));
    flags.extend(STRICT.map(str::to_owned));
    let program = compile_with_header("cxx/hpp/without.cpp", &flags);
    let finished = run(Heap::Libc, &mut Command::new(program), PATIENCE);
    assert!(finished.is_ok() && finished.stderr.is_empty());
}

#[test]
fn each_dialect_of_both_compilers_takes_the_header() {
    skip_unless!("clang++");
    let programs = ["allocators.cpp", "caches.cpp"];
    for (compiler, dialects) in [
        ("c++", &["c++2b"][..]),
        ("clang++", &["c++17", "c++20", "c++2b"]),
    ] {
        for dialect in dialects {
            let dialect = format!("-std={dialect}");
            accepted(&checked(compiler, &[&dialect], &programs));
        }
    }
    // No test runs that one.
    accepted(&checked(
        "c++",
        &["-std=c++17"],
        &["../../../bench/requests/requests.cpp"],
    ));
    let without = ["-std=c++17", "-fno-exceptions", "-fno-rtti"];
    accepted(&checked("clang++", &without, &["without.cpp"]));
}

#[test]
fn kept_objects_must_be_constructed_without_exceptions() {
    let refused = checked("c++", &["-std=c++17"], &["throwing.cpp"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("it has to be noexcept"),
        "{said}"
    );
    accepted(&checked(
        "c++",
        &["-std=c++17", "-DRIGHT"],
        &["throwing.cpp"],
    ));
}

/// What a compiler says of programs without building them.
fn checked(compiler: &str, flags: &[&str], programs: &[&str]) -> Output {
    let folder = root().join("tests/cxx/hpp");
    Command::new(compiler)
        .args(["-fsyntax-only", "-Wall", "-Wextra", "-Wshadow", "-I"])
        .arg(root().join("cdylib/include"))
        .args(STRICT)
        .args(flags)
        .args(programs.iter().map(|it| folder.join(it)))
        .output()
        .expect("a compiler starts")
}

fn accepted(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// Runs a program in each way that it can have the library. It says these lines and no others.
fn keeps(name: &str, lines: &[&str]) {
    let object = compiled(name, &[]);
    let with = |way: &str, flags: &[String], heap| {
        let program = link(&format!("{name}-{way}"), &object, flags);
        says(&run(heap, &mut Command::new(program), PATIENCE), lines);
    };
    with("shared", &linked_to(), Heap::Libc);
    with("static", &fully_static(), Heap::Libc);
    with("api", &linked_to_api(), Heap::Libc);
    // While a thread of its own gives memory back all the time.
    with("purging", &linked_to(), Heap::Purging);
}

fn says(finished: &Finished, lines: &[&str]) {
    assert!(finished.is_ok());
    let mut said = finished.stderr.lines();
    for line in lines {
        let next = said.next().and_then(message_of).unwrap_or_default();
        assert!(next.starts_with(line), "{}", finished.stderr);
    }
    assert_eq!(said.next(), None, "{}", finished.stderr);
}

/// An object file, which all forms of the library take.
fn compiled(name: &str, flags: &[&str]) -> PathBuf {
    let mut all: Vec<String> = ["-c"]
        .into_iter()
        .chain(STRICT)
        .map(str::to_owned)
        .collect();
    all.extend(flags.iter().map(|it| (*it).to_owned()));
    compile_with_header(&format!("cxx/hpp/{name}.cpp"), &all)
}

fn link(name: &str, object: &Path, flags: &[String]) -> PathBuf {
    let program = scratch(name).join("program");
    let flags = flags.iter().map(String::as_str);
    let flags: Vec<&str> = flags.chain(["-lstdc++"]).collect();
    compile_to(&program, &[object], &flags);
    program
}
