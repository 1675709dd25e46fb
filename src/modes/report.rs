//! Reports in the shape of the kernel's (mm/slub.c): what was found, where, who had the block, what its memory holds.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::bytes;
use super::record::{Record, State, Track};
use super::sort::{SANITY, TRACE, USER};
use super::trace::{self, Frames};
use super::zone::{self, Damage};
use crate::report::{Line, Output, abort, only_warns, write};
use crate::sys;

/// Bytes of each part of a block that a report shows at most.
const SHOWN: usize = 128;
/// Bytes in a line of them.
const ROW: usize = 16;

/// What was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    what: &'static str,
    address: usize,
    damage: Option<Damage>,
}

impl Event {
    /// Something about an address.
    pub(super) fn new(what: &'static str, address: usize) -> Self {
        Self {
            what,
            address,
            damage: None,
        }
    }

    /// Damage.
    pub(super) fn damage(damage: Damage) -> Self {
        Self {
            what: damage.part,
            address: damage.first,
            damage: Some(damage),
        }
    }
}

/// Says that a mode is off for want of address space.
#[cold]
pub(super) fn cannot(mode: &str) {
    let mut line = Line::<128>::headline();
    line.text("no address space for ").text(mode);
    line.text("; it is off\n").print();
}

/// Prints a report; ends the process, or says what is done instead: with only sanity checks, as in the kernel, and
/// where violations are only reported.
#[cold]
#[inline(never)]
pub(super) fn print(record: &Record, event: Event, flags: u8, caller: Option<&Frames>, fix: &str) {
    headline(record, event);
    rule("=");
    bug(record, event);
    rule("-");
    describe(record, event);
    owners(record);
    dump(record);
    if let Some(frames) = caller.filter(|_| flags & USER != 0) {
        text("Call Trace:\n");
        trace::print(frames);
    }
    if !only_warns() && flags & !(USER | TRACE) != SANITY {
        abort();
    }
    let mut line = Line::<160>::new();
    line.text("FIX ");
    record.name(&mut line);
    line.text(": ").text(fix);
    if let Some(damage) = event.damage {
        line.text(" ").text(damage.part);
        line.text(" ").hex(damage.first).text("-").hex(damage.last);
        line.text("=").hex(usize::from(damage.expected));
    }
    line.text("\n").print();
}

/// The line before the kernel's, which name neither program nor process.
fn headline(record: &Record, event: Event) {
    let mut line = Line::<160>::headline();
    name(&mut line, record, event);
    line.text(" at ").hex(event.address).text("\n").print();
}

fn rule(dash: &str) {
    let mut line = Line::<96>::new();
    (0..77).for_each(|_| {
        line.text(dash);
    });
    line.text("\n").print();
}

fn text(text: &str) {
    write(Output::Reports, text.as_bytes());
}

fn bug(record: &Record, event: Event) {
    let mut line = Line::<128>::new();
    line.text("BUG ");
    name(&mut line, record, event);
    line.text("\n").print();
}

/// Appends the block's cache and what happened to it.
fn name<const N: usize>(line: &mut Line<N>, record: &Record, event: Event) {
    record.name(line);
    line.text(": ").text(event.what);
    if event.damage.is_some() {
        line.text(" overwritten");
    }
}

fn describe(record: &Record, event: Event) {
    let mut line = Line::<200>::new();
    line.text("\n").hex(event.address);
    if let Some(damage) = event.damage {
        line.text("-").hex(damage.last);
    }
    line.text(" @offset=");
    offset(&mut line, record, event.address);
    if let Some(damage) = event.damage {
        line.text(". First byte ");
        line.hex(usize::from(bytes::at(damage.first)));
        line.text(" instead of ").hex(usize::from(damage.expected));
    }
    line.text("\n").print();
    let state = match record.state() {
        State::Vacant => return text("Object was never handed out\n"),
        State::InUse => " in use\n",
        State::Quarantined | State::Free => " free\n",
    };
    let mut line = Line::<200>::new();
    line.text("Object ").hex(record.user()).text(" @offset=");
    offset(&mut line, record, record.user());
    line.text(" size=").number(record.bytes()).text(state);
    line.print();
}

/// Appends an address as a distance from where the block's memory begins.
fn offset(line: &mut Line<200>, record: &Record, address: usize) {
    if address >= record.base() {
        line.number(address - record.base());
    } else {
        line.text("-").number(record.base() - address);
    }
}

/// Prints who allocated and who freed the block, as far as somebody took note.
pub(super) fn owners(record: &Record) {
    owner("Allocated", &record.allocated);
    owner("Freed", &record.freed);
}

fn owner(did: &str, track: &Track) {
    let at = track.at.load(Relaxed);
    if at == 0 {
        return;
    }
    let age = sys::milliseconds().saturating_sub(at) as usize;
    let mut line = Line::<128>::new();
    line.text(did).text(": age=").number(age).text("ms thread=");
    line.number(track.thread.load(Relaxed) as usize);
    line.text("\n").print();
    trace::print(&track.stack.load());
}

fn dump(record: &Record) {
    if record.state() == State::Vacant {
        return;
    }
    let (user, user_end) = (record.user(), record.user_end());
    part(
        "Redzone ",
        zone::left(record).max(user.saturating_sub(ROW)),
        user,
    );
    part("Object  ", user, user_end);
    part("Redzone ", user_end, record.end());
}

fn part(name: &str, start: usize, end: usize) {
    let end = end.min(start + SHOWN);
    for row in (start..end).step_by(ROW) {
        let mut line = Line::<128>::new();
        line.text(name).text(" (").hex(row).text("):");
        let shown = || (row..end.min(row + ROW)).map(bytes::at);
        for byte in shown() {
            line.text(" ").raw(&[digit(byte >> 4), digit(byte & 15)]);
        }
        line.column(80);
        for byte in shown() {
            let is_plain = byte.is_ascii_graphic() || byte == b' ';
            line.raw(&[if is_plain { byte } else { b'.' }]);
        }
        line.text("\n").print();
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 {
        b'0' + value
    } else {
        b'a' + value - 10
    }
}
