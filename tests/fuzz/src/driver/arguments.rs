//! The command line.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::promise::Promise;
use crate::interpreter::GivenUp;

/// What `--help` says.
pub(super) const HELP: &str = "\
operations [OPTION...]                    random lists, until --operations calls or --seconds have passed
operations --replay FILE... [OPTION...]   stored lists, one after the other

  --library PATH     preload this allocator; without, the C library's own is run
  --face c|rust      the C functions (c), or the crate's own, linked in, with its check of its tables
  --conf TEXT        SLUBMALLOC_CONF of the run
  --seed N           of the random lists; printed if it is not given
  --operations N     calls of the allocator in all, 10000000 unless given
  --seconds N        stop after so long
  --threads N        lists that run at the same time, each in up to six threads of its own; 2
  --life N           calls of one process, then comes the next; 20000000
  --full             write and check every byte of every block
  --fresh BYTE       what all bytes are that a block gets; implied by zero:… and slab_debug:…P in --conf
  --given-up WHAT    what memory holds that a block gave up, of one list: zeroes, poison or nothing; implied by --conf
  --rests N          what was given up last is in no other block, up to N bytes; implied by --conf, of one list
  --pools            take blocks from pools as well, push, release and end them
  --may-fail         there may be no memory; implied by limit: and arena: in --conf
  --may-rest         freed blocks may count as in use; implied by slab_debug: and quarantine: in --conf
  --patience N       seconds without an operation after which a run counts as hanging; 120
  --minimise N       seconds to make a list that fails shorter; 60, 0 for not at all
  --save DIR         where lists that fail are written; the current directory
  --together         replay all files at the same time
  --times N          replay N times
  --quiet            no line of progress
";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Help,
    Parent,
    Replay,
    /// A child with random lists.
    ChildRandom,
    /// A child with lists from files.
    ChildLists,
}

/// Everything the command line can say.
#[derive(Clone, Debug)]
pub(super) struct Arguments {
    pub(super) mode: Mode,
    pub(super) library: Option<PathBuf>,
    pub(super) is_rust: bool,
    pub(super) conf: Option<String>,
    pub(super) seed: u64,
    pub(super) operations: u64,
    pub(super) seconds: u64,
    pub(super) threads: usize,
    pub(super) life: u64,
    pub(super) is_full: bool,
    pub(super) fresh: Option<u8>,
    pub(super) given_up: GivenUp,
    pub(super) rests: usize,
    pub(super) may_fail: bool,
    /// Whether blocks are taken from pools, too.
    pub(super) has_pools: bool,
    /// Whether freed blocks may count as in use.
    pub(super) may_rest: bool,
    pub(super) patience: u64,
    pub(super) minimise: u64,
    pub(super) save: PathBuf,
    pub(super) is_together: bool,
    pub(super) times: u64,
    pub(super) is_quiet: bool,
    /// Which process of a run this is; for children.
    pub(super) number: u64,
    pub(super) progress: Option<PathBuf>,
    pub(super) files: Vec<PathBuf>,
}

/// More would not fit the page of progress.
pub(super) const MOST_THREADS: usize = 16;

