//! What one run cost: time, resident memory, processor time and page faults of this process.
//!
//! Memory counts from the moment the meter was made, when the benchmark's own arrays are already
//! resident. What the allocator itself had by then is in the reading at the start.

use core::time::Duration;
use std::fs::File;
use std::io::{Read, Write};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// The result of one run of one workload.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Operations done in the timed part; the workload says what one is.
    pub operations: u64,
    /// Wall time of the timed part.
    pub nanoseconds: u64,
    /// A sum over what was read back; equal for every correct allocator when one thread ran.
    pub checksum: u64,
    /// Resident memory at the start of the run, the benchmark's own arrays included, in bytes.
    pub start_bytes: u64,
    /// Peak resident memory above that at the start, in bytes.
    pub peak_bytes: u64,
    /// User time of the whole run, in seconds, filling and emptying included.
    pub user_seconds: f64,
    /// System time of the whole run, in seconds.
    pub system_seconds: f64,
    /// Page faults of the whole run that needed no disk.
    pub minor_faults: u64,
    /// Resident memory above that at the start when the work was over, where a workload reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_bytes: Option<u64>,
    /// The same after the first tenth of the operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_tenth_bytes: Option<u64>,
}

impl Outcome {
    /// Wall nanoseconds for one operation.
    #[must_use]
    pub fn nanoseconds_per_operation(&self) -> f64 {
        self.nanoseconds as f64 / self.operations.max(1) as f64
    }
}

/// The readings at the start of a run.
#[derive(Debug)]
pub struct Meter {
    resident_bytes: u64,
    usage: Usage,
}

impl Meter {
    /// Reads everything once, and makes the kernel forget earlier peaks.
    #[must_use]
    pub fn start() -> Self {
        forget_peak();
        let resident_bytes = status_bytes("VmRSS:");
        Self {
            resident_bytes,
            usage: Usage::now(),
        }
    }

    /// Resident memory above that at the start, now, in bytes; nothing is allocated.
    #[must_use]
    pub fn above_start(&self) -> u64 {
        status_bytes("VmRSS:").saturating_sub(self.resident_bytes)
    }

    /// Reads everything again; `elapsed` is the wall time of only the timed part.
    #[must_use]
    pub fn finish(self, operations: u64, elapsed: Duration, checksum: u64) -> Outcome {
        let usage = Usage::now();
        Outcome {
            operations,
            nanoseconds: elapsed.as_nanos() as u64,
            checksum,
            start_bytes: self.resident_bytes,
            peak_bytes: peak_bytes().saturating_sub(self.resident_bytes),
            user_seconds: usage.user_seconds - self.usage.user_seconds,
            system_seconds: usage.system_seconds - self.usage.system_seconds,
            minor_faults: usage.minor_faults - self.usage.minor_faults,
            rest_bytes: None,
            first_tenth_bytes: None,
        }
    }

    /// Times `work`, which gives the operations it did and its checksum.
    #[must_use]
    pub fn time(self, work: impl FnOnce() -> (u64, u64)) -> Outcome {
        let start = Instant::now();
        let (operations, checksum) = work();
        self.finish(operations, start.elapsed(), checksum)
    }
}

#[derive(Debug)]
struct Usage {
    user_seconds: f64,
    system_seconds: f64,
    minor_faults: u64,
}

impl Usage {
    fn now() -> Self {
        let mut usage = core::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `getrusage` writes one `rusage` to the address it is given.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        // SAFETY: all-zero is a valid `rusage`, even if the call failed.
        let usage = unsafe { usage.assume_init() };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Self {
            user_seconds: seconds(usage.ru_utime),
            system_seconds: seconds(usage.ru_stime),
            minor_faults: usage.ru_minflt as u64,
        }
    }
}

/// Resets `VmHWM` (proc_pid_clear_refs(5)). Where that is not allowed, an earlier peak may hide a lower one.
fn forget_peak() {
    if let Ok(mut file) = File::options().write(true).open("/proc/self/clear_refs") {
        let _refused = file.write_all(b"5");
    }
}

/// The most this process has had resident, in bytes.
#[must_use]
pub fn peak_bytes() -> u64 {
    status_bytes("VmHWM:")
}

/// One line of `/proc/self/status`, in bytes; read into the stack, so that nothing is allocated.
fn status_bytes(name: &str) -> u64 {
    let mut text = [0; 4096];
    let read = File::open("/proc/self/status").and_then(|mut file| file.read(&mut text));
    let text = core::str::from_utf8(&text[..read.unwrap_or(0)]).unwrap_or("");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or("");
    let kibibytes = line
        .split_whitespace()
        .next()
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::Meter;
    use crate::table::system;

    #[test]
    fn a_peak_is_seen_after_it_is_gone() {
        let table = system();
        let meter = Meter::start();
        let mut buffer = table.bytes(64 << 20);
        buffer.touch(0, 1);
        assert!(meter.above_start() > 60 << 20);
        table.release(buffer);
        assert!(meter.above_start() < 30 << 20);
        let outcome = meter.time(|| (1, 0));
        assert!(outcome.peak_bytes > 60 << 20, "{outcome:?}");
    }
}
