//! All processes of the machine.

use anyhow::{Context, Result};
use slubctl::directory::OtherVersion;
use slubctl::memory::{Process, Refused};
use slubctl::read::{self, Depth};
use slubctl::snapshot::Snapshot;

/// What all processes of the machine have.
#[derive(Default)]
pub(crate) struct Looks {
    /// Those that use the library.
    pub(crate) found: Vec<Snapshot>,
    /// Those with a library that this program cannot read.
    pub(crate) others: Vec<(i32, OtherVersion)>,
    /// How many may not be looked at.
    pub(crate) refused: usize,
}

/// All processes that may be read and use the library.
pub(crate) fn all() -> Result<Vec<Snapshot>> {
    Ok(Looks::at_all()?.found)
}

impl Looks {
    /// Looks at every process.
    pub(crate) fn at_all() -> Result<Self> {
        let mut looks = Self::default();
        for process in procfs::process::all_processes().context("/proc")? {
            let Ok(process) = process else {
                continue;
            };
            let pid = process.pid();
            let process = Process::open(pid);
            match read::target(&process, Depth::Resident) {
                Ok(mut snapshot) => {
                    snapshot.pid = pid;
                    snapshot.command = process.command();
                    snapshot.heaps.retain(|heap| heap.is_made);
                    looks.found.push(snapshot);
                }
                Err(error) if error.is::<Refused>() => looks.refused += 1,
                // One that ends meanwhile is left out.
                Err(error) => {
                    let other = error.downcast::<OtherVersion>();
                    looks.others.extend(other.ok().map(|it| (pid, it)));
                }
            }
        }
        looks.found.retain(|it| !it.heaps.is_empty());
        Ok(looks)
    }
}
