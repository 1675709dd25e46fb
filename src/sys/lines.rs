//! A file, a line at a time, without memory of its own but the reader's stack.

use core::ffi::CStr;

use super::syscall::call;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 10;

/// The lines of an open file.
#[derive(Debug)]
pub(super) struct Lines {
    file: usize,
    chunk: [u8; CHUNK],
    start: usize,
    end: usize,
}

impl Lines {
    /// Opens a file.
    pub(super) fn open(path: &CStr) -> Option<Self> {
        let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
        let path = path.as_ptr() as usize;
        let arguments = [libc::AT_FDCWD as usize, path, flags, 0, 0, 0];
        // SAFETY: `path` is a C string.
        let file = unsafe { call(libc::SYS_openat, arguments) }.value()?;
        Some(Self {
            file,
            chunk: [0; CHUNK],
            start: 0,
            end: 0,
        })
    }

    /// The next line, as much of it as `text` has room for.
    pub(super) fn next_line<'text>(&mut self, text: &'text mut [u8]) -> Option<&'text [u8]> {
        let mut length = 0;
        loop {
            let Some(byte) = self.next_byte() else {
                return text.get(..length).filter(|line| !line.is_empty());
            };
            if byte == b'\n' {
                return text.get(..length);
            }
            if let Some(place) = text.get_mut(length) {
                *place = byte;
                length += 1;
            }
        }
    }

    fn next_byte(&mut self) -> Option<u8> {
        if self.start == self.end {
            let chunk = &mut self.chunk;
            let arguments = [self.file, chunk.as_mut_ptr() as usize, CHUNK, 0, 0, 0];
            // SAFETY: the kernel writes at most that many bytes to the chunk.
            let read = unsafe { call(libc::SYS_read, arguments) }.value();
            (self.start, self.end) = (0, read?);
        }
        let byte = self.chunk.get(..self.end)?.get(self.start).copied();
        self.start += 1;
        byte
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // SAFETY: the file was opened by this value and is used by nobody else.
        let _ = unsafe { call(libc::SYS_close, [self.file, 0, 0, 0, 0, 0]) };
    }
}

#[cfg(not(simulated))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_where_there_is_no_room() {
        let mut lines = Lines::open(cstr::cstr!("/proc/self/maps")).unwrap();
        let mut count = 0;
        while let Some(line) = lines.next_line(&mut [0; 16]) {
            assert!(line.len() <= 16 && !line.contains(&b'\n'));
            count += 1;
        }
        assert!(count > 10);
        assert!(Lines::open(cstr::cstr!("/nowhere")).is_none());
    }
}
