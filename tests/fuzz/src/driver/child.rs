//! The process that the allocator under test runs in: lists at the same time, round after round; between two rounds
//! nobody holds anything, and the allocator's numbers must say so.

use core::time::Duration;
use std::fs;
use std::process::{self, ExitCode};
use std::sync::Barrier;
use std::thread::{self, Builder};
use std::time::Instant;

use super::arguments::{Arguments, MOST_THREADS, Mode};
use super::progress::{Place, Progress};
use super::random::Origin;
use crate::c_face::CFace;
use crate::face::Face;
use crate::interpreter::{Exchange, GivenUp, Options, Owners, Player, Record, can_look};
use crate::rust_face::RustFace;
use crate::{ALL_UP_TO, MOST_HELD, records, stage};

/// How the process ends when the model found something, and when it could not begin.
pub(super) const FAULT: i32 = 98;
const CANNOT: u8 = 97;

/// Records of each list in a round.
const ROUND: u64 = 50_000;

/// Bytes by which the sum of what is in use may be off between rounds: libc starts threads, and the library one.
const SLACK: usize = 4 << 10;
/// How often the sum is looked at before it counts as wrong, ten milliseconds apart.
const LOOKS: usize = 100;

/// Stack of a list's first thread.
const LIST_STACK_BYTES: usize = 256 << 10;

/// Runs what the arguments say, and never returns from a fault.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    no_core_files();
    let progress = arguments.progress.as_deref().map(Progress::open);
    let (Some(Ok(progress)), Some(owners)) = (progress, Owners::new()) else {
        eprintln!("operations: no page of progress, or no address space for the model");
        return ExitCode::from(CANNOT);
    };
    if arguments.given_up != GivenUp::Anything && !can_look() {
        eprintln!("operations: this machine lets no process look at memory that was given up");
        return ExitCode::from(CANNOT);
    }
    let world = World {
        arguments,
        places: progress.places(),
        owners,
        exchange: Exchange::new(),
        options: Options {
            all_up_to: if arguments.is_full {
                usize::MAX
            } else {
                ALL_UP_TO
            },
            fresh: arguments.fresh,
            given_up: arguments.given_up,
            rests: arguments.rests,
            may_fail: arguments.may_fail,
            most_held: MOST_HELD,
        },
        since: Instant::now(),
    };
    if arguments.is_rust {
        return world.live(RustFace);
    }
    let library = arguments
        .library
        .as_deref()
        .and_then(|path| path.file_name());
    let is_expected = library.is_some_and(|name| name.to_string_lossy().contains("slubmalloc"));
    match CFace::find(arguments.may_fail, arguments.has_pools) {
        Some(face) if face.is_ours() || !is_expected => world.live(face),
        _ => {
            eprintln!("operations: the library is not in charge");
            ExitCode::from(CANNOT)
        }
    }
}

struct World<'run> {
    arguments: &'run Arguments,
    places: &'run [Place; MOST_THREADS],
    owners: Owners,
    exchange: Exchange,
    options: Options,
    since: Instant,
}

