//! The examples, compiled against the installed copy as their first lines say, and run.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use support::{Heap, cargo_build, compile_to, root, run, scratch, target};

#[test]
fn an_object_cache_constructs_once() {
    prints("object_cache.c", |text| {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        first.starts_with("connection: 100000 connections, ")
            && first.ends_with(", 0 in use")
            && lines.next() == Some("destroyed, 0 buffers")
    });
}

#[test]
fn kernel_style_code_compiles_with_one_include() {
    prints("kernel_style.c", |text| {
        text == "20000 names, found: yes, missing: yes, on node known\ndestroyed\n"
    });
}

#[test]
fn readers_of_an_rcu_list_need_no_lock() {
    prints("rcu_list.c", |text| {
        text == "200 grace periods, 0 sessions in use\n"
    });
}

#[test]
fn a_pool_serves_request_after_request() {
    prints("request_pool.cpp", |text| {
        text == "990 requests answered, 10 too large, 0 bytes in use\n"
    });
}

#[test]
fn containers_of_cxx_lie_in_pools() {
    prints("pmr_containers.cpp", |text| {
        text == "round 1: 1000 words, each 5 times\n\
                 round 2: 1000 words, each 10 times\n\
                 round 3: 1000 words, each 15 times\n\
                 limit reached, 0 bytes in use afterwards\n\
                 3 numbers, from the pool\n"
    });
}

#[test]
fn tenants_stay_within_their_limits_and_that_of_all() {
    prints("tenant_limits.c", |text| {
        text == "red wants 200: 96 blocks; all tenants: 6144 KiB\n\
                 blue wants 50: 32 blocks; all tenants: 8192 KiB\n\
                 red's job ends, blue wants 50 more: 50 blocks; all tenants: 5248 KiB\n\
                 red, with less now, wants 200: 16 blocks; all tenants: 6272 KiB\n\
                 the end: 0 blocks; all tenants: 0 KiB\n"
    });
}

#[test]
fn typed_caches_and_pools_of_rust_end_empty() {
    let name = "typed.rs";
    let example = name.trim_end_matches(".rs");
    cargo_build(
        &["--quiet", "-p", "slubmalloc", "--example", example],
        target(),
    );
    let mut program = Command::new(target().join("debug/examples").join(example));
    let finished = run(Heap::Libc, &mut program, Duration::from_secs(60)).succeeded();
    let mut lines = finished.stdout.lines();
    assert!(
        lines
            .next()
            .is_some_and(|it| it.ends_with(" refused: as limits have it"))
            && lines.next() == Some("0 sessions and 0 bytes in use")
            && finished.stderr.is_empty(),
        "{finished:?}"
    );
}

#[test]
fn every_example_is_run_here() {
    let here = include_str!("examples.rs");
    for entry in root().join("examples").read_dir().expect("examples/") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("UTF-8");
        assert!(here.contains(&format!("\"{name}\"")), "examples/{name}");
    }
}

#[test]
fn the_headers_are_cxx_too() {
    let program = scratch("headers").join("program");
    let source = root().join("tests/kmem/headers.cpp");
    compile_to(&program, &[&source], &flags());
    let finished = run(
        Heap::Libc,
        &mut Command::new(program),
        Duration::from_secs(60),
    );
    assert!(finished.is_ok() && finished.stderr.is_empty());
}

fn prints(name: &str, is_right: impl Fn(&str) -> bool) {
    let program = scratch(name).join("program");
    compile_to(&program, &[&root().join("examples").join(name)], &flags());
    let finished = run(
        Heap::Libc,
        &mut Command::new(program),
        Duration::from_secs(60),
    )
    .succeeded();
    assert!(
        is_right(&finished.stdout) && finished.stderr.is_empty(),
        "{finished:?}"
    );
}

/// The installed copy, by its own folders. Cargo sets LD_LIBRARY_PATH to folders that may have another build.
fn flags() -> Vec<&'static str> {
    static FLAGS: OnceLock<[String; 3]> = OnceLock::new();
    let flags = FLAGS.get_or_init(|| {
        let prefix = scratch("prefix");
        install(&prefix);
        let prefix = prefix.display();
        [
            format!("-I{prefix}/include"),
            format!("-L{prefix}/lib"),
            format!("-Wl,--disable-new-dtags,-rpath,{prefix}/lib"),
        ]
    });
    let mut all: Vec<&str> = flags.iter().map(String::as_str).collect();
    all.push("-lslubmalloc");
    all
}

fn install(prefix: &Path) {
    let mut install = Command::new(root().join("scripts/install.sh"));
    install
        .arg("--without-slubctl")
        .arg("--prefix")
        .arg(prefix)
        .env("CARGO_TARGET_DIR", target());
    run(Heap::Libc, &mut install, Duration::from_secs(600)).succeeded();
}
