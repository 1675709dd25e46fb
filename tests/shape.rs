//! The shape of the built shared library: what it exports, what it needs, what must not be inside.
//!
//! The library is built here, so what is looked at is never yesterday's file.

mod support;
#[path = "shape/symbols.rs"]
mod symbols;

use std::collections::BTreeSet;
use std::fs;

use support::{checks_library, library, output_of, root};
use symbols::{EXPORTS, IMPORTS};

/// The newest glibc whose symbols may be asked for, as (major, minor).
const NEWEST_GLIBC: (u32, u32) = (2, 17);

/// Messages of `core`'s own panics: one of them in the file means that a formatting panic path is linked.
const PANIC_TEXTS: &[&str] = &[
    "index out of bounds",
    "called `Option::unwrap",
    "called `Result::unwrap",
    "out of range for slice",
    "attempt to divide by zero",
    "panicked at",
];

/// Of which the kernel's interface takes some 68 KiB, pools, all of whose code but their fast paths lies apart, 35, and the heap
/// profile 12.
const MOST_TEXT_BYTES: usize = 376 * 1024;

#[test]
fn exports_are_the_list() {
    let mut exported: Vec<&str> = dynamic_symbols("--defined-only")
        .map(|symbol| symbol.name)
        .collect();
    exported.sort_unstable();
    let mut expected = EXPORTS.to_vec();
    expected.sort_unstable();
    let missing: Vec<_> = expected
        .iter()
        .filter(|name| !exported.contains(name))
        .collect();
    let unlisted: Vec<_> = exported
        .iter()
        .filter(|name| !expected.contains(name))
        .collect();
    assert!(
        missing.is_empty() && unlisted.is_empty(),
        "missing: {missing:?}\nnot on the list: {unlisted:?}"
    );
}

#[test]
fn rust_unwinding_stays_private() {
    // Exported, it would replace the real one in every Rust library of the process.
    assert!(dynamic_symbols("--defined-only").all(|symbol| symbol.name != "rust_eh_personality"));
}

#[test]
fn imports_are_on_the_list() {
    for symbol in dynamic_symbols("--undefined-only") {
        // A weak symbol may be absent, so any is welcome; a strong one must exist in every supported glibc.
        let strong = symbol.kind == "U";
        assert!(
            !strong || IMPORTS.contains(&symbol.name),
            "{} is imported and not on the list",
            symbol.name
        );
        assert_ne!(
            symbol.name, "__tls_get_addr",
            "thread-local storage must be initial-exec"
        );
        if let Some(version) = symbol.version.strip_prefix("GLIBC_") {
            let mut numbers = version
                .split('.')
                .map(|number| number.parse::<u32>().expect("a version"));
            let version = (
                numbers.next().expect("major"),
                numbers.next().expect("minor"),
            );
            assert!(
                version <= NEWEST_GLIBC,
                "{} needs glibc {version:?}",
                symbol.name
            );
        }
    }
}

#[test]
fn needs_libc_and_nothing_else() {
    let needed: Vec<_> = dynamic_section()
        .into_iter()
        .filter(|line| line.contains("(NEEDED)"))
        .collect();
    assert_eq!(needed.len(), 1, "{needed:#?}");
    assert!(needed[0].ends_with("[libc.so.6]"), "{needed:#?}");
}

#[test]
fn the_soname_has_the_major_version() {
    let soname = dynamic_entry("(SONAME)");
    let name = concat!("[libslubmalloc.so.", env!("CARGO_PKG_VERSION_MAJOR"), "]");
    assert!(soname.ends_with(name), "{soname}");
}

#[test]
fn a_loaded_note_tells_where_the_directory_is() {
    let notes = tool("readelf", &["--notes", "--wide"]);
    let note = notes.lines().find(|line| line.contains("slubmalloc "));
    assert!(
        note.is_some_and(|line| line.contains("0x00000008")),
        "{notes}"
    );
    let sections = sections();
    let section = sections.iter().find(|it| it.name == ".note.slubmalloc");
    assert!(section.is_some_and(|it| it.is_loaded && it.bytes == 32));
}

