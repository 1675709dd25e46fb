//! As much Rust as the floor plan takes: comments and literals become blanks, the rest words and braces.

pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// Identifiers, `::`, and every other character by itself.
pub(crate) fn words(code: &str) -> Vec<Word<'_>> {
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
pub(crate) fn blank(text: &str) -> String {
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
pub(crate) fn quoted(rest: &str) -> Option<usize> {
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
pub(crate) fn prefixed(rest: &str) -> Option<usize> {
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

pub(crate) fn block_comment(rest: &str) -> usize {
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

pub(crate) fn until_quote(rest: &str, quote: char) -> usize {
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
