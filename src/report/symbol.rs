//! Where code comes from: the module and function of an address.
#![forbid(unsafe_code)]

use core::ffi::CStr;

use crate::sys;

/// The longest path that is remembered.
const MOST_PATH: usize = 200;

/// A file that is mapped into the process, and a place in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Module {
    path: [u8; MOST_PATH],
    base: usize,
    address: usize,
}

impl Module {
    /// The module that `address` lies in, from `/proc/self/maps`.
    pub(crate) fn of(address: usize) -> Option<Self> {
        let (mut base, mut found) = (0, None);
        each_line(cstr::cstr!("/proc/self/maps"), &mut |line| {
            let is_below = Self::in_line(line, address, &mut base, &mut found);
            is_below == Some(true)
        })?;
        found
    }

    /// Looks for `address` in a line; returns `true` if it may be in a later one. `base` is where the file of the lines begins.
    fn in_line(
        line: &[u8],
        address: usize,
        base: &mut usize,
        found: &mut Option<Self>,
    ) -> Option<bool> {
        let mut words = line.split(|byte| *byte == b' ').filter(|it| !it.is_empty());
        let mut range = words.next()?.split(|byte| *byte == b'-').map(number);
        let (start, end) = (range.next()?, range.next()?);
        let offset = words.nth(1).map(number)?;
        // It may have blanks.
        let path = line.iter().position(|byte| *byte == b'/');
        let path = path.and_then(|start| line.get(start..)).unwrap_or_default();
        let is_file = path.starts_with(b"/");
        if offset == 0 && is_file {
            *base = start;
        }
        if !(start..end).contains(&address) {
            return Some(true);
        }
        if *base != 0 && is_file {
            let mut module = Self {
                path: [0; MOST_PATH],
                base: *base,
                address,
            };
            let room = module.path.split_last_mut()?.1;
            room.iter_mut().zip(path).for_each(|(to, from)| *to = *from);
            *found = Some(module);
        }
        Some(false)
    }

    /// The path of its file.
    pub(crate) fn name(&self) -> &[u8] {
        self.path
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
    }

    /// The address as the file itself has it.
    pub(crate) fn offset(&self) -> usize {
        if sys::is_at_fixed_address(self.base) {
            self.address
        } else {
            self.address - self.base
        }
    }
}

/// Has `addr2line` print the name and line of a place to the file at `output`, or on standard error if that is empty;
/// `false` if it did not. A file gets no more than a pipe has room for.
///
/// Nothing is allocated, and no lock of ours is needed: the process may be about to abort.
pub(crate) fn name_function(module: &Module, output: &CStr) -> bool {
    let offset = hex(module.offset());
    let script = cstr::cstr!(
        "command -v addr2line >/dev/null || exit 1; if [ \"$2\" ]; then addr2line -Cfpe \"$0\" \"$1\" 2>/dev/null | head -c 4000 >>\"$2\"; exit; fi; exec addr2line -Cfpe \"$0\" \"$1\" >&2 2>/dev/null"
    );
    let Ok(path) = CStr::from_bytes_until_nul(&module.path) else {
        return false;
    };
    let offset = CStr::from_bytes_until_nul(&offset);
    offset.is_ok_and(|offset| sys::run_shell(script, [path, offset, output]))
}

/// Shows each line of a file to `look`, as much of it as there is room for, as long as that returns `true`; `None` where there
/// is no such file.
fn each_line(path: &CStr, look: &mut dyn FnMut(&[u8]) -> bool) -> Option<()> {
    let (mut line, mut length) = ([0; 512], 0);
    sys::show_file(path, &mut |piece| {
        piece.iter().all(|byte| {
            if *byte == b'\n' {
                let whole = line.get(..core::mem::take(&mut length));
                return look(whole.unwrap_or_default());
            }
            if let Some(place) = line.get_mut(length) {
                *place = *byte;
                length += 1;
            }
            true
        })
    })
}

/// The digits of a number, and a zero.
fn hex(number: usize) -> [u8; 17] {
    let mut text = [0; 17];
    for (place, shift) in text.iter_mut().zip((0..64).step_by(4).rev()) {
        let digit = char::from_digit((number >> shift & 15) as u32, 16);
        *place = digit.map_or(b'0', |digit| digit as u8);
    }
    text
}

/// A number in hexadecimal digits.
fn number(text: &[u8]) -> usize {
    let digit = |byte: &u8| (*byte as char).to_digit(16).unwrap_or(0) as usize;
    text.iter()
        .fold(0, |number, byte| number << 4 | digit(byte))
}

#[cfg(not(simulated))]
#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_function_is_in_a_module() {
        let module = Module::of(number as *const () as usize).unwrap();
        let path = std::env::current_exe().unwrap();
        assert_eq!(module.name(), path.as_os_str().as_encoded_bytes());
        let on_the_stack = 1_u8;
        assert!(Module::of(&raw const on_the_stack as usize).is_none());
    }

    #[test]
    fn lines_are_cut_where_there_is_no_room() {
        let path = std::env::temp_dir().join(std::format!("lines-{}", std::process::id()));
        std::fs::write(&path, [&[b'a'; 600][..], b"\n\nb\nlost"].concat()).unwrap();
        let text = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
        let mut lengths = std::vec::Vec::new();
        let shown = each_line(&text, &mut |line| {
            lengths.push(line.len());
            true
        });
        std::fs::remove_file(&path).unwrap();
        assert_eq!((shown, lengths), (Some(()), std::vec![512, 0, 1]));
        assert!(each_line(cstr::cstr!("/nowhere"), &mut |_| true).is_none());
    }
}
