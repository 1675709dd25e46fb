//! Metrics as text, and a small server for them.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use slubctl::memory::Process;
use slubctl::read::{self, Depth};
use slubctl::view;
use tiny_http::{Header, Response, Server};

/// What the text is (the OpenMetrics specification).
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of some processes; of all that use the library if there is none.
pub(crate) fn text(pids: &[i32]) -> Result<String> {
    let snapshots = match pids {
        [] => crate::looks::all()?,
        pids => {
            let each = pids.iter().map(|pid| read::process(*pid, Depth::Resident));
            each.collect::<Result<_>>()?
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
pub(crate) fn serve(address: SocketAddr, pids: &[i32]) -> Result<ExitCode> {
    let server = Server::http(address).map_err(|error| anyhow!("{address}: {error}"))?;
    let kind = Header::from_bytes("Content-Type", TYPE);
    let kind = kind.map_err(|()| anyhow!("no header"))?;
    eprintln!("slubctl: serving http://{}/metrics", server.server_addr());
    for request in server.incoming_requests() {
        let response = match (request.url(), text(pids)) {
            ("/metrics", Ok(text)) => Response::from_string(text).with_header(kind.clone()),
            // A process that has ended is none of this program's mistakes.
            ("/metrics", Err(error)) => {
                Response::from_string(format!("{error:#}\n")).with_status_code(503)
            }
            _ => Response::from_string("see /metrics\n").with_status_code(404),
        };
        // Who asked may be gone.
        let _ = request.respond(response);
    }
    Ok(ExitCode::SUCCESS)
}
