//! Sampling in a process: switched on where it is off, and off again afterwards, also when a signal ends this program.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use slubctl::mail::{self, Answer, Others, Request};
use slubctl::memory::Process;
use slubctl::profile::{self, Profile};
use slubctl::view::human;

use crate::told;

/// How long an answer is waited for: to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(1);
const LAST_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether a signal came.
const LOOK: Duration = Duration::from_millis(50);

/// A process that is sampled.
pub(crate) struct Sampling<'p> {
    process: &'p Process,
    /// Whether this program has switched it on, and has not switched it off again.
    is_own: bool,
    /// Whether the process has not taken up the request to begin.
    is_pending: bool,
    interrupted: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl<'p> Sampling<'p> {
    /// Samples from now on, at `rate` if it is off.
    pub(crate) fn begin(
        process: &'p Process,
        rate: Option<u64>,
        default: u64,
        others: Others,
    ) -> Result<Self> {
        let state = profile::state(process, &subject(process))?;
        let mut sampling = Self {
            process,
            is_own: false,
            is_pending: false,
            interrupted: Arc::default(),
            over: Arc::default(),
        };
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // They end the wait, and this program once sampling is as it was.
            flag::register_conditional_default(signal, Arc::clone(&sampling.over))?;
            flag::register(signal, Arc::clone(&sampling.interrupted))?;
        }
        if state.rate != 0 {
            if rate.is_some_and(|it| it != state.rate) {
                let now = human(state.rate);
                told::tell(&format!(
                    "process {} is sampled already, one block for {now}: --rate is not used",
                    process.pid
                ));
            }
            return Ok(sampling);
        }
        let request = Request::Profile(rate.unwrap_or(default));
        sampling.is_own = true;
        match mail::ask(process, request, PATIENCE, others) {
            Ok(Answer::Done) => {}
            Ok(Answer::Pending) => sampling.is_pending = true,
            Ok(Answer::Refused) => {
                sampling.is_own = false;
                bail!("process {} does not take that rate", process.pid);
            }
            Err(error) => {
                sampling.is_own = false;
                return Err(error);
            }
        }
        Ok(sampling)
    }

    /// Whether it was off before.
    pub(crate) fn is_own(&self) -> bool {
        self.is_own
    }

    /// Waits while the process is sampled; a signal ends that earlier.
    pub(crate) fn wait(&self, time: Duration) {
        if time.is_zero() {
            return;
        }
        let has_terminal = std::io::stderr().is_terminal();
        let seconds = time.as_secs_f64();
        if !has_terminal {
            told::tell(&format!(
                "process {} is sampled for {seconds} s; Ctrl-C ends that earlier",
                self.process.pid
            ));
        }
        let begin = Instant::now();
        while !self.interrupted.load(Ordering::Relaxed) {
            let passed = begin.elapsed();
            let Some(left) = time.checked_sub(passed).filter(|it| !it.is_zero()) else {
                break;
            };
            if has_terminal {
                let _ = write!(
                    std::io::stderr(),
                    "\rslubctl: process {} is sampled: {:.0} of {seconds} s; Ctrl-C ends that earlier ",
                    self.process.pid,
                    passed.as_secs_f64()
                );
            }
            std::thread::sleep(left.min(LOOK));
        }
        if has_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    /// What was sampled until now.
    pub(crate) fn read(&self) -> Result<Profile> {
        let read = profile::of_process(self.process);
        // The first time the tables are made when the request is taken up.
        match read {
            Err(_) if self.is_pending && self.process.gone().is_none() => bail!(
                "process {} has not taken up the request to sample: it has called no slow path of malloc or free meanwhile",
                self.process.pid
            ),
            read => read,
        }
    }

    /// Switches it off if it was off.
    pub(crate) fn end(mut self) -> Result<()> {
        self.switch_off()
    }

    fn switch_off(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_own) {
            self.over.store(true, Ordering::Relaxed);
            return Ok(());
        }
        // The request to begin is dropped if it is still there.
        let (others, patience) = match self.is_pending {
            true => (Others::Replace, Duration::ZERO),
            false => (Others::Wait, LAST_PATIENCE),
        };
        let answer = mail::ask(self.process, Request::Profile(0), patience, others);
        self.over.store(true, Ordering::Relaxed);
        match answer {
            Ok(Answer::Pending) if !self.is_pending => told::tell(&format!(
                "process {} is sampled until its next slow path of malloc or free",
                self.process.pid
            )),
            Ok(_) => {}
            // What has ended samples no more.
            Err(_) if self.process.gone().is_some() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Drop for Sampling<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.switch_off() {
            told::tell(&format!("{error:#}"));
        }
    }
}

/// What errors call a process.
pub(crate) fn subject(process: &Process) -> String {
    format!("process {}", process.pid)
}
