//! Stopping a process for a moment, by ptrace(2): no signal that its shell would see, and it ends with this program.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;
use procfs::process::Process as ProcFs;

use crate::memory::refused;
use crate::tracee::{self, Event};

/// A thread that does not stop by then waits for a device, perhaps.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(1);

/// A process whose threads are all stopped, until this value goes.
#[derive(Debug)]
pub struct Stopped(HashSet<i32>);

impl Stopped {
    /// Stops all threads of a process.
    pub fn stop(pid: i32) -> Result<Self> {
        let mut stopped = Self(HashSet::new());
        let deadline = Instant::now() + PATIENCE;
        // A thread that was not stopped yet may have started another.
        loop {
            let tasks = ProcFs::new(pid).and_then(|it| it.tasks());
            let tasks = tasks.with_context(|| format!("process {pid}"))?;
            let all: Vec<i32> = tasks.flatten().map(|task| task.tid).collect();
            let new: Vec<i32> = all
                .into_iter()
                .filter(|it| !stopped.0.contains(it) && !has_ended(*it))
                .collect();
            if new.is_empty() {
                return Ok(stopped);
            }
            for thread in new {
                stopped.stop_thread(pid, thread, deadline)?;
            }
            if Instant::now() > deadline {
                bail!("process {pid} starts threads faster than they can be stopped");
            }
        }
    }

    fn stop_thread(&mut self, pid: i32, thread: i32, deadline: Instant) -> Result<()> {
        let id = Pid::from_raw(thread);
        match ptrace::seize(id, ptrace::Options::empty()) {
            Ok(()) => {}
            Err(Errno::ESRCH) => return Ok(()),
            // The first thread may have ended before the others.
            Err(_) if has_ended(thread) => return Ok(()),
            // A debugger's threads have a tracer already; without the right to look none would be.
            Err(Errno::EPERM) if !is_traced(thread) => return Err(refused(pid)),
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("thread {thread} of process {pid} cannot be stopped; is a debugger attached?")
                });
            }
        }
        self.0.insert(thread);
        if ptrace::interrupt(id).is_err() {
            return Ok(());
        }
        loop {
            match tracee::next_event(thread) {
                // A signal came first: the thread takes it, and stops after that.
                Some(Event::Signal(signal)) => tracee::go_on(thread, signal),
                Some(Event::Stop | Event::End) => return Ok(()),
                None if Instant::now() < deadline => std::thread::sleep(LOOK),
                None => {
                    bail!(
                        "thread {thread} of process {pid} does not stop: it waits for a device, perhaps"
                    );
                }
            }
        }
    }
}

fn is_traced(thread: i32) -> bool {
    let status = ProcFs::new(thread).and_then(|it| it.status());
    status.is_ok_and(|it| it.tracerpid != 0)
}

fn has_ended(thread: i32) -> bool {
    let stat = ProcFs::new(thread).and_then(|it| it.stat());
    stat.is_ok_and(|it| matches!(it.state, 'Z' | 'X'))
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for thread in &self.0 {
            let _ = ptrace::detach(Pid::from_raw(*thread), None);
        }
    }
}
