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
            if !self.0.contains(line) {
                tell(line);
            }
        }
        self.0 = lines.into_iter().collect();
    }
}

/// Prints a line, if the standard error takes it.
pub(crate) fn tell(line: &str) {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "slubctl: {line}");
}
