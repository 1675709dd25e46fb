//! Lines about pools.
#![forbid(unsafe_code)]

use super::handle::PoolHandle;
use super::structure::Pool;
use crate::report::{Line, ignored};

/// The most of a name that is printed.
const NAME: usize = 64;

/// Reports the handle of a pool that does not exist any more.
#[cold]
#[inline(never)]
pub(crate) fn gone(handle: PoolHandle) {
    let mut line = Line::<256>::headline();
    line.text("use of a destroyed pool ").hex(handle.addr());
    ignored(line);
}

/// Reports what is no handle of a pool of this copy of the library's.
#[cold]
#[inline(never)]
pub(crate) fn unknown(handle: PoolHandle) {
    let mut line = Line::<256>::headline();
    line.text("unknown pool ").hex(handle.addr());
    line.text(": this copy of the library did not create it");
    ignored(line);
}

/// Reports a block that was freed to a pool that it is not from.
#[cold]
#[inline(never)]
pub(crate) fn not_its_block(address: usize, from: Option<&Pool>, to: &Pool) {
    let mut line = Line::<256>::headline();
    line.text("wrong pool: block ").hex(address);
    match from {
        Some(pool) => {
            line.text(" of ");
            name(&mut line, pool);
        }
        None => {
            line.text(" of no pool");
        }
    }
    line.text(" was freed to ");
    name(&mut line, to);
    ignored(line);
}

/// Reports a pop that is not of the pool that was pushed last; nothing is lost by it, so it never ends the process.
#[cold]
#[inline(never)]
pub(crate) fn not_on_top(handle: PoolHandle, top: Option<PoolHandle>) {
    let mut line = Line::<256>::headline();
    line.text("pop of pool ").hex(handle.addr());
    match top {
        Some(top) => line
            .text(", but the last that this thread pushed is ")
            .hex(top.addr()),
        None => line.text(", but this thread has pushed none"),
    };
    line.text("; ignored\n").print();
}

/// Reports a thread that ends before it pops what it pushed.
#[cold]
#[inline(never)]
pub(crate) fn still_pushed(top: PoolHandle) {
    let mut line = Line::<256>::headline();
    line.text("a thread ends that has pushed pool ")
        .hex(top.addr());
    line.text("; popped\n").print();
}

fn name(line: &mut Line<256>, pool: &Pool) {
    let name = pool.name();
    let length = name.iter().position(|byte| *byte == 0);
    line.quoted(
        name.get(..length.unwrap_or(name.len())).unwrap_or(&[]),
        NAME,
    );
}
