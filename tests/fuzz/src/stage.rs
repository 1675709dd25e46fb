//! Threads for one list of operations, which take turns.
//!
//! # Invariant
//!
//! Only one of them runs at any time, so the same list gives the same calls in the same order.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle, Thread};

use crate::face::Face;
use crate::interpreter::{Fault, Pause, Player, Record};

/// Threads besides the first that a list can name.
pub(crate) const MOST_HELPERS: usize = 7;

/// Enough for what runs here, and so little that libc keeps the stacks of all threads that ended: the memory it takes
/// from the allocator for each of them then stays the same.
pub(crate) const STACK_BYTES: usize = 128 << 10;

const IDLE: u32 = 0;
const ITS_TURN: u32 = 1;
const LEAVES: u32 = 2;

/// One helper's turn, and what came of it.
struct Turn {
    state: AtomicU32,
    answer: Mutex<Option<Result<Pause, Fault>>>,
}

/// A helper that runs.
struct Helper<'scope> {
    thread: Thread,
    handle: ScopedJoinHandle<'scope, ()>,
}

/// Runs a list to its end; the calling thread is its first. `tell` gets the number of calls now and then.
pub(crate) fn perform<R: Iterator<Item = Record> + Send>(
    player: &mut Player<'_, R>,
    face: impl Face,
    tell: impl Fn(u64),
) -> Result<(), Fault> {
    let player = Mutex::new(player);
    let turns = [const {
        Turn {
            state: AtomicU32::new(IDLE),
            answer: Mutex::new(None),
        }
    }; MOST_HELPERS];
    thread::scope(|scope| {
        let mut helpers = [const { None }; MOST_HELPERS];
        let done = take_turns(scope, &mut helpers, &turns, &player, &face, tell);
        for (helper, turn) in helpers.into_iter().zip(&turns) {
            dismiss(helper, turn);
        }
        done
    })
}

fn take_turns<'scope, R: Iterator<Item = Record> + Send>(
    scope: &'scope Scope<'scope, '_>,
    helpers: &mut [Option<Helper<'scope>>; MOST_HELPERS],
    turns: &'scope [Turn; MOST_HELPERS],
    player: &'scope Mutex<&mut Player<'_, R>>,
    face: &'scope impl Face,
    tell: impl Fn(u64),
) -> Result<(), Fault> {
    let mut thread = 0;
    loop {
        let pause = match usize::from(thread).checked_sub(1) {
            None => play(player, thread, face)?,
            Some(number) => {
                let number = number % MOST_HELPERS;
                let (turn, helper) = (&turns[number], &mut helpers[number]);
                let helper = match helper {
                    Some(helper) => helper,
                    None => match hire(scope, turn, player, thread, face) {
                        Ok(new) => helper.insert(new),
                        // There may be no memory for one, so the first goes on.
                        Err(_) => {
                            thread = 0;
                            continue;
                        }
                    },
                };
                wait_for(helper, turn)?
            }
        };
        tell(lock(player).operations());
        match pause {
            Pause::Switch(next) => thread = next,
            Pause::End(which) => {
                let number = usize::from(which - 1) % MOST_HELPERS;
                dismiss(helpers[number].take(), &turns[number]);
                thread = 0;
            }
            Pause::Done => return Ok(()),
        }
    }
}

fn play<R: Iterator<Item = Record>>(
    player: &Mutex<&mut Player<'_, R>>,
    thread: u8,
    face: &impl Face,
) -> Result<Pause, Fault> {
    lock(player).play(thread, &mut face.clone())
}

fn hire<'scope, R: Iterator<Item = Record> + Send>(
    scope: &'scope Scope<'scope, '_>,
    turn: &'scope Turn,
    player: &'scope Mutex<&mut Player<'_, R>>,
    number: u8,
    face: &'scope impl Face,
) -> io::Result<Helper<'scope>> {
    let caller = thread::current();
    // ORDERING: the new thread begins after this.
    turn.state.store(IDLE, Relaxed);
    let live = move || {
        loop {
            // ORDERING: acquire, with the release of the thread that gives the turn.
            match turn.state.load(Acquire) {
                ITS_TURN => {
                    *lock(&turn.answer) = Some(play(player, number, face));
                    // ORDERING: release, for the thread that waits for it.
                    turn.state.store(IDLE, Release);
                    caller.unpark();
                }
                LEAVES => return,
                _ => thread::park(),
            }
        }
    };
    let builder = thread::Builder::new().stack_size(STACK_BYTES);
    let handle = builder.spawn_scoped(scope, live)?;
    Ok(Helper {
        thread: handle.thread().clone(),
        handle,
    })
}

fn wait_for(helper: &Helper<'_>, turn: &Turn) -> Result<Pause, Fault> {
    // ORDERING: release, with the acquire of the helper.
    turn.state.store(ITS_TURN, Release);
    helper.thread.unpark();
    // ORDERING: acquire, with the helper's release.
    while turn.state.load(Acquire) == ITS_TURN {
        thread::park();
    }
    lock(&turn.answer).take().unwrap_or(Err("a thread is gone"))
}

fn dismiss(helper: Option<Helper<'_>>, turn: &Turn) {
    let Some(helper) = helper else {
        return;
    };
    // ORDERING: release, as above.
    turn.state.store(LEAVES, Release);
    helper.thread.unpark();
    let _ = helper.handle.join();
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