#[test]
fn tracepoints_are_those_of_the_page() {
    let notes = tool("readelf", &["--notes", "--wide"]);
    let parts = notes.split("Provider: slubmalloc\n").skip(1);
    let value = |part: &str, key: &str| {
        let line = part
            .lines()
            .find_map(|line| line.trim().strip_prefix(key).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {key} {part}"))
    };
    let found: BTreeSet<(String, usize)> = parts
        .map(|part| {
            let arguments = value(part, "Arguments: ");
            (value(part, "Name: "), arguments.split(' ').count())
        })
        .collect();
    let page = fs::read_to_string(root().join("docs/tracing.md")).expect("the page");
    // "| `name` | `first`, `second` | … |"
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<(String, usize)> = rows
        .map(|row| {
            let mut cells = row.split(" | ");
            let name = cells.next().expect("a name").trim_end_matches('`');
            let arguments = cells.next().expect("arguments");
            (name.to_owned(), arguments.split(", ").count())
        })
        .collect();
    assert!(found.len() > 10);
    assert_eq!(found, told);
}

#[test]
fn is_never_unloaded() {
    let flags = dynamic_entry("(FLAGS_1)");
    assert!(flags.contains("NODELETE"), "{flags}");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn thread_local_storage_is_static() {
    let flags = dynamic_entry("(FLAGS)");
    assert!(flags.contains("STATIC_TLS"), "{flags}");
}

#[test]
fn thread_local_storage_is_one_pointer() {
    let headers = tool("readelf", &["--program-headers", "--wide"]);
    let segments: Vec<_> = headers
        .lines()
        .filter(|line| line.split_whitespace().next() == Some("TLS"))
        .collect();
    assert_eq!(segments.len(), 1, "{headers}");
    // Type, offset, virtual address, physical address, size in the file, size in memory.
    let size = segments[0]
        .split_whitespace()
        .nth(5)
        .expect("a size in memory");
    assert_eq!(number(size), 8, "{}", segments[0]);
}

#[test]
fn holds_no_formatting() {
    let symbols = tool("nm", &[]);
    assert!(
        symbols.contains(" t "),
        "stripped: nothing can be said about what is inside"
    );
    // Both manglings of `core::fmt`, as a path and as a type's path in an impl.
    let formatting: Vec<_> = symbols
        .lines()
        .filter(|line| line.contains("4core3fmt") || line.contains("core..fmt"))
        .collect();
    assert!(formatting.is_empty(), "{formatting:#?}");

    let file = fs::read(library()).expect("the library");
    for section in sections().iter().filter(|section| section.is_loaded) {
        let bytes = &file[section.offset..section.offset + section.bytes];
        for text in PANIC_TEXTS {
            let found = bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes());
            assert!(!found, "{text:?} in {}", section.name);
        }
    }
}

#[test]
fn is_small() {
    // What is called often, and what hardly ever, has sections of its own.
    let code = sections();
    let code = code.iter().filter(|it| it.name.starts_with(".text"));
    let bytes: usize = code.map(|section| section.bytes).sum();
    assert!(
        bytes > 0 && bytes < MOST_TEXT_BYTES,
        "{bytes} bytes of code"
    );
}

#[test]
fn what_hardly_any_program_runs_lies_apart() {
    let sections = sections();
    let rare = sections.iter().find(|it| it.name == ".text.rare");
    let rare = rare.expect("a section");
    // Half of it would mean that names have changed and `cdylib/rare.ld` has not.
    assert!(rare.bytes > 80 << 10, "{} bytes", rare.bytes);
    let symbols = tool("nm", &["--dynamic", "--defined-only"]);
    let is_rare = |name: &str| {
        let line = symbols.lines().find(|line| line.ends_with(name));
        let address = number(
            line.expect(name)
                .split_whitespace()
                .next()
                .expect("an address"),
        );
        (rare.address..rare.address + rare.bytes).contains(&address)
    };
    for name in [" malloc_info", " slub_kmalloc", " slubmalloc_stats_json"] {
        assert!(is_rare(name), "{name}");
    }
    for name in [" malloc", " free", " realloc", " calloc"] {
        assert!(!is_rare(name), "{name}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_fast_path_is_the_stored_one() {
    checks_library("fast-path.sh", &[]);
}

#[test]
fn the_header_has_the_version_of_the_package() {
    let path = root().join("cdylib/include/slubmalloc.h");
    let header = fs::read_to_string(path).expect("the header");
    for (part, value) in [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        let line = format!("#define SLUBMALLOC_VERSION_{part} {value}");
        assert!(
            header.lines().any(|found| found == line),
            "no line {line:?} in slubmalloc.h"
        );
    }
}

/// The output of one of the binutils on the library.
fn tool(name: &str, arguments: &[&str]) -> String {
    output_of(name, arguments, library())
}

struct Symbol {
    name: &'static str,
    /// `nm`'s letter: `U` undefined, `w` weak and undefined, …
    kind: &'static str,
    /// `GLIBC_2.17`, or empty.
    version: &'static str,
}

fn dynamic_symbols(which: &str) -> impl Iterator<Item = Symbol> + use<> {
    let lines: &'static str = tool("nm", &["--dynamic", "--format=posix", which]).leak();
    lines.lines().map(|line| {
        let (name, rest) = line.split_once(' ').expect("name and kind");
        let (name, version) = name.split_once('@').unwrap_or((name, ""));
        let kind = rest.split(' ').next().expect("kind");
        Symbol {
            name,
            kind,
            version: version.trim_start_matches('@'),
        }
    })
}

fn dynamic_section() -> Vec<String> {
    tool("readelf", &["--dynamic", "--wide"])
        .lines()
        .map(str::to_owned)
        .collect()
}

fn dynamic_entry(tag: &str) -> String {
    dynamic_section()
        .into_iter()
        .find(|line| line.contains(tag))
        .unwrap_or_else(|| panic!("no {tag}"))
}

struct Section {
    name: String,
    address: usize,
    offset: usize,
    bytes: usize,
    /// In memory at run time, and in the file.
    is_loaded: bool,
}

fn sections() -> Vec<Section> {
    let headers = tool("readelf", &["--section-headers", "--wide"]);
    let mut found = Vec::new();
    for line in headers.lines() {
        // "  [12] .text  PROGBITS  address offset size entsize flags …"
        let Some((_, row)) = line.split_once(']') else {
            continue;
        };
        let fields: Vec<_> = row.split_whitespace().collect();
        if fields.len() < 7 || !fields[0].starts_with('.') {
            continue;
        }
        let is_loaded =
            fields[1] != "NOBITS" && fields.get(6).is_some_and(|flags| flags.contains('A'));
        found.push(Section {
            name: fields[0].to_owned(),
            address: number(fields[2]),
            offset: number(fields[3]),
            bytes: number(fields[4]),
            is_loaded,
        });
    }
    assert!(found.iter().any(|section| section.is_loaded), "{headers}");
    found
}

fn number(hexadecimal: &str) -> usize {
    let digits = hexadecimal.trim_start_matches("0x");
    usize::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("{hexadecimal}: {error}"))
}
