//! The installed copy: what `scripts/install.sh` lays out must link, shared and static, C and C++.
//!
//! That the library is in charge is seen in two ways: `free_sized` resolves, which only newer C libraries
//! offer, and `SLUBMALLOC_CONF=stats:exit` is obeyed.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use support::{Heap, compile_to, root, run, scratch, skip_unless, target};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn install_lays_out_library_header_and_pkg_config() {
    for file in [
        "lib/libslubmalloc.so",
        "lib/libslubmalloc.a",
        "include/slubmalloc.h",
        "include/slubmalloc/kernel.h",
        "share/man/man3/slub_kmem_cache.3",
        "lib/pkgconfig/slubmalloc.pc",
    ] {
        assert!(prefix().join(file).is_file(), "{file} was not installed");
    }
}

#[test]
fn a_c_program_links_the_shared_library() {
    skip_unless!("pkg-config");
    links_and_is_served("c/linked.c", &with_rpath(pkg_config(&[])));
}

#[test]
fn a_cxx_program_links_the_shared_library() {
    skip_unless!("pkg-config");
    links_and_is_served("cxx/linked.cpp", &with_rpath(pkg_config(&[])));
}

#[test]
fn a_program_that_never_names_malloc_gets_the_shared_library() {
    skip_unless!("pkg-config");
    links_and_is_served("c/linked_indirectly.c", &with_rpath(pkg_config(&[])));
}

#[test]
fn a_c_program_takes_the_archive() {
    links_and_is_served("c/linked.c", &the_archive());
}

#[test]
fn a_cxx_program_takes_the_archive() {
    links_and_is_served("cxx/linked.cpp", &the_archive());
}

#[test]
fn a_program_that_never_names_malloc_takes_the_archive() {
    links_and_is_served("c/linked_indirectly.c", &the_archive());
}

#[test]
fn a_fully_static_c_program_links() {
    skip_unless!("pkg-config");
    links_and_is_served("c/linked.c", &fully_static("-static"));
    links_and_is_served("c/linked_indirectly.c", &fully_static("-static"));
}

#[test]
fn a_fully_static_cxx_program_links() {
    skip_unless!("pkg-config");
    links_and_is_served("cxx/linked.cpp", &fully_static("-static"));
}

#[test]
fn a_static_position_independent_program_links() {
    skip_unless!("pkg-config");
    links_and_is_served("c/linked.c", &fully_static("-static-pie"));
}

/// Where the library was installed, once for this process.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = scratch("prefix");
        let mut install = Command::new(root().join("scripts/install.sh"));
        install
            .arg("--prefix")
            .arg(&prefix)
            .env("CARGO_TARGET_DIR", target());
        // The script builds the library first.
        run(Heap::Libc, &mut install, Duration::from_secs(600)).succeeded();
        prefix
    })
}

fn pkg_config(more: &[&str]) -> Vec<String> {
    let mut ask = Command::new("pkg-config");
    ask.args(more)
        .args(["--cflags", "--libs", "slubmalloc"])
        .env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    run(Heap::Libc, &mut ask, PATIENCE)
        .succeeded()
        .stdout
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

fn with_rpath(mut flags: Vec<String>) -> Vec<String> {
    flags.push(format!("-Wl,-rpath,{}", prefix().join("lib").display()));
    flags
}

fn the_archive() -> Vec<String> {
    let include = format!("-I{}", prefix().join("include").display());
    let archive = prefix().join("lib/libslubmalloc.a").display().to_string();
    vec![include, "-Wl,-u,malloc".to_owned(), archive]
}

fn fully_static(how: &str) -> Vec<String> {
    let mut flags = vec![how.to_owned()];
    flags.extend(pkg_config(&["--static"]));
    flags
}

/// Links `tests/{source}` with these flags, runs it without any preload, and sees who served it.
fn links_and_is_served(source: &str, flags: &[String]) {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let name = std::thread::current().name().unwrap_or("linked").to_owned();
    let program = scratch(&name).join("program");
    compile_to(&program, &[&root().join("tests").join(source)], &flags);

    let quiet = run(Heap::Libc, &mut Command::new(&program), PATIENCE);
    assert!(
        quiet.is_ok() && quiet.stderr.is_empty(),
        "says without being asked: {}",
        quiet.stderr
    );
    let asked = run(
        Heap::Libc,
        Command::new(&program).env("SLUBMALLOC_CONF", "stats:exit"),
        PATIENCE,
    );
    assert!(
        asked.is_ok() && !asked.stderr.trim().is_empty(),
        "slubmalloc did not serve {source} with {flags:?}"
    );
}
