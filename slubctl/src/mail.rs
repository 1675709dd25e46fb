//! Requests to a running process: written into its mailbox, and answered by it.
//!
//! # Invariant
//!
//! Nothing is written but the mailbox and the word that a purge thread sleeps on. A request is whole before its number is
//! written, and its digest tells the process whether another writer has come in between.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::directory::Directory;
use crate::memory::Process;
use crate::read::Target;
use crate::record::Record;
use crate::{image, wake};

/// How often the mailbox is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// What a process is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Give back all that is unused, as malloc_trim(3) does.
    Trim,
    /// Give back what is free.
    Purge,
    /// Change the time in which unused memory goes back; `None` for never.
    PurgeMs(Option<u64>),
    /// Change the limit.
    Limit(Limit),
    /// Print statistics when the program ends, or do not.
    StatsAtExit(bool),
}

/// A limit on memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// None.
    Off,
    /// What it was when the program began.
    Initial,
    /// Bytes.
    Bytes(u64),
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// The process does not take that value.
    Refused,
    /// It waits in the mailbox.
    Pending,
}

impl Request {
    fn verb(self) -> (&'static str, u64) {
        match self {
            Self::Trim => ("mail_trim", 0),
            Self::Purge => ("mail_purge", 0),
            Self::PurgeMs(time) => ("mail_set_purge_ms", time.unwrap_or(u64::MAX)),
            Self::Limit(Limit::Off) => ("mail_set_limit", u64::MAX),
            Self::Limit(Limit::Initial) => ("mail_set_limit", 0),
            Self::Limit(Limit::Bytes(bytes)) => ("mail_set_limit", bytes),
            Self::StatsAtExit(is_wanted) => ("mail_set_stats", u64::from(is_wanted)),
        }
    }
}

/// Asks each copy of the library in a process, and waits for the answers no longer than `patience`; the worst of them.
pub fn ask(process: &Process, request: Request, patience: Duration) -> Result<Answer> {
    let deadline = Instant::now() + patience;
    let mut posted = Vec::new();
    for image in image::find(process)? {
        let directory = Directory::read(process, image.directory)?;
        let target = Target {
            memory: process,
            directory,
        };
        if let Some(letter) = target.post(process, request)? {
            posted.push((target, letter));
        }
    }
    if posted.is_empty() {
        bail!("process {} does not use slubmalloc", process.pid);
    }
    let mut answer = Answer::Done;
    for (target, letter) in posted {
        loop {
            match target.answer(letter)? {
                Some(Answer::Refused) => answer = Answer::Refused,
                Some(_) => {}
                None if Instant::now() < deadline => {
                    std::thread::sleep(LOOK);
                    continue;
                }
                None => return Ok(Answer::Pending),
            }
            break;
        }
    }
    Ok(answer)
}

/// A request as it was written.
#[derive(Clone, Copy, Debug)]
struct Letter {
    number: u64,
    process: u32,
    verb: u32,
    value: u64,
}

impl Letter {
    /// What the library calls a digest (`src/global/mail.rs`): FNV-1a over words.
    fn digest(&self) -> u64 {
        let parts = [
            self.number,
            self.process.into(),
            self.verb.into(),
            self.value,
        ];
        let add = |digest: u64, part: u64| (digest ^ part).wrapping_mul(0x0100_0000_01b3);
        parts.into_iter().fold(0xcbf2_9ce4_8422_2325, add)
    }
}

impl Target<'_> {
    fn mail(&self) -> Result<Option<(Record<'_>, Record<'_>)>> {
        let Some(process) = self.process()? else {
            return Ok(None);
        };
        let mail = process.inner("purge", "purge")?.inner("mail", "mail")?;
        Ok(Some((process, mail)))
    }

    /// Writes a request, and wakes the purge thread if there is one; returns the request.
    fn post(&self, process: &Process, request: Request) -> Result<Option<Letter>> {
        let Some((heap_process, mail)) = self.mail()? else {
            return Ok(None);
        };
        let (verb, value) = request.verb();
        let verb = self.directory.value(verb, 1, u64::from(u32::MAX))? as u32;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let letter = Letter {
            number: now.as_nanos() as u64,
            process: process.number_within()? as u32,
            verb,
            value,
        };
        let write = |field: &str, bytes: &[u8]| -> Result<()> {
            let place = self.directory.field(&format!("mail.{field}"))?;
            if place.size != bytes.len() as u64 {
                bail!("damaged directory: mail.{field} has {} bytes", place.size);
            }
            process
                .write(mail.address_of(field)?, bytes)
                .with_context(|| format!("process {}", process.pid))
        };
        // From here on what was there before is none any more: its digest is another.
        write("digest", &letter.digest().to_le_bytes())?;
        write("process", &letter.process.to_le_bytes())?;
        write("verb", &letter.verb.to_le_bytes())?;
        write("value", &letter.value.to_le_bytes())?;
        write("number", &letter.number.to_le_bytes())?;
        let thread = heap_process.inner("thread", "purge_thread")?;
        let word = thread.inner("bell", "bell")?.number("shared")?;
        if word != 0 {
            // Where that is not allowed the request waits for a slow path.
            let _ = wake::ring(process, word);
        }
        Ok(Some(letter))
    }

    /// The answer to a request, if there is one.
    fn answer(&self, letter: Letter) -> Result<Option<Answer>> {
        let Some((_, mail)) = self.mail()? else {
            return Ok(None);
        };
        if mail.number("answered")? != letter.number {
            // Of two writers at once each may leave parts behind, and the process throws the mixture away.
            let is_there = mail.number("number")? == letter.number
                && mail.number("digest")? == letter.digest()
                && mail.number("process")? == letter.process.into()
                && mail.number("verb")? == letter.verb.into()
                && mail.number("value")? == letter.value;
            return match is_there {
                true => Ok(None),
                false => bail!("another request came in between"),
            };
        }
        // Read after the number: the outcome is that of this request.
        let outcome = self.memory.bytes(mail.address_of("outcome")?, 4)?;
        let outcome = crate::memory::number(&outcome).unwrap_or_default();
        let done = self.directory.value("mail_done", 1, u64::from(u32::MAX))?;
        Ok(Some(match outcome == done {
            true => Answer::Done,
            false => Answer::Refused,
        }))
    }
}
