//! Prints the return address of a call within a function whose name a profiler has to find, and waits.

use std::ffi::c_void;

unsafe extern "C" {
    fn backtrace(buffer: *mut *mut c_void, size: i32) -> i32;
    fn pause() -> i32;
}

struct Server<T>(T);

impl<T: Copy> Server<T> {
    #[inline(never)]
    fn keep(&self) -> (usize, T) {
        let mut frames = [std::ptr::null_mut(); 8];
        // SAFETY: it writes at most as many as there is room for.
        unsafe { backtrace(frames.as_mut_ptr(), 8) };
        (frames[0] as usize, std::hint::black_box(self.0))
    }
}

fn main() {
    println!("{:#x}", Server(7_u8).keep().0);
    // SAFETY: it has no arguments.
    unsafe { pause() };
}
