//! Metrics as text, and served.

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use slubctl::memory::Process;
use slubctl::read::{self, Depth};
use slubctl::view;

use crate::looks::{self, Looks};
use crate::serve;
use crate::told::{Told, tell};

/// What the text is (the OpenMetrics specification).
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// The metrics of some processes; of all that use the library if there is none. One that cannot be read is passed over, with a
/// line, as long as there is another.
pub(crate) fn text(pids: &[i32], told: &mut Told) -> Result<String> {
    let snapshots = if pids.is_empty() {
        let looks = Looks::at_all()?;
        told.tell(looks.complaints());
        looks.found
    } else {
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for pid in pids {
            match read::process(*pid, Depth::Resident) {
                Ok(snapshot) => found.push(snapshot),
                Err(error) => errors.push(error),
            }
        }
        // The last error is this command's, if there is nothing else.
        let last = errors.pop_if(|_| found.is_empty());
        let errors = errors.iter().map(|it| format!("{it:#}"));
        told.tell(errors.chain(found.iter().flat_map(looks::unread)).collect());
        match last {
            Some(error) => return Err(error),
            None => found,
        }
    };
    let labelled = snapshots.into_iter().map(|snapshot| {
        let labels = view::Process {
            pid: snapshot.pid,
            command: snapshot.command.clone(),
            cgroup: Process::open(snapshot.pid).cgroup(),
        };
        (labels, snapshot)
    });
    Ok(view::prometheus(&labelled.collect::<Vec<_>>()))
}

/// Serves the metrics until somebody ends this program.
pub(crate) fn serve(address: &str, pids: &[i32]) -> Result<ExitCode> {
    let listener = TcpListener::bind(address).with_context(|| address.to_string())?;
    let address = listener.local_addr()?;
    tell(&format!("serving http://{address}/metrics"));
    // One look at a time, which no client holds up.
    let told = Mutex::new(Told::default());
    serve::serve(&listener, &|path| {
        if path != "/metrics" {
            return ("404 Not Found", PLAIN, "see /metrics\n".to_owned());
        }
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        match text(pids, &mut told) {
            Ok(text) => ("200 OK", TYPE, text),
            // Processes that have ended are none of this program's mistakes.
            Err(error) => ("503 Service Unavailable", PLAIN, format!("{error:#}\n")),
        }
    });
    Ok(ExitCode::SUCCESS)
}
