//! Names of functions as people write them.

use std::fmt::{Error, Result, Write};

use cpp_demangle::{DemangleOptions, Symbol};

/// No name is longer, mangled or not: a short mangled one may stand for gigabytes.
const LONGEST: usize = 4096;

/// Text up to a length.
#[derive(Default)]
struct Limited(String);

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// The name that a symbol of Rust or C++ stands for, without parameters; any other as it is.
pub(super) fn demangle(name: &str) -> String {
    let name: String = name.chars().take(LONGEST).collect();
    let mut found = Limited::default();
    if let Ok(rust) = rustc_demangle::try_demangle(&name) {
        if write!(found, "{rust:#}").is_ok() {
            return printable(&found.0);
        }
    } else if name.starts_with("_Z")
        && let Ok(symbol) = Symbol::new(name.as_bytes())
    {
        let options = DemangleOptions::new().no_params().no_return_type();
        if symbol.structured_demangle(&mut found, &options).is_ok() {
            return printable(&found.0);
        }
    }
    printable(&name)
}

/// A name for terminals.
fn printable(name: &str) -> String {
    crate::memory::printable(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        for (symbol, name) in [
            ("main", "main"),
            ("_ZN6server4keepEm", "server::keep"),
            ("_Z4pushIiEvT_", "push<int>"),
            (
                "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
                "core::fmt::Write::write_fmt",
            ),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_Zbroken", "_Zbroken"),
            ("red\x1b[31m", "red?[31m"),
        ] {
            assert_eq!(demangle(symbol), name);
        }
    }

    /// Each of these doubles what the one before stands for.
    #[test]
    fn a_name_of_gigabytes_is_left_mangled() {
        let mut name = "_Z1fI1aS_".to_owned();
        name.push('E');
        let deep = format!("_Z1f{}i{}", "St4pairI".repeat(200), "S_E".repeat(200));
        for name in [name, deep, "_ZN".repeat(4000)] {
            assert!(demangle(&name).len() <= LONGEST);
        }
    }
}
