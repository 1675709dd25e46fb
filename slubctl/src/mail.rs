//! Requests to a running process: written into its mailbox, and answered by it.
//!
//! # Invariant
//!
//! Nothing is written but the mailbox and the word that a purge thread sleeps on. A request is whole before its number is
//! written, and its digest tells the process whether another writer has come in between.

use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Error, Result, bail};

use crate::directory::Directory;
use crate::memory::Process;
use crate::read::Target;
use crate::record::Record;
pub use crate::request::{Limit, Request};
use crate::{image, wake};

/// How often the mailbox is looked at.
const LOOK: Duration = Duration::from_millis(2);

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

/// What becomes of a request that another has made and the process has not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// It stays; a request that is not the same is refused if it is still there after some time.
    Wait,
    /// The new one takes its place.
    Replace,
}

/// A request is refused since another one is pending.
#[derive(Debug)]
pub struct Busy(i32, String);

impl std::error::Error for Busy {}

impl Display for Busy {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "process {} has not answered an earlier request, {}: nothing was asked for; --force takes its place",
            self.0, self.1
        )
    }
}

/// Asks each copy of the library in a process, and waits for the answers no longer than `patience`; the worst of them.
pub fn ask(
    process: &Process,
    request: Request,
    patience: Duration,
    others: Others,
) -> Result<Answer> {
    process.unless_gone(ask_all(process, request, patience, others))
}

fn ask_all(
    process: &Process,
    request: Request,
    patience: Duration,
    others: Others,
) -> Result<Answer> {
    let deadline = Instant::now() + patience;
    let mut targets = Vec::new();
    for image in image::find(process)? {
        let directory = Directory::read(process, image.directory)?;
        let target = Target {
            memory: process,
            directory,
        };
        if target.process()?.is_some() {
            targets.push(target);
        }
    }
    if targets.is_empty() {
        bail!("process {} does not use slubmalloc", process.pid);
    }
    // Nothing is asked of one copy as long as another cannot be asked.
    for target in targets.iter().filter(|_| others == Others::Wait) {
        while let Some((pending, _)) = target.pending(process)?.filter(|it| it.1 != Some(request)) {
            if Instant::now() >= deadline {
                return Err(Error::new(Busy(process.pid, pending)));
            }
            std::thread::sleep(LOOK);
        }
    }
    let mut posted = Vec::new();
    for target in targets {
        if let Some(letter) = target.post(process, request)? {
            posted.push((target, letter));
        }
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

    /// The request in the mailbox that was not answered, as text and, if this program knows it, as such.
    pub(crate) fn pending(&self, process: &Process) -> Result<Option<(String, Option<Request>)>> {
        let Some(letter) = self.unanswered(process)? else {
            return Ok(None);
        };
        let names = [
            "mail_trim",
            "mail_purge",
            "mail_set_purge_ms",
            "mail_set_limit",
            "mail_set_stats",
            "mail_set_profile",
        ];
        let verb = |name: &&&str| {
            let verb = self.directory.value(name, 1, u64::from(u32::MAX));
            verb.is_ok_and(|it| it == u64::from(letter.verb))
        };
        let name = names.iter().find(verb);
        let request = name.and_then(|name| Request::of(name, letter.value));
        let text = request.map_or_else(
            || format!("request {} with {}", letter.verb, letter.value),
            |it| it.to_string(),
        );
        Ok(Some((text, request)))
    }

    /// The request in the mailbox if it is whole, the process's own and not answered yet.
    fn unanswered(&self, process: &Process) -> Result<Option<Letter>> {
        let Some((_, mail)) = self.mail()? else {
            return Ok(None);
        };
        let letter = Letter {
            number: mail.number("number")?,
            process: mail.number("process")? as u32,
            verb: mail.number("verb")? as u32,
            value: mail.number("value")?,
        };
        let is_there = letter.number != 0
            && letter.number != mail.number("answered")?
            && letter.digest() == mail.number("digest")?
            // A child has a copy of its parent's.
            && i64::from(letter.process) == i64::from(process.number_within()?);
        Ok(is_there.then_some(letter))
    }

    /// The address of the word that a purge thread sleeps on, 0 if there was none yet.
    pub(crate) fn purge_thread_word(&self) -> Result<u64> {
        let Some(process) = self.process()? else {
            return Ok(0);
        };
        let thread = process.inner("thread", "purge_thread")?;
        thread.inner("bell", "bell")?.number("shared")
    }

    /// Wakes the purge thread if there is one.
    fn wake(&self, process: &Process) -> Result<()> {
        let word = self.purge_thread_word()?;
        if word != 0 {
            // Where that is not allowed the request waits for a slow path.
            let _ = wake::ring(process, word);
        }
        Ok(())
    }

    /// Writes a request if the same is not pending, and wakes the purge thread if there is one; returns the request.
    fn post(&self, process: &Process, request: Request) -> Result<Option<Letter>> {
        let Some((_, mail)) = self.mail()? else {
            return Ok(None);
        };
        let (verb, value) = request.verb();
        let verb = self.directory.value(verb, 1, u64::from(u32::MAX))? as u32;
        let pending = self.unanswered(process)?;
        if let Some(letter) = pending.filter(|it| (it.verb, it.value) == (verb, value)) {
            self.wake(process)?;
            return Ok(Some(letter));
        }
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
        self.wake(process)?;
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
                && mail.number("process")? == u64::from(letter.process)
                && mail.number("verb")? == u64::from(letter.verb)
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
