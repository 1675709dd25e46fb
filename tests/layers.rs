//! The floor plan: modules see only what lies below them, `unsafe` and `libc` stay in their rooms.
//!
//! The order of the `mod` lines in src/lib.rs is the plan, bottom to top. The parser here knows as much Rust as
//! that takes: it blanks comments and literals, then looks at words and braces.

use std::fs;
use std::path::{Path, PathBuf};

/// The only files under src/ that may hold `unsafe`. A directory's mod.rs above one of them cannot forbid it, as the
/// attribute would reach down; every other file does.
const UNSAFE_FILES: &[&str] = &[
    "arena/record.rs",
    "arena/summary.rs",
    "cache/bin.rs",
    "cache/mod.rs",
    "cache/model.rs",
    "cache/slow.rs",
    "global/life.rs",
    "global/mod.rs",
    "global_alloc.rs",
    "heap/metadata.rs",
    "heap/mod.rs",
    "slab/pools.rs",
    "slab/record.rs",
    "slab/sheaf.rs",
    "sync/lock.rs",
    "sync/once.rs",
    "sync/static_ref.rs",
    "sys/hooks.rs",
    "sys/linux.rs",
    "sys/mapping.rs",
    "sys/memory.rs",
    "sys/prefetch.rs",
    "sys/probe.rs",
    "sys/region.rs",
    "sys/syscall.rs",
    "sys/table.rs",
    "sys/tls/aarch64.rs",
    "sys/tls/x86_64.rs",
    "sys/weak.rs",
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

// The rule.

/// Every `crate::x` and every `super::` that leaves its floor must arrive at a lower one.
fn upward_references(plan: &[String], name: &str, text: &str) -> Vec<String> {
    if name == "lib.rs" {
        return Vec::new();
    }
    let floor = floor_of(name);
    let Some(height) = plan.iter().position(|known| *known == floor) else {
        return vec![format!("src/{name}: `mod {floor};` is not in src/lib.rs")];
    };
    let code = blank(text);
    let words = words(&code);
    let mut faults = Vec::new();
    // One entry per open brace: does it open a module?
    let mut braces = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let start = at;
        at += 1;
        let arrives_at_root = match words[start].text {
            "{" => {
                let is_module = start >= 2 && words[start - 2].text == "mod";
                braces.push(is_module);
                false
            }
            "}" => {
                braces.pop();
                false
            }
            "crate" => is(&words, at, "::"),
            "super" => {
                let mut ups = 1;
                while is(&words, at, "::") && is(&words, at + 1, "super") {
                    ups += 1;
                    at += 2;
                }
                let depth = depth_of(name) + braces.iter().filter(|is_module| **is_module).count();
                ups >= depth && is(&words, at, "::")
            }
            _ => false,
        };
        if !arrives_at_root {
            continue;
        }
        for target in heads(&words, at + 1) {
            let lower = plan.iter().position(|known| *known == target);
            let allowed = lower.is_some_and(|lower| lower <= height);
            if !allowed {
                let line = words[start].line;
                let why = if lower.is_some() {
                    "lies above"
                } else {
                    "is no floor below"
                };
                faults.push(format!("src/{name}:{line}: `{target}` {why} `{floor}`"));
            }
        }
    }
    faults
}

/// The first names of a path, or of each path of a group, that begins at `at`.
fn heads<'a>(words: &[Word<'a>], at: usize) -> Vec<&'a str> {
    if !is(words, at, "{") {
        return words.get(at).map(|word| word.text).into_iter().collect();
    }
    let mut found = Vec::new();
    let mut depth = 0;
    for at in at..words.len() {
        match words[at].text {
            "{" => depth += 1,
            "}" => depth -= 1,
            text if depth == 1 && matches!(words[at - 1].text, "{" | ",") => found.push(text),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

fn is(words: &[Word<'_>], at: usize, text: &str) -> bool {
    words.get(at).is_some_and(|word| word.text == text)
}

fn line_of_word(code: &str, text: &str) -> Option<usize> {
    words(code)
        .iter()
        .find(|word| word.text == text)
        .map(|word| word.line)
}

// The parser.

struct Word<'a> {
    text: &'a str,
    line: usize,
}

/// Identifiers, `::`, and every other character alone.
fn words(code: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if first == '\n' {
            line += 1;
        } else if !first.is_whitespace() {
            found.push(Word {
                text: &rest[..length],
                line,
            });
        }
        rest = &rest[length..];
    }
    found
}

/// The source with comments and literals turned to blanks; lines keep their numbers.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let in_word = before.is_alphanumeric() || before == '_';
        let skipped = if in_word {
            quoted(rest)
        } else {
            quoted(rest).or_else(|| prefixed(rest))
        };
        let length = skipped.unwrap_or(first.len_utf8());
        if skipped.is_some() {
            code.push(' ');
            code.extend(rest[..length].chars().filter(|c| *c == '\n'));
            before = ' ';
        } else {
            code.push(first);
            before = first;
        }
        rest = &rest[length..];
    }
    code
}