impl World<'_> {
    fn live(&self, face: impl Face) -> ExitCode {
        if self.arguments.mode == Mode::ChildLists {
            return self.replay(face);
        }
        let count = self.arguments.threads;
        warm_up(count);
        let start = face.held();
        let mut next = vec![0; count];
        let most = Duration::from_secs(self.arguments.seconds);
        while self.operations() < self.arguments.operations && self.since.elapsed() < most {
            let streams = (0_u64..)
                .zip(&next)
                .zip(self.places)
                .map(|((list, first), place)| {
                    let origin = Origin {
                        seed: self.arguments.seed,
                        life: self.arguments.number,
                        list,
                    };
                    origin.stream(*first, ROUND, place)
                });
            let ended = self.round(streams.collect(), &face);
            next = ended.iter().map(|stream| stream.next_episode()).collect();
            self.compare(start, &face);
        }
        ExitCode::SUCCESS
    }

    fn replay(&self, face: impl Face) -> ExitCode {
        let read = |path| fs::read(path).unwrap_or_default();
        let lists: Vec<_> = self.arguments.files.iter().map(read).collect();
        let count = if self.arguments.is_together {
            lists.len()
        } else {
            1
        };
        warm_up(count);
        let start = face.held();
        for _ in 0..self.arguments.times {
            for group in lists.chunks(count) {
                self.round(group.iter().map(|list| records(list)).collect(), &face);
                self.compare(start, &face);
            }
        }
        ExitCode::SUCCESS
    }

    fn operations(&self) -> u64 {
        self.places.iter().map(|place| place.get().2).sum()
    }

    /// Runs lists at the same time, and gives them back when they have ended.
    fn round<R: Iterator<Item = Record> + Send>(&self, lists: Vec<R>, face: &impl Face) -> Vec<R> {
        let ended = thread::scope(|scope| {
            let started = lists.into_iter().zip(0_u16..).map(|(records, number)| {
                let play = move || self.perform(number, records, face.clone());
                let builder = Builder::new().stack_size(LIST_STACK_BYTES);
                builder.spawn_scoped(scope, play).expect("a thread")
            });
            let started: Vec<_> = started.collect();
            let ended = started
                .into_iter()
                .map(|list| list.join().expect("no panic"));
            ended.collect()
        });
        let mut last = self.player(u16::MAX, core::iter::empty());
        let cleared = last.clear_exchange(&mut face.clone());
        self.judge(u16::MAX, &last, cleared);
        ended
    }

    fn player<R: Iterator<Item = Record>>(&self, number: u16, records: R) -> Player<'_, R> {
        Player::new(number, records, &self.owners, &self.exchange, self.options)
            .expect("memory for the model")
    }

    fn perform<R: Iterator<Item = Record> + Send>(
        &self,
        number: u16,
        records: R,
        face: impl Face,
    ) -> R {
        let place = self.places.get(usize::from(number));
        let before = place.map_or(0, |place| place.get().2);
        let mut player = self.player(number, records);
        let done = stage::perform(&mut player, face, |operations| {
            if let Some(place) = place {
                place.set_operations(before + operations);
            }
        });
        self.judge(number, &player, done);
        player.into_records()
    }

    fn judge<R: Iterator<Item = Record>>(
        &self,
        number: u16,
        player: &Player<'_, R>,
        done: Result<(), &'static str>,
    ) {
        let Err(fault) = done else {
            return;
        };
        eprintln!("FAULT in list {number}: {fault}");
        if let (operation, Some(block)) = player.last() {
            eprintln!("    {operation:?}\n    {block:#x?}");
        }
        end();
    }

    /// Nobody holds anything now.
    fn compare(&self, start: [usize; 4], face: &impl Face) {
        let is_same = |now: [usize; 4]| {
            self.arguments.may_rest || start[0].abs_diff(now[0]) <= SLACK && start[1..] == now[1..]
        };
        let mut now = face.held();
        // Each number is true at a moment of its own, and the heap's own thread may be taking spans back from a cache.
        for _ in 0..LOOKS {
            if is_same(now) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
            now = face.held();
        }
        if !is_same(now) {
            eprintln!(
                "FAULT: in use, huge blocks, their bytes, objects: {start:?} at first, {now:?} now"
            );
            end();
        }
    }
}

/// Ends the process without anything that could need memory.
fn end() -> ! {
    // SAFETY: nothing is asked of the process any more.
    unsafe { libc::_exit(FAULT) }
}

/// Has as many threads at once as there will ever be, so that libc has all memory for threads that it keeps.
fn warm_up(lists: usize) {
    let threads = lists * (stage::MOST_HELPERS + 1);
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        for number in 0..threads {
            let bytes = if number < lists {
                LIST_STACK_BYTES
            } else {
                stage::STACK_BYTES
            };
            let started = Builder::new().stack_size(bytes).spawn_scoped(scope, || {
                barrier.wait();
            });
            if started.is_err() {
                eprintln!("operations: no threads");
                process::exit(CANNOT.into());
            }
        }
    });
}

fn no_core_files() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a limit of ours.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}
