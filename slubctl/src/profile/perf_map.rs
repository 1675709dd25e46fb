//! The functions that a JIT compiler has made, as it says in `/tmp/perf-PID.map` (the kernel's
//! tools/perf/Documentation/jit-interface.txt).

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use crate::memory::printable;

/// No such file is longer, and no line of it.
const LONGEST: u64 = 256 << 20;
const LONGEST_LINE: usize = 4096;

/// Functions by address; of those with one beginning the last counts.
#[derive(Debug, Default)]
pub(super) struct PerfMap(Vec<(u64, u64, String)>);

impl PerfMap {
    /// What the file says.
    pub(super) fn read(file: File) -> Self {
        Self::parse(BufReader::new(file.take(LONGEST)))
    }

    fn parse(mut text: impl BufRead) -> Self {
        let (mut found, mut line) = (Vec::new(), Vec::new());
        while matches!(text.read_until(b'\n', &mut line), Ok(1..)) {
            if line.len() <= LONGEST_LINE {
                found.extend(function(&String::from_utf8_lossy(&line)));
            }
            line.clear();
        }
        // Stable: what came later stays last.
        found.sort_by_key(|(start, _, _)| *start);
        Self(found)
    }

    /// The function that an address is in.
    pub(super) fn find(&self, address: u64) -> Option<&str> {
        let after = self.0.partition_point(|(start, _, _)| *start <= address);
        let (start, size, name) = self.0.get(after.checked_sub(1)?)?;
        (address - start < *size).then_some(name)
    }
}

/// Beginning and size in hexadecimal, and a name.
fn function(line: &str) -> Option<(u64, u64, String)> {
    let mut parts = line.trim_end().splitn(3, ' ');
    let mut number = || {
        let digits = parts.next()?;
        u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    Some((start, size, printable(parts.next()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_two_functions_at_one_address_counts() {
        let text = "1000 20 first\n2000 10 LazyCompile:*f file.js:3:1\nwrong\n1000 30 second one\n";
        let map = PerfMap::parse(text.as_bytes());
        assert_eq!(map.find(0x102f), Some("second one"));
        assert_eq!(map.find(0x1030), None);
        assert_eq!(map.find(0x2000), Some("LazyCompile:*f file.js:3:1"));
        assert_eq!(map.find(0xfff), None);
    }
}
