//! A place in the source of a program.

/// A place in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// The function.
    pub function: String,
    /// Its file, empty if that is not known.
    pub file: String,
    /// The line, 0 if it is not known.
    pub line: u32,
}

impl Location {
    /// A function of which no more is known.
    pub(super) fn of(function: String) -> Self {
        Self {
            function,
            ..Self::default()
        }
    }

    /// `file:line`, or as much of that as is known.
    pub fn place(&self) -> String {
        match (self.file.as_str(), self.line) {
            ("", _) => String::new(),
            (file, 0) => file.to_owned(),
            (file, line) => format!("{file}:{line}"),
        }
    }
}
