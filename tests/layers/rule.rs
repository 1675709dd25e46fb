//! The rule: a path that leaves its floor arrives at a lower one.

use crate::parser::{Word, blank, words};
use crate::{depth_of, floor_of};

/// Every `crate::x` and every `super::` that leaves its floor must arrive at a lower one.
pub(crate) fn upward_references(plan: &[String], name: &str, text: &str) -> Vec<String> {
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
pub(crate) fn heads<'a>(words: &[Word<'a>], at: usize) -> Vec<&'a str> {
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

pub(crate) fn is(words: &[Word<'_>], at: usize, text: &str) -> bool {
    words.get(at).is_some_and(|word| word.text == text)
}

pub(crate) fn line_of_word(code: &str, text: &str) -> Option<usize> {
    words(code)
        .iter()
        .find(|word| word.text == text)
        .map(|word| word.line)
}
