//! Which file takes something from which, and where that runs in a circle.
//!
//! A file takes from the one that defines what it names: what a `mod.rs` only hands on is not of that file. The tests
//! inside of a file may name what they like, and so may a file below a `mod.rs` what that defines: it is the room's own type,
//! whose methods are told in several files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::parser::{Word, blank, words};
use crate::rule::is;

/// The names of files, and for each the files that it takes something from.
pub(crate) type Arrows = BTreeMap<String, BTreeSet<String>>;

/// A file as far as the arrows need it.
#[derive(Default)]
struct Module {
    file: String,
    /// What a name that is imported here stands for: a whole path from the root.
    imported: BTreeMap<String, Vec<String>>,
    /// Paths that its code names, from the root.
    named: Vec<Vec<String>>,
}

/// The arrows between files, each with its name below `src/` and its text.
pub(crate) fn arrows<'a>(files: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Arrows {
    let places: BTreeSet<_> = files.clone().map(|(name, _)| place_of(name)).collect();
    let modules: BTreeMap<_, _> = files
        .map(|(name, text)| (place_of(name), read(name, text, &places)))
        .collect();
    let mut found = Arrows::new();
    for module in modules.values() {
        let from = found.entry(module.file.clone()).or_default();
        for path in &module.named {
            if let Some(file) = defined_in(&modules, path.clone())
                && !is_at_or_above(&file, &module.file)
            {
                from.insert(file);
            }
        }
    }
    found
}

/// The shortest circle through each file that is on one, each told once.
pub(crate) fn circles(arrows: &Arrows) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    for start in arrows.keys() {
        if found.iter().any(|circle| circle.contains(start)) {
            continue;
        }
        let mut before: BTreeMap<&String, &String> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for next in arrows.get(at).into_iter().flatten() {
                if next == start {
                    let mut circle = vec![start.clone()];
                    let mut back = at;
                    while back != start {
                        circle.insert(1, back.clone());
                        back = before[back];
                    }
                    found.push(circle);
                    queue.clear();
                    break;
                }
                if !before.contains_key(next) {
                    before.insert(next, at);
                    queue.push_back(next);
                }
            }
        }
    }
    found
}

/// `arena/mod.rs` is `[arena]`, `arena/buddy.rs` is `[arena, buddy]`, `lib.rs` is `[]`.
fn place_of(name: &str) -> Vec<String> {
    let path = name.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let parts = path.split('/').filter(|part| *part != "lib");
    parts.map(str::to_owned).collect()
}

/// Whether `file` is `other`, or the `mod.rs` of a folder that it lies in.
fn is_at_or_above(file: &str, other: &str) -> bool {
    let folder = file.strip_suffix("mod.rs");
    file == other || folder.is_some_and(|folder| other.starts_with(folder))
}

fn read(name: &str, text: &str, places: &BTreeSet<Vec<String>>) -> Module {
    let code = blank(text);
    let words = without_tests(words(&code));
    let here = place_of(name);
    let mut module = Module {
        file: name.to_owned(),
        ..Module::default()
    };
    let mut handed_on = Vec::new();
    let mut rest = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if words[at].text != "use" {
            rest.push(at);
            at += 1;
            continue;
        }
        let is_public = at > 0 && (words[at - 1].text == ")" || words[at - 1].text == "pub");
        for (alias, path) in imports(&words, &mut at) {
            let path = absolute(path, &here, places, &module.imported);
            if is_public {
                handed_on.push((alias.clone(), path.clone()));
            } else {
                module.named.push(path.clone());
            }
            module.imported.insert(alias, path);
        }
    }
    for (alias, path) in handed_on {
        // A function of that name is what stands in for it.
        let is_used =
            |at: &usize| words[*at].text == alias && !(*at > 0 && is(&words, at - 1, "fn"));
        if rest.iter().any(is_used) {
            module.named.push(path);
        }
    }
    // Paths that begin in the code itself.
    for &at in &rest {
        let begins = is(&words, at + 1, "::") && !(at > 0 && is(&words, at - 1, "::"));
        if begins {
            let mut path = vec![words[at].text.to_owned()];
            let mut next = at + 1;
            while is(&words, next, "::") && next + 1 < words.len() {
                path.push(words[next + 1].text.to_owned());
                next += 2;
            }
            let path = absolute(path, &here, places, &module.imported);
            module.named.push(path);
        }
    }
    module
}

/// The words without `mod tests { … }`.
fn without_tests(words: Vec<Word<'_>>) -> Vec<Word<'_>> {
    let mut kept = Vec::new();
    let mut depth = 0;
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let opens =
            depth > 0 || word.text == "tests" && words.peek().is_some_and(|it| it.text == "{");
        match word.text {
            "{" if depth > 0 => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "tests" if opens && depth == 0 => {
                words.next();
                depth = 1;
            }
            _ => {}
        }
        if !opens {
            kept.push(word);
        }
    }
    kept
}

/// The names that a `use` at `at` brings, with their paths; `at` is after it then.
fn imports(words: &[Word<'_>], at: &mut usize) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut groups: Vec<Vec<String>> = vec![Vec::new()];
    let mut path: Vec<String> = Vec::new();
    let mut alias = None;
    while *at + 1 < words.len() {
        *at += 1;
        match words[*at].text {
            "::" => {}
            "{" => groups.push(path.clone()),
            text @ ("," | "}" | ";") => {
                let group = groups.last().expect("a group");
                if path.len() > group.len() {
                    if path.last().is_some_and(|it| it == "self") {
                        path.pop();
                    }
                    let name = alias.take().or_else(|| path.last().cloned());
                    found.push((name.unwrap_or_default(), path.clone()));
                }
                if text == "}" {
                    // What comes after it is a comma or the end, with nothing more to say.
                    groups.pop();
                }
                if text == ";" {
                    *at += 1;
                    break;
                }
                path.clone_from(groups.last().expect("a group"));
            }
            "as" => {
                *at += 1;
                alias = Some(words[*at].text.to_owned());
            }
            text => path.push(text.to_owned()),
        }
    }
    found
}

/// The path from the root.
fn absolute(
    path: Vec<String>,
    here: &[String],
    places: &BTreeSet<Vec<String>>,
    imported: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let mut base = here.to_vec();
    let mut rest = path.iter().peekable();
    match path[0].as_str() {
        "crate" => {
            base.clear();
            rest.next();
        }
        "super" => {
            while rest.next_if(|it| *it == "super").is_some() {
                base.pop();
            }
        }
        "self" => {
            rest.next();
        }
        first => {
            if let Some(whole) = imported.get(first) {
                base.clone_from(whole);
                rest.next();
            } else {
                let child = [here, &[first.to_owned()]].concat();
                if !places.contains(&child) {
                    return Vec::new();
                }
            }
        }
    }
    base.extend(rest.cloned());
    base
}

/// The file that defines what a path names.
fn defined_in(modules: &BTreeMap<Vec<String>, Module>, mut path: Vec<String>) -> Option<String> {
    // Each step goes to where a name is handed on from.
    for _ in 0..8 {
        let mut depth = path.len();
        while !modules.contains_key(&path[..depth]) {
            depth = depth.checked_sub(1)?;
        }
        let module = &modules[&path[..depth]];
        let next = path.get(depth).and_then(|name| module.imported.get(name));
        match next {
            Some(whole) if !whole.is_empty() => {
                path = [whole, &path[depth + 1..]].concat();
            }
            _ => {
                // A whole module is taken only to name something in it.
                let is_root = depth == 0;
                return (!is_root && depth < path.len()).then(|| module.file.clone());
            }
        }
    }
    None
}
