//! Random lists of operations for slubmalloc, beside a model that knows what must come out.
//!
//! A list is bytes, six for each operation, so a list can come from a random generator, from a file, or from libFuzzer.
//! `interpreter` gives the bytes their meaning and checks the answers; it is also compiled into the unit tests of the
//! library, where it plays on machines that do not exist. What is here besides runs it on the C functions of a
//! preloaded library or on the crate's own, in threads, and makes lists that fail short.

mod c_face;
pub mod driver;
mod face;
mod interpreter;
mod kernel_face;
mod memory;
mod pool_face;
mod rust_face;
mod stage;

pub use memory::Memory;

use interpreter::{Exchange, GivenUp, Options, Owners, Player, RECORD, Record};
use rust_face::RustFace;
use std::sync::OnceLock;

/// What a player may hold where nothing else is said.
const MOST_HELD: usize = 512 << 20;
/// Blocks up to here have all their bytes written and read.
const ALL_UP_TO: usize = 128;

/// The records of a list; what is left at its end is none.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = Record> {
    let (records, _) = bytes.as_chunks::<RECORD>();
    records.iter().copied()
}

/// Runs one list on the crate's own functions, for libFuzzer; what is wrong ends the process.
pub fn run_list(bytes: &[u8]) {
    static OWNERS: OnceLock<Option<Owners>> = OnceLock::new();
    static EXCHANGE: Exchange = Exchange::new();
    let owners = OWNERS.get_or_init(Owners::new).as_ref();
    let options = Options {
        all_up_to: ALL_UP_TO,
        fresh: None,
        given_up: GivenUp::Anything,
        rests: 0,
        may_fail: false,
        most_held: MOST_HELD,
    };
    let player =
        owners.and_then(|owners| Player::new(0, records(bytes), owners, &EXCHANGE, options));
    let Some(mut player) = player else {
        panic!("the model finds no address space");
    };
    let done = stage::perform(&mut player, RustFace, |_| {});
    let done = done.and_then(|()| player.clear_exchange(&mut RustFace));
    if let Err(fault) = done {
        panic!("{fault}: {:?}", player.last());
    }
    slubmalloc::raw::validate();
}
