//! Where the source asks the kernel or libc for something.
#![forbid(unsafe_code)]

extern crate std;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, fs};

/// All places in src/sys and its folders where the kernel or libc is called: the words `call` and `ask`, if they come
/// from `syscall`, before a parenthesis.
pub(super) fn places() -> BTreeSet<(String, u32, u32)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut places = BTreeSet::new();
    for path in files_below(root.join("src/sys")) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        let is_left_out = ["/syscall.rs", "/tests.rs"]
            .iter()
            .any(|end| name.ends_with(end));
        if is_left_out || name.contains("/faults") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        let imports = code
            .lines()
            .find(|line| line.starts_with("use ") && line.contains("::syscall::"));
        let Some(imports) = imports else {
            assert!(
                !code.contains("syscall::"),
                "{name} names calls in a way that is not looked for"
            );
            continue;
        };
        for word in ["call", "ask"]
            .into_iter()
            .filter(|word| has_word(imports, word))
        {
            for (line, text) in (1..).zip(code.lines()) {
                let text = text.split("//").next().unwrap_or_default();
                for column in uses_of(word, text) {
                    places.insert((name.to_string(), line, column));
                }
            }
        }
    }
    assert!(places.len() > 30);
    places
}

fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files_below(path),
            false => std::vec![path],
        })
        .collect()
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|it| it == word)
}

/// The columns, counted from 1, where `word` is called.
fn uses_of(word: &str, text: &str) -> Vec<u32> {
    let opening = format!("{word}(");
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let found = text.match_indices(&opening).map(|(at, _)| at);
    let whole = found.filter(|at| !text[..*at].ends_with(is_part) && !text[..*at].ends_with("fn "));
    whole
        .map(|at| text[..at].chars().count() as u32 + 1)
        .collect()
}
