//! The profile as text: the heap profile format of gperftools, which pprof reads.
//!
//! Numbers are estimates of what the program has, as is said by `@ heapprofile`: a reader multiplies them with nothing.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::stack::DEPTH;
use super::sums::Sums;
use super::{FRACTION_BITS, Profile};
use crate::report::Line;
use crate::sys;

/// The longest line: four numbers, and an address for each frame.
const LINE: usize = 128 + DEPTH * 19;

impl Profile {
    /// Puts the profile out, a line at a time, with what is mapped into the process after it. `false` if there is none.
    pub(crate) fn print(&self, put: &mut dyn FnMut(&[u8])) -> bool {
        let Some(tables) = self.tables.get() else {
            return false;
        };
        let mut line = Line::<LINE>::new();
        line.text("heap profile: ");
        sums(&mut line, &tables.sums);
        put(line.text(" @ heapprofile\n").as_bytes());
        for number in 0.. {
            let mut line = Line::<LINE>::new();
            let is_any = tables.look(number, |stack| {
                sums(&mut line, &stack.sums);
                line.text(" @");
                for frame in tables.stacks.frames_of(stack) {
                    line.text(" ").hex(frame);
                }
                stack.sums.all_count.load(Relaxed) > 0
            });
            match is_any {
                None => break,
                Some(false) => {}
                Some(true) => put(line.text("\n").as_bytes()),
            }
        }
        put(b"\nMAPPED_LIBRARIES:\n");
        let _ = sys::show_file(cstr::cstr!("/proc/self/maps"), &mut |text| {
            put(text);
            true
        });
        true
    }
}

/// Appends `blocks: bytes [blocks: bytes]`, what is in use and what ever was.
fn sums<const N: usize>(line: &mut Line<N>, sums: &Sums) {
    let count = |number: u64| ((number + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS) as usize;
    line.number(count(sums.live_count.load(Relaxed)));
    line.text(": ")
        .number(sums.live_bytes.load(Relaxed) as usize);
    line.text(" [").number(count(sums.all_count.load(Relaxed)));
    line.text(": ")
        .number(sums.all_bytes.load(Relaxed) as usize);
    line.text("]");
}
