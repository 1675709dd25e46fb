//! Where code comes from: the module and function of an address.

use core::ffi::{CStr, c_char};
use core::mem::MaybeUninit;

use super::errno::kept;
use super::lines::Lines;
use super::syscall::ask;

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
        let mut base = 0;
        let mut lines = Lines::open(cstr::cstr!("/proc/self/maps"))?;
        let mut text = [0; 512];
        while let Some(line) = lines.next_line(&mut text) {
            let mut words = line.split(|byte| *byte == b' ').filter(|it| !it.is_empty());
            let mut range = words.next()?.split(|byte| *byte == b'-').map(number);
            let (start, end) = (range.next()?, range.next()?);
            let offset = words.nth(1).map(number)?;
            // It may have blanks.
            let path = line.iter().position(|byte| *byte == b'/');
            let path = path.and_then(|start| line.get(start..)).unwrap_or_default();
            if offset == 0 && path.starts_with(b"/") {
                base = start;
            }
            if (start..end).contains(&address) {
                if base == 0 || !path.starts_with(b"/") {
                    return None;
                }
                let mut module = Self {
                    path: [0; MOST_PATH],
                    base,
                    address,
                };
                let room = module.path.split_last_mut()?.1;
                room.iter_mut().zip(path).for_each(|(to, from)| *to = *from);
                return Some(module);
            }
        }
        None
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
        const TYPE: usize = 16;
        let kind = core::ptr::with_exposed_provenance::<u16>(self.base + TYPE);
        // SAFETY: the beginning of a mapped file that is run; its ELF header says whether it may lie anywhere.
        let kind = unsafe { kind.read() };
        if kind == libc::ET_EXEC {
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
    let arguments: [*const c_char; 7] = [
        cstr::cstr!("sh").as_ptr(),
        cstr::cstr!("-c").as_ptr(),
        script.as_ptr(),
        path.as_ptr(),
        offset.as_ptr().cast(),
        output.as_ptr(),
        core::ptr::null(),
    ];
    let environment: [*const c_char; 2] = [
        cstr::cstr!("PATH=/usr/local/bin:/usr/bin:/bin").as_ptr(),
        core::ptr::null(),
    ];
    kept(|| run(&arguments, &environment))
}

fn run(arguments: &[*const c_char; 7], environment: &[*const c_char; 2]) -> bool {
    let mut child = MaybeUninit::<libc::pid_t>::uninit();
    // SAFETY: both lists end with null and hold C strings; without actions posix_spawn(3) allocates nothing.
    let answer = ask(|| unsafe {
        libc::posix_spawn(
            child.as_mut_ptr(),
            cstr::cstr!("/bin/sh").as_ptr(),
            core::ptr::null(),
            core::ptr::null(),
            arguments.as_ptr().cast(),
            environment.as_ptr().cast(),
        )
    });
    if answer != 0 {
        return false;
    }
    // SAFETY: written by the call.
    let child = unsafe { child.assume_init() };
    let mut status = 0;
    // SAFETY: waits for the child and stores how it ended.
    let mut waits = || unsafe { libc::waitpid(child, &raw mut status, 0) };
    // The program may have waited for it already.
    let answer = ask(|| if waits() == child { 0 } else { libc::ECHILD });
    answer != 0 || libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

/// The digits of a number, and a zero behind them.
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
}