/// The length of a comment, string or character at the start of `rest`.
fn quoted(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if rest.starts_with('"') {
        return Some(until_quote(rest, '"'));
    }
    let after = rest.strip_prefix('\'')?;
    let inner = after.chars().next()?;
    // `'a'` and `'\n'` are characters, `'a` is a lifetime.
    (inner == '\\' || after[inner.len_utf8()..].starts_with('\'')).then(|| until_quote(rest, '\''))
}

/// The length of a literal with a prefix: b"", c"", b'', r"", r#""#, br#""#, cr#""#.
fn prefixed(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r"]
        .into_iter()
        .find(|prefix| rest.starts_with(prefix))?;
    let after = &rest[prefix.len()..];
    if !prefix.ends_with('r') {
        return after
            .starts_with(['"', '\''])
            .then(|| quoted(after))
            .flatten()
            .map(|length| length + prefix.len());
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body
        .find(&end)
        .map_or(body.len(), |found| found + end.len());
    Some(prefix.len() + hashes + 1 + length)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn until_quote(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

// The rule and the parser on made-up sources.

fn faults(name: &str, text: &str) -> usize {
    let plan = ["units", "sys", "arena", "heap"].map(str::to_owned);
    upward_references(&plan, name, text).len()
}

#[test]
fn an_upward_import_is_found() {
    assert_eq!(faults("arena/buddy.rs", "use crate::heap::Heap;"), 1);
    assert_eq!(faults("arena.rs", "fn f() { crate::heap::g() }"), 1);
    assert_eq!(
        faults(
            "sys/mod.rs",
            "use crate::{units::Order, arena::{Arena, Span}, heap};"
        ),
        2
    );
    assert_eq!(
        faults("arena/buddy.rs", "use crate::Heap;"),
        1,
        "a re-export of the roof"
    );
    assert_eq!(faults("arena/buddy.rs", "use crate::*;"), 1);
}

#[test]
fn downward_and_sideways_imports_are_fine() {
    assert_eq!(
        faults(
            "arena/buddy.rs",
            "use crate::units::Order;\nuse crate::arena::span::Span;"
        ),
        0
    );
    assert_eq!(
        faults(
            "heap/mod.rs",
            "use crate::{\n    arena::{Arena, Span},\n    units,\n};\npub(crate) fn f() {}"
        ),
        0
    );
    assert_eq!(faults("lib.rs", "pub use crate::heap::Heap;"), 0);
}

#[test]
fn super_may_not_escape_upwards() {
    assert_eq!(
        faults(
            "arena/buddy.rs",
            "use super::span::Span; pub(super) fn f() {}"
        ),
        0
    );
    assert_eq!(faults("arena/buddy.rs", "use super::super::heap::Heap;"), 1);
    assert_eq!(
        faults("arena/buddy.rs", "use super::super::units::Order;"),
        0
    );
    assert_eq!(faults("arena/mod.rs", "use super::heap::Heap;"), 1);
    assert_eq!(
        faults(
            "arena.rs",
            "mod tests { use super::*; use super::super::units; }"
        ),
        0
    );
    assert_eq!(
        faults(
            "arena.rs",
            "mod tests { use super::super::heap; } use super::heap::Heap;"
        ),
        2
    );
}

#[test]
fn comments_and_literals_are_not_code() {
    assert_eq!(
        faults(
            "arena.rs",
            "/// See [`crate::heap`].\n//! crate::heap\n/* /* */ crate::heap::x */"
        ),
        0
    );
    assert_eq!(
        faults(
            "arena.rs",
            r####"const A: &str = "\"crate::heap"; const B: &str = r#"" crate::heap::x"#;"####
        ),
        0
    );
    assert_eq!(
        faults(
            "arena.rs",
            "fn f<'a>(x: &'a u8) { let c = '\"'; crate::heap::x(); let d = b'\\''; }"
        ),
        1
    );
    assert_eq!(
        line_of_word(
            &blank("// unsafe\n\"unsafe\\\n unsafe\"\nforbid(unsafe_code);\nunsafe {}"),
            "unsafe"
        ),
        Some(5)
    );
    assert_eq!(
        line_of_word(
            &blank("br#\"unsafe\"# c\"unsafe\" libr\"unsafe\""),
            "unsafe"
        ),
        None
    );
}

#[test]
fn module_lines_are_read_in_order() {
    let text = "//! mod no;\nmod units;\n#[cfg(loom)]\npub(crate) mod sys;\nmod inline { }\npub mod heap;\nmod units;";
    assert_eq!(declared_modules(text), ["units", "sys", "heap"]);
}

#[test]
fn a_directory_above_unsafe_is_known() {
    assert!(
        is_above_unsafe("lib.rs")
            && is_above_unsafe("sys/mod.rs")
            && is_above_unsafe("sys/tls/mod.rs")
    );
    assert!(is_above_unsafe("sys.rs") && !is_above_unsafe("units.rs") && !is_above_unsafe("sy.rs"));
    assert!(!is_above_unsafe("numa/mod.rs") && !is_above_unsafe("sys/tls/x86.rs"));
}
