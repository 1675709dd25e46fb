//! The pages for users: that links lead somewhere, and that keys, rows and examples are those of the library.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};
use support::{Heap, compile, libc_allowed, root, run, skipped};

const PATIENCE: Duration = Duration::from_secs(30);

/// What fits on a screen and a half, tables included.
const MOST_README_LINES: usize = 85;

#[test]
fn links_lead_to_files_and_headings() {
    let mut faults = Vec::new();
    for page in pages() {
        let text = read(&page);
        for link in links(&text) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = match file {
                "" => page.clone(),
                _ => page.parent().expect("a folder").join(file),
            };
            let is_there = match heading {
                "" => file.exists(),
                _ => file.exists() && headings(&read(&file)).contains(heading),
            };
            if !is_there {
                faults.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_page_can_be_reached_from_the_first() {
    let readme = read(&root().join("README.md"));
    for page in folder("docs") {
        let name = page.strip_prefix(root()).expect("a page of ours");
        let link = format!("({})", name.display());
        assert!(readme.contains(&link), "README.md has no link {link}");
    }
}

#[test]
fn the_first_page_is_short() {
    let lines = read(&root().join("README.md")).lines().count();
    assert!(lines <= MOST_README_LINES, "{lines} lines");
}

#[test]
fn the_page_of_options_has_the_keys_and_defaults_of_the_library() {
    if libc_allowed() {
        return skipped("on libc: there is no list of keys");
    }
    let help = said_with("help:1");
    let page = read(&root().join("docs/options.md"));
    // Lines of the help with a key begin in the third column, `key` is their head.
    let rows = help.lines().skip(2).filter_map(|it| it.strip_prefix("  "));
    let rows: Vec<_> = rows.filter(|it| !it.starts_with(' ')).collect();
    assert!(rows.len() > 10, "{help}");
    let documented: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|it| it.strip_prefix("| `"))
        .map(|it| it.split(" | ").collect())
        .filter(|cells: &Vec<&str>| cells.len() == 4)
        .collect();
    let names = |cells: &[&str]| cells[0].trim_end_matches('`').to_owned();
    let in_page: Vec<_> = documented.iter().map(|cells| names(cells)).collect();
    let in_help: Vec<_> = rows
        .iter()
        .filter_map(|it| it.split_whitespace().next())
        .collect();
    assert_eq!(in_page, in_help);
    for (row, cells) in rows.iter().zip(&documented) {
        let columns: Vec<_> = row.split("  ").filter(|it| !it.is_empty()).collect();
        let default = columns[1].trim();
        assert_eq!(cells[2].replace('`', ""), default, "{row}");
    }
}

#[test]
fn examples_are_understood() {
    if libc_allowed() {
        return skipped("on libc: nothing is configured");
    }
    let keys = keys();
    let mut examples = BTreeSet::new();
    for page in pages() {
        let text = read(&page);
        for part in text.split("SLUBMALLOC_CONF=").skip(1) {
            let (quote, value) = match part.chars().next() {
                Some(quote @ ('\'' | '"')) => (quote, &part[1..]),
                _ => ('`', part),
            };
            let is_end = |it: char| it == quote || (quote == '`' && it.is_whitespace());
            examples.extend(value.split(is_end).next().map(str::to_owned));
        }
        let is_pair = |it: &&str| {
            it.split_once(':')
                .is_some_and(|(key, _)| keys.contains(key))
        };
        examples.extend(inline_code(&text).filter(is_pair).map(str::to_owned));
    }
    // What stands for something else is in capitals, or left out.
    let is_whole = |it: &&String| {
        let stands_for = ["SIZE", "FILE", "NAME", "VALUE", "1/N", "N,N", "key:", "…"];
        !it.ends_with(':') && !stands_for.iter().any(|word| it.contains(word))
    };
    let examples: Vec<_> = examples.iter().filter(is_whole).collect();
    assert!(examples.len() > 15, "{examples:?}");
    for example in examples {
        let example = example.replace("/tmp/", concat!(env!("CARGO_TARGET_TMPDIR"), "/pages-"));
        let said = said_with(&example);
        let complaint = said
            .lines()
            .find(|it| it.contains("SLUBMALLOC_CONF: ") && !it.ends_with("the keys are"));
        assert_eq!(complaint, None, "{example}");
    }
}

#[test]
fn every_row_and_column_of_the_statistics_is_explained() {
    if libc_allowed() {
        return skipped("on libc: there are no statistics");
    }
    let page = read(&root().join("docs/statistics.md"));
    let said = said_with("stats:exit,limit:64m");
    let mut names = Vec::new();
    for line in said.lines() {
        if let Some(row) = line.strip_prefix("  ") {
            names.extend(row.split("  ").next());
        } else if line.starts_with("cache ") {
            names.extend(line.split("  ").map(str::trim).filter(|it| !it.is_empty()));
        }
    }
    assert!(names.len() > 15, "{said}");
    for name in names {
        let row = format!("| `{}` |", name.trim());
        assert!(page.contains(&row), "no row {row}");
    }
}

#[test]
fn the_pages_name_the_version() {
    let readme = read(&root().join("docs/install.md"));
    let library = concat!("libslubmalloc.so.", env!("CARGO_PKG_VERSION"), "`");
    assert!(readme.contains(library), "no {library}");
    let changes = read(&root().join("CHANGELOG.md"));
    assert!(changes.contains("\n## [Unreleased]\n"), "{changes}");
}

#[test]
fn the_crate_is_the_source_and_the_pages() {
    let mut list = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    list.args(["package", "--list", "--allow-dirty", "-p", "slubmalloc"]);
    let listed = run(Heap::Libc, list.current_dir(root()), PATIENCE).succeeded();
    for file in ["src/lib.rs", "docs/rust.md", "README.md", "LICENSE-MIT"] {
        assert!(listed.stdout.lines().any(|it| it == file), "no {file}");
    }
    let is_kept_out = |it: &str| {
        let folders = ["tests/", "bench/", "scripts/", "cdylib/", "proptest"];
        folders.iter().any(|folder| it.starts_with(folder))
    };
    let others: Vec<_> = listed.stdout.lines().filter(|it| is_kept_out(it)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn every_function_of_the_header_has_its_entry_in_a_manual_page() {
    let header = functions_of(&read(&root().join("cdylib/include/slubmalloc.h")));
    assert!(header.len() > 60, "{header:?}");
    let mut entries = BTreeSet::new();
    for page in ["slubmalloc", "slub_kmalloc", "slub_kmem_cache", "slub_pool"] {
        let text = read(&root().join(format!("docs/{page}.3")));
        let section = |name: &str| {
            let rest = text.split(&format!(".SH {name}\n")).nth(1);
            rest.and_then(|it| it.split("\n.SH ").next()).expect(name)
        };
        let (names, _) = section("NAME").split_once("\\-").expect("what it is");
        for name in names.split(',').map(str::trim) {
            assert!(entries.insert(name.to_owned()), "{name} is in two pages");
            let (synopsis, description) = (section("SYNOPSIS"), section("DESCRIPTION"));
            let is_declared = [' ', '*']
                .iter()
                .any(|it| synopsis.contains(&format!("{it}{name}(")));
            assert!(is_declared, "{page}(3) does not declare {name}");
            let is_told = description.contains(&format!(".BR {name} ("));
            assert!(is_told, "{page}(3) does not tell what {name} does");
        }
    }
    assert_eq!(entries, header);
}

/// The functions that a header of C declares.
fn functions_of(header: &str) -> BTreeSet<String> {
    let mut code = String::new();
    for part in header.split("/*") {
        code += part.split_once("*/").map_or(part, |(_, rest)| rest);
    }
    let lines = code.lines().filter(|it| !it.starts_with('#'));
    let code = lines.collect::<Vec<_>>().join(" ");
    let is_name = |it: &&str| it.starts_with("slub") || it.starts_with("free_");
    let name_of = |declaration: &str| {
        let mut words = declaration
            .split('(')
            .filter_map(|it| it.rsplit([' ', '*']).next());
        words.find(is_name).map(str::to_owned)
    };
    let declared = code
        .split(';')
        .filter(|it| it.contains("SLUBMALLOC_NOTHROW"));
    declared.filter_map(name_of).collect()
}

/// The pages that people write.
fn pages() -> Vec<PathBuf> {
    let mut pages = folder(".");
    pages.extend(folder("docs"));
    pages.extend(["src/README.md", "bench/README.md"].map(|it| root().join(it)));
    pages
}

fn folder(name: &str) -> Vec<PathBuf> {
    let dir = match name {
        "." => root().to_owned(),
        _ => root().join(name),
    };
    let files = fs::read_dir(dir).expect("a folder");
    let files = files.map(|it| it.expect("a file").path());
    let mut pages: Vec<_> = files
        .filter(|it| it.extension().is_some_and(|it| it == "md"))
        .collect();
    pages.sort();
    assert!(!pages.is_empty());
    pages
}

fn read(page: &Path) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

/// The targets of links and pictures.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split("](").skip(1);
    parts.filter_map(|part| part.split([')', ' ', '\n']).next())
}

/// The anchors of a page's headings.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let anchor = |title: String| {
        let kept = |it: &char| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_');
        title
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    titles.map(anchor).collect()
}

/// What stands between backticks, in one line.
fn inline_code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The names of all keys.
fn keys() -> BTreeSet<String> {
    let help = said_with("help:1");
    let rows = help.lines().skip(2).filter_map(|it| it.strip_prefix("  "));
    let keys = rows.filter(|it| !it.starts_with(' '));
    keys.filter_map(|it| it.split(' ').next().map(str::to_owned))
        .collect()
}

/// Standard error of a small program with this configuration.
fn said_with(conf: &str) -> String {
    let mut command = Command::new(compile("c/small_work.c", &[]));
    command.env("SLUBMALLOC_CONF", conf);
    run(Heap::Slubmalloc, &mut command, PATIENCE).stderr
}
