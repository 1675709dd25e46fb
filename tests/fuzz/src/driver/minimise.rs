//! Makes lists that fail shorter: first the fewest last episodes that still fail, then without every part that the
//! failure does not need (Zeller's delta debugging, by halves).
#![forbid(unsafe_code)]

use core::time::Duration;
use std::fs;
use std::time::Instant;

use super::arguments::Arguments;
use super::parent::{End, Scratch, replay_once};
use super::random::Origin;
use crate::interpreter::{Habits, Operation, RECORD};
use crate::records;

/// More episodes than this are not tried.
const MOST_EPISODES: u64 = 256;
/// How often lists that run at the same time are tried before they count as harmless.
const TRIES_TOGETHER: u64 = 20;
/// A longer list is not printed.
const MOST_PRINTED: usize = 200;

/// Lists that fail.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) lists: Vec<Vec<u8>>,
}

struct Trial<'run> {
    arguments: Arguments,
    scratch: &'run Scratch,
    expected: &'run End,
    until: Instant,
}

/// The shortest case that was found in the time there is; `None` if no part of the run fails by itself.
pub(super) fn shortest(
    arguments: &Arguments,
    scratch: &Scratch,
    ends: &[(Origin, u64, u64)],
    expected: &End,
) -> Option<Case> {
    let mut arguments = arguments.clone();
    arguments.is_quiet = true;
    arguments.patience = arguments.patience.min(20);
    let trial = Trial {
        until: Instant::now() + Duration::from_secs(arguments.minimise),
        arguments,
        scratch,
        expected,
    };
    let case = trial.last_episodes(ends)?;
    println!("{} records fail by themselves", case.records());
    let case = trial.shorten(case);
    println!("shortened to {}", case.records());
    Some(case)
}

impl Trial<'_> {
    fn is_over(&self) -> bool {
        Instant::now() > self.until
    }

    /// Whether lists fail, in a process of their own, as the run did.
    fn fails(&self, lists: &[Vec<u8>]) -> bool {
        let mut arguments = self.arguments.clone();
        arguments.is_together = lists.len() > 1;
        arguments.times = if lists.len() > 1 { TRIES_TOGETHER } else { 1 };
        let write = |(number, list): (usize, &Vec<u8>)| {
            let path = self.scratch.path().join(format!("list-{number}"));
            fs::write(&path, list).ok().map(|()| path)
        };
        let files: Option<Vec<_>> = lists.iter().enumerate().map(write).collect();
        files.is_some_and(|files| {
            replay_once(&arguments, self.scratch, &files, false) == *self.expected
        })
    }

    fn last_episodes(&self, ends: &[(Origin, u64, u64)]) -> Option<Case> {
        let mut count = 1;
        while count <= MOST_EPISODES && !self.is_over() {
            let cut = |(origin, last, records): &(Origin, u64, u64)| {
                let first = (last + 1).saturating_sub(count);
                let whole = (first..*last).flat_map(|number| origin.episode(number));
                let part = origin.episode(*last).take(*records as usize);
                whole.chain(part).flatten().collect::<Vec<u8>>()
            };
            let lists: Vec<_> = ends.iter().map(cut).collect();
            let single = lists.iter().find(|list| self.fails(&[(*list).clone()]));
            if let Some(single) = single {
                return Some(Case {
                    lists: vec![single.clone()],
                });
            }
            if lists.len() > 1 && self.fails(&lists) {
                return Some(Case { lists });
            }
            if ends.iter().all(|(_, last, _)| *last < count) {
                return None;
            }
            count *= 2;
        }
        None
    }

    fn shorten(&self, mut case: Case) -> Case {
        for number in 0..case.lists.len() {
            let mut part = case.lists[number].len() / RECORD / 2;
            while part > 0 && !self.is_over() {
                let is_shorter = self.without_parts(&mut case, number, part * RECORD);
                // What could not go before may go now.
                part = if is_shorter && part == 1 { 1 } else { part / 2 };
            }
        }
        case
    }

    /// Leaves out parts of one list, one after the other, as long as it still fails.
    fn without_parts(&self, case: &mut Case, number: usize, bytes: usize) -> bool {
        let mut is_shorter = false;
        let mut end = case.lists[number].len();
        // The end is the likeliest to be needed, so it is tried last.
        let mut start = 0;
        while start < end && !self.is_over() {
            let mut lists = case.lists.clone();
            lists[number].drain(start..(start + bytes).min(end));
            if self.fails(&lists) {
                case.lists = lists;
                end = case.lists[number].len();
                is_shorter = true;
            } else {
                start += bytes;
            }
        }
        is_shorter
    }
}

impl Case {
    fn records(&self) -> usize {
        self.lists.iter().map(|list| list.len() / RECORD).sum()
    }
}

/// Prints a list's operations.
pub(super) fn print(list: &[u8]) {
    let mut habits = Habits::FIRST;
    for record in records(list).take(MOST_PRINTED) {
        let operation = Operation::decode(record, habits);
        if let Operation::Episode(new) = operation {
            habits = new;
        }
        println!("    {operation:?}");
    }
}
