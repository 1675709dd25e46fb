//! Lines about named caches.
#![forbid(unsafe_code)]

use super::cache::NamedCache;
use super::handle::{CacheHandle, SheafHandle};
use crate::modes::{Frames, byte_at, print_addresses};
use crate::report::{Line, abort, ignored, ignored_with, only_warns};

/// The most of a name that is printed.
const NAME: usize = 64;

/// Reports an object that was freed to a cache that it is not from; `more` prints what else is known.
#[cold]
#[inline(never)]
pub(crate) fn wrong_cache(
    address: usize,
    from: Option<&NamedCache>,
    to: &NamedCache,
    more: impl FnOnce(),
) {
    let mut line = Line::<256>::headline();
    line.text("wrong cache: object ").hex(address);
    match from {
        Some(cache) => line.text(" of ").quoted(cache.title(), NAME),
        None => line.text(" of no named cache"),
    };
    line.text(" was freed to ").quoted(to.title(), NAME);
    ignored_with(line, more);
}

/// Reports the handle of a cache that does not exist any more.
#[cold]
#[inline(never)]
pub(crate) fn no_cache(handle: CacheHandle) {
    let mut line = Line::<256>::headline();
    line.text("use of a destroyed cache ").hex(handle.addr());
    ignored(line);
}

/// Reports what is no handle of a cache of this copy of the library's.
#[cold]
#[inline(never)]
pub(crate) fn unknown_cache(handle: CacheHandle) {
    let mut line = Line::<256>::headline();
    line.text("unknown cache ").hex(handle.addr());
    line.text(": this copy of the library did not create it");
    ignored(line);
}

/// Reports the handle of a mempool where one of a cache is asked for, or the other way round.
#[cold]
#[inline(never)]
pub(crate) fn wrong_kind(cache: &NamedCache) {
    let mut line = Line::<256>::headline();
    match cache.base() {
        Some(base) => line.text("a mempool of ").quoted(base.title(), NAME),
        None => line.text("cache ").quoted(cache.title(), NAME),
    };
    line.text(match cache.base() {
        Some(_) => " is no cache",
        None => " is no mempool",
    });
    ignored(line);
}

/// Reports a prefilled sheaf that was used for a cache that it is not of.
#[cold]
#[inline(never)]
pub(crate) fn wrong_sheaf(of: &NamedCache, to: &NamedCache, what: &str) {
    let mut line = Line::<256>::headline();
    line.text("wrong cache: a sheaf of ")
        .quoted(of.title(), NAME);
    line.text(what).quoted(to.title(), NAME);
    ignored(line);
}

/// Reports the handle of a prefilled sheaf that was returned.
#[cold]
#[inline(never)]
pub(crate) fn no_sheaf(handle: SheafHandle) {
    let mut line = Line::<256>::headline();
    line.text("use of a returned sheaf ").hex(handle.addr());
    ignored(line);
}

/// Reports what is no handle of a prefilled sheaf of this copy of the library's.
#[cold]
#[inline(never)]
pub(crate) fn unknown_sheaf(handle: SheafHandle) {
    let mut line = Line::<256>::headline();
    line.text("unknown sheaf ").hex(handle.addr());
    line.text(": this copy of the library did not fill it");
    ignored(line);
}

/// Reports what is left of a cache that was to be destroyed.
#[cold]
#[inline(never)]
pub(super) fn objects_left(cache: &NamedCache, count: usize, first: impl Iterator<Item = usize>) {
    let mut line = Line::<384>::headline();
    line.text("cache ").quoted(cache.title(), NAME);
    line.text(" was not destroyed: ").number(count);
    line.text(if count == 1 {
        " object is"
    } else {
        " objects are"
    });
    line.text(" still in use");
    let mut shown = 0;
    for address in first {
        line.text(if shown == 0 { ", at " } else { ", " })
            .hex(address);
        shown += 1;
    }
    if shown == 0 {
        line.text(" in reserves of mempools\n").print();
        return;
    }
    line.text(if shown < count { ", …\n" } else { "\n" })
        .print();
}

/// Says that a cache stays since the program has `count` prefilled sheaves of it, which are empty.
#[cold]
#[inline(never)]
pub(super) fn sheaves_left(cache: &NamedCache, count: usize) {
    let mut line = Line::<256>::headline();
    line.text("cache ").quoted(cache.title(), NAME);
    line.text(" was not destroyed: ").number(count);
    line.text(match count {
        1 => " empty sheaf was not returned\n",
        _ => " empty sheaves were not returned\n",
    });
    line.print();
}

/// Reports a byte at `place` that is another one than it was left, in or after the object at `object`.
#[cold]
#[inline(never)]
pub(super) fn overwritten(cache: &NamedCache, object: usize, place: usize, expected: u8) {
    let mut line = Line::<320>::headline();
    let offset = place - object;
    match offset.checked_sub(cache.size()) {
        Some(beyond) => line.text("write ").number(beyond + 1).text(" bytes beyond"),
        None => line
            .text("write after free to byte ")
            .number(offset)
            .text(" of"),
    };
    line.text(" object ").hex(object).text(" of ");
    line.quoted(cache.title(), NAME).text(": ");
    line.hex(usize::from(byte_at(place))).text(" instead of ");
    line.hex(usize::from(expected));
    line.text(if only_warns() { "; goes on\n" } else { "\n" })
        .print();
    cache.print_users(object);
    if !only_warns() {
        abort();
    }
}

/// The line before a stack.
#[cold]
#[inline(never)]
pub(super) fn done_by(object: usize, what: &str) {
    let mut line = Line::<128>::new();
    line.text("object ").hex(object).text(" was ").text(what);
    line.text(" by\n").print();
}

/// Prints a call, as `slab_debug:T` does.
#[cold]
#[inline(never)]
pub(super) fn trace(cache: &NamedCache, what: &str, object: usize, frames: &Frames) {
    let mut line = Line::<160>::new();
    line.text("TRACE ").quoted(cache.title(), NAME);
    line.text(" ").text(what).text(" ").hex(object);
    line.text("\n").print();
    print_addresses(frames);
}

/// Says that what a flag or a mode asks for is not done to the free objects of a cache.
#[cold]
#[inline(never)]
pub(super) fn left_alone(cache: &NamedCache, what: &str) {
    let mut line = Line::<256>::headline();
    line.text("cache ").quoted(cache.title(), NAME);
    line.text(": its objects are not ")
        .text(what)
        .text(", since ");
    line.text(match cache.constructs() {
        true => "they are constructed\n",
        false => "readers may still look at them\n",
    });
    line.print();
}

/// Reports why a cache was not created.
#[cold]
#[inline(never)]
pub(super) fn not_created(name: &[u8], why: &str, number: Option<usize>) {
    let mut line = Line::<256>::headline();
    line.text("cache ").quoted(name, NAME);
    line.text(" was not created: ").text(why);
    if let Some(number) = number {
        line.hex(number);
    }
    line.text("\n").print();
}

/// Ends the process since a request that must not fail has failed.
#[cold]
#[inline(never)]
pub(crate) fn out_of_memory(what: &[u8]) -> ! {
    let mut line = Line::<256>::headline();
    line.text("out of memory for ").quoted(what, NAME);
    line.text(", which must not fail\n").print();
    abort()
}
