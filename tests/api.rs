//! The library without the names of malloc's: its shape, and that copies of the library keep apart.
#![cfg(not(any(miri, loom)))]

mod support;
#[path = "shape/symbols.rs"]
mod symbols;

use core::time::Duration;
use std::fs;
use std::process::Command;

use support::{Heap, api_library, compile, library, output_of, root, run};
use symbols::{EXPORTS, IMPORTS};

const PATIENCE: Duration = Duration::from_secs(60);
const SIGABRT: i32 = 6;

#[test]
fn exports_are_those_of_the_header_and_none_of_malloc_s() {
    let names = symbols("--defined-only");
    let mut exported: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
    exported.sort_unstable();
    let own = EXPORTS.iter().copied().filter(|it| it.starts_with("slub"));
    let mut expected: Vec<&str> = own.collect();
    expected.sort_unstable();
    assert_eq!(exported, expected);
}

#[test]
fn imports_are_old_and_on_the_list() {
    for (kind, symbol) in symbols("--undefined-only") {
        let (name, version) = symbol.split_once('@').unwrap_or((&symbol, ""));
        assert!(kind != "U" || IMPORTS.contains(&name), "{symbol}");
        assert_ne!(name, "__tls_get_addr");
        if let Some(version) = version.trim_start_matches('@').strip_prefix("GLIBC_2.") {
            let minor: u32 = version
                .split('.')
                .next()
                .unwrap()
                .parse()
                .expect("a version");
            assert!(minor <= 17, "{symbol}");
        }
    }
    let dynamic = output_of("readelf", &["--dynamic", "--wide"], api_library());
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    assert!(needed.eq(dynamic.lines().filter(|line| line.contains("[libc.so.6]"))));
    let soname = concat!(
        "[libslubmalloc-api.so.",
        env!("CARGO_PKG_VERSION_MAJOR"),
        "]"
    );
    assert!(
        dynamic.contains(soname) && dynamic.contains("NODELETE"),
        "{dynamic}"
    );
}

#[test]
fn copies_know_only_their_own_blocks() {
    for (what, words) in [
        ("sizes", ""),
        ("free", "invalid free"),
        ("free-large", "invalid free"),
        ("free-huge", "invalid free"),
        ("free-object", "invalid free"),
        ("kfree", "invalid free"),
        ("realloc", "invalid free"),
        ("cache-free", "of no named cache was freed to \"twos\""),
        ("handle-alloc", "unknown cache 0x"),
        ("handle-alloc-early", "unknown cache 0x"),
        ("handle-free", "unknown cache 0x"),
        ("sheaf-alloc", "unknown cache 0x"),
        ("sheaf-return", "unknown sheaf 0x"),
        ("sheaf-size", "unknown sheaf 0x"),
        ("sheaf-alloc-own", "unknown sheaf 0x"),
        ("sheaf-refill", "unknown sheaf 0x"),
        ("sheaf-refill-more", "unknown sheaf 0x"),
        ("pool-alloc", "unknown cache 0x"),
        ("pool-create", "unknown cache 0x"),
        ("handle-destroy", "unknown cache 0x"),
    ] {
        // A second copy of the same library, and one that has malloc's names as well.
        let copy = api_library().with_file_name("libslubmalloc-copy.so");
        fs::copy(api_library(), &copy).expect("a copy");
        for other in [copy.as_path(), library()] {
            for files in [[api_library(), other], [other, api_library()]] {
                let include = format!("-I{}", root().join("cdylib/include").display());
                let program = compile("kmem/copies.c", &[&include, "-ldl"]);
                let mut command = Command::new(program);
                let finished = run(Heap::Libc, command.args(files).arg(what), PATIENCE);
                let error = &finished.stderr;
                if words.is_empty() {
                    assert_eq!(finished.status.code(), Some(0), "{what}: {error}");
                    continue;
                }
                assert_eq!(finished.signal(), Some(SIGABRT), "{what}: {error}");
                assert!(finished.report().contains(words), "{what}: {error}");
            }
        }
    }
}

/// Dynamic symbols: their kinds and names.
fn symbols(which: &str) -> Vec<(String, String)> {
    let text = output_of("nm", &["--dynamic", "--format=posix", which], api_library());
    let words = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        Some((words.next()?.to_owned(), name))
    });
    words.filter(|(kind, _)| kind != "A").collect()
}
