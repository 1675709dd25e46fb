//! A Redis server under the allocator, loaded by `redis-benchmark` without it.
//!
//! Debian's server is linked with another allocator, so the C library's own is preloaded for the
//! baseline, as the others are for theirs.

use core::time::Duration;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::driver::Failure;
use crate::driver::child::succeeded;
use crate::driver::peer::{Peer, Way};
use crate::meter::Outcome;

/// The load: commands per kind, keys, bytes of a value.
const LOAD: &[&str] = &[
    "-q",
    "-P",
    "16",
    "-n",
    "300000",
    "-r",
    "100000",
    "-d",
    "120",
    "-t",
    "set,get,lpush,lpop,sadd,hset",
];

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

pub(super) fn once(peer: &Peer, folder: &Path) -> Result<Outcome, Failure> {
    let socket = folder.join("redis.sock");
    _ = std::fs::remove_file(&socket);
    let preload = match peer.way {
        Way::Plain => "libc.so.6".into(),
        _ => peer.preload(),
    };
    let mut command = Command::new("redis-server");
    command
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"])
        .arg(folder);
    command
        .arg("--unixsocket")
        .arg(&socket)
        .envs(peer.variables())
        .env("LD_PRELOAD", preload);
    let server = Server(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    );
    wait_for(&socket)?;
    let start = Instant::now();
    let output = Command::new("redis-benchmark")
        .arg("-s")
        .arg(&socket)
        .args(LOAD)
        .stdin(Stdio::null())
        .output()?;
    let elapsed = start.elapsed();
    succeeded(&output)?;
    outcome(server.0.id(), elapsed)
}

fn wait_for(socket: &Path) -> Result<(), Failure> {
    let start = Instant::now();
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        if start.elapsed() > Duration::from_secs(10) {
            return Err("redis-server did not start".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The server's cost until now, from proc(5): it still runs.
fn outcome(process: u32, elapsed: Duration) -> Result<Outcome, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("");
    let peak: u64 = peak.split_whitespace().next().unwrap_or("").parse()?;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    // After the name: minflt is the 8th field, utime and stime the 12th and 13th, in hundredths.
    let field = |index: usize| fields.get(index).copied().unwrap_or(0);
    Ok(Outcome {
        operations: 1,
        nanoseconds: elapsed.as_nanos() as u64,
        peak_bytes: peak * 1024,
        user_seconds: field(11) as f64 / 100.0,
        system_seconds: field(12) as f64 / 100.0,
        minor_faults: field(7),
        ..Outcome::default()
    })
}
