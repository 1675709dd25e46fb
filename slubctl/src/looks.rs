//! All processes of the machine.

use anyhow::{Context, Result};
use slubctl::memory::{Memory, Process, Refused, is_root};
use slubctl::read::{self, Depth};
use slubctl::snapshot::Snapshot;

/// Processes that are named in a line.
const NAMED: usize = 5;

/// What all processes of the machine have.
#[derive(Default)]
pub(crate) struct Looks {
    /// Those that use the library.
    pub(crate) found: Vec<Snapshot>,
    /// A line for each that uses it and cannot be read.
    damaged: Vec<String>,
    /// Those that may not be looked at.
    refused: Vec<i32>,
}

impl Looks {
    /// Looks at every process.
    pub(crate) fn at_all() -> Result<Self> {
        let mut looks = Self::default();
        for process in procfs::process::all_processes().context("/proc")? {
            let Ok(process) = process else {
                continue;
            };
            // The kernel's own have no command line.
            let has_program = process.cmdline().is_ok_and(|it| !it.is_empty());
            looks.at(&Process::open(process.pid()), has_program);
        }
        looks.found.retain(|it| !it.heaps.is_empty());
        Ok(looks)
    }

    fn at(&mut self, process: &Process, has_program: bool) {
        let mut read = read::target(process, Depth::Resident);
        // Another program may have begun in it meanwhile.
        if read.as_ref().is_err_and(|it| !it.is::<Refused>()) {
            read = read::target(process, Depth::Resident);
        }
        match read {
            Ok(mut snapshot) => {
                snapshot.pid = process.pid;
                snapshot.command = process.command();
                self.damaged.extend(unread(&snapshot));
                snapshot.heaps.retain(|heap| heap.is_made);
                self.found.push(snapshot);
            }
            Err(error) if error.is::<Refused>() => {
                self.refused.extend(has_program.then_some(process.pid));
            }
            // One that has ended is left out.
            Err(error) if process.gone().is_none() && process.mappings().is_ok() => {
                let own = format!("process {}: ", process.pid);
                let error = format!("{error:#}");
                let error = error.strip_prefix(&own).unwrap_or(&error);
                self.damaged.push(format!("{own}{error}"));
            }
            Err(_) => {}
        }
    }

    /// What there is to say of those that are left out.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let refused = (!self.refused.is_empty()).then(|| refused(&self.refused));
        self.damaged.iter().cloned().chain(refused).collect()
    }
}

/// Processes that may not be looked at, and what helps.
fn refused(pids: &[i32]) -> String {
    let named = pids.iter().take(NAMED).map(i32::to_string);
    let mut named = named.collect::<Vec<_>>().join(", ");
    if pids.len() > NAMED {
        named.push_str(", …");
    }
    let what = match pids.len() {
        1 => "1 process may not be looked at, and is left out".to_owned(),
        count => format!("{count} processes may not be looked at, and are left out"),
    };
    let sudo = if is_root() { "" } else { ": try sudo" };
    format!("{what} ({named}){sudo}")
}

/// A line for each copy of the library in a process that could not be read, where another could.
pub(crate) fn unread(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    let line = |it| {
        format!(
            "process {}: another copy of the library is left out: {it}",
            snapshot.pid
        )
    };
    snapshot.unread.iter().map(line)
}