impl Arguments {
    /// The arguments of the parent; a child gets them by [`Arguments::of_child`].
    pub(super) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut all = Self {
            mode: Mode::Parent,
            library: None,
            is_rust: false,
            conf: None,
            seed: random_seed(),
            operations: 10_000_000,
            seconds: u64::MAX,
            threads: 2,
            life: 20_000_000,
            is_full: false,
            fresh: None,
            given_up: GivenUp::Anything,
            rests: 0,
            may_fail: false,
            has_pools: false,
            may_rest: false,
            patience: 120,
            minimise: 60,
            save: PathBuf::from("."),
            is_together: false,
            times: 1,
            is_quiet: false,
            number: 0,
            progress: None,
            files: Vec::new(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "-h" | "--help" => all.mode = Mode::Help,
                "--replay" => all.mode = Mode::Replay,
                "--child-random" => all.mode = Mode::ChildRandom,
                "--child-lists" => all.mode = Mode::ChildLists,
                "--library" => all.library = Some(value()?.into()),
                "--face" => {
                    all.is_rust = match value()?.as_str() {
                        "c" => false,
                        "rust" => true,
                        other => return Err(format!("no such face: {other}")),
                    }
                }
                "--conf" => all.conf = Some(value()?),
                "--seed" => all.seed = number(&value()?)?,
                "--operations" => all.operations = number(&value()?)?,
                "--seconds" => {
                    all.seconds = number(&value()?)?;
                    all.operations = u64::MAX;
                }
                "--threads" => all.threads = number(&value()?)? as usize,
                "--life" => all.life = number(&value()?)?,
                "--full" => all.is_full = true,
                "--fresh" => all.fresh = Some(number(&value()?)? as u8),
                "--given-up" => {
                    all.given_up = match value()?.as_str() {
                        "zeroes" => GivenUp::Zeroes,
                        "poison" => GivenUp::Poison,
                        "nothing" => GivenUp::Nothing,
                        other => return Err(format!("--given-up does not take {other}")),
                    }
                }
                "--rests" => all.rests = number(&value()?)? as usize,
                "--may-fail" => all.may_fail = true,
                "--pools" => all.has_pools = true,
                "--may-rest" => all.may_rest = true,
                "--patience" => all.patience = number(&value()?)?,
                "--minimise" => all.minimise = number(&value()?)?,
                "--save" => all.save = value()?.into(),
                "--together" => all.is_together = true,
                "--times" => all.times = number(&value()?)?,
                "--quiet" => all.is_quiet = true,
                "--number" => all.number = number(&value()?)?,
                "--progress" => all.progress = Some(value()?.into()),
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}; --help lists them"));
                }
                _ => all.files.push(word.into()),
            }
        }
        if !(1..=MOST_THREADS).contains(&all.threads) {
            return Err(format!("--threads takes 1 to {MOST_THREADS}"));
        }
        if all.mode == Mode::Replay && all.files.is_empty() {
            return Err("--replay needs a file".to_owned());
        }
        let conf = all.conf.as_deref().unwrap_or_default();
        if !all.is_rust && !conf.is_empty() {
            let promise = Promise::of(conf);
            all.fresh = all.fresh.or(promise.fresh);
            // Other lists may take what one gave up.
            let is_one = all.threads == 1 || all.mode == Mode::Replay && !all.is_together;
            if is_one && !conf.contains("limit:") {
                (all.given_up, all.rests) = (promise.given_up, promise.rests);
            }
        }
        all.may_fail |= ["limit:", "arena:"].iter().any(|key| conf.contains(key));
        all.may_rest |= ["slab_debug:", "quarantine:"]
            .iter()
            .any(|key| conf.contains(key));
        Ok(all)
    }

    /// The words that give a child these arguments.
    pub(super) fn of_child(&self) -> Vec<String> {
        let mut words = vec![
            "--seed".to_owned(),
            self.seed.to_string(),
            "--operations".to_owned(),
            self.operations.to_string(),
            "--threads".to_owned(),
            self.threads.to_string(),
            "--times".to_owned(),
            self.times.to_string(),
        ];
        if let Some(byte) = self.fresh {
            words.extend(["--fresh".to_owned(), byte.to_string()]);
        }
        let given_up = match self.given_up {
            GivenUp::Anything => None,
            GivenUp::Zeroes => Some("zeroes"),
            GivenUp::Poison => Some("poison"),
            GivenUp::Nothing => Some("nothing"),
        };
        if let Some(what) = given_up {
            words.extend(["--given-up".to_owned(), what.to_owned()]);
        }
        words.extend(["--rests".to_owned(), self.rests.to_string()]);
        let flags = [
            (self.is_rust, "--face=rust"),
            (self.is_full, "--full"),
            (self.may_fail, "--may-fail"),
            (self.has_pools, "--pools"),
            (self.may_rest, "--may-rest"),
        ];
        for (_, flag) in flags.into_iter().filter(|(is_set, _)| *is_set) {
            words.extend(flag.split('=').map(str::to_owned));
        }
        words
    }
}

fn number(text: &str) -> Result<u64, String> {
    let digits: String = text.chars().filter(|digit| *digit != '_').collect();
    digits.parse().map_err(|_| format!("{text:?} is no number"))
}

fn random_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |now| {
        u64::from(now.subsec_nanos()) ^ now.as_secs() << 20 & 0xffff_ffff_ffff
    })
}
