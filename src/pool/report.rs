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

fn name(line: &mut Line<256>, pool: &Pool) {
    let name = pool.name();
    let length = name.iter().position(|byte| *byte == 0);
    line.quoted(
        name.get(..length.unwrap_or(name.len())).unwrap_or(&[]),
        NAME,
    );
}
