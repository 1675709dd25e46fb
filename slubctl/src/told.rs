//! What is said of processes that cannot be read: lines on the standard error, none of them twice in a row.

use std::collections::HashSet;
use std::io::Write;

/// The lines of the last look.
#[derive(Debug, Default)]
pub(crate) struct Told(HashSet<String>);

impl Told {
    /// Prints those lines that the look before did not have.
    pub(crate) fn tell(&mut self, lines: Vec<String>) {
        for line in &lines {
            if !self.0.contains(key(line)) {
                tell(line);
            }
        }
        self.0 = lines.iter().map(|line| key(line).to_owned()).collect();
    }
}

/// What makes a line another one: of a line that counts processes and names some, neither, for those come and go.
fn key(line: &str) -> &str {
    let what = line.trim_start_matches(|it: char| it.is_ascii_digit());
    match what.len() == line.len() {
        true => line,
        false => what
            .split('(')
            .next()
            .unwrap_or(what)
            .trim_start_matches(" process")
            .trim_start_matches("es"),
    }
}

/// Prints a line, if the standard error takes it.
pub(crate) fn tell(line: &str) {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "slubctl: {line}");
}
