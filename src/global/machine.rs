//! What the kernel says about the machine, in files.
#![forbid(unsafe_code)]

use crate::numa::{CpuBits, Cpus, Distances, Fact, MAX_CPUS, Topology};
use crate::report::Line;
use crate::sys;

static CPUS: Cpus = Cpus::unknown();
static DISTANCES: Distances = Distances::unknown();

/// The nodes of this machine that the process may have memory of.
#[cold]
pub(super) fn topology() -> Topology {
    // One system call instead of the files, on the machines that most programs run on.
    let allowed = sys::allowed_nodes();
    if allowed == Some(1) {
        return Topology::single();
    }
    let mut topology = Topology::detect(&DISTANCES, read_fact);
    // The text that says the same may be longer than one wants to read here.
    if topology.homes().len() > 1
        && let Some(allowed) = allowed
    {
        topology.restrict(allowed);
    }
    topology
}

/// The number of the cluster that runs the caller.
pub(super) fn current_cluster() -> u8 {
    CPUS.cluster_of(sys::current_cpu())
}

/// How many clusters of processors the process may run on, or as many as it is told.
#[cold]
pub(super) fn clusters(told: Option<u8>) -> u8 {
    if let Some(told) = told {
        CPUS.deal(told);
        return told;
    }
    let mut allowed: CpuBits = [0; MAX_CPUS / 64];
    match sys::allowed_cpus(&mut allowed) {
        true => CPUS.detect(&allowed, read_shared),
        false => 1,
    }
}

/// Reads which CPUs share the last-level cache with one.
fn read_shared(cpu: usize, buffer: &mut [u8]) -> Option<usize> {
    let before = "/sys/devices/system/cpu/cpu";
    let text = read_numbered(before, cpu, "/cache/index3/shared_cpu_list\0", buffer);
    text.map(<[u8]>::len)
}

pub(super) fn read_fact(fact: Fact, buffer: &mut [u8]) -> Option<usize> {
    let text = match fact {
        Fact::Online => sys::read_file(cstr::cstr!("/sys/devices/system/node/online"), buffer),
        Fact::HasMemory => {
            sys::read_file(cstr::cstr!("/sys/devices/system/node/has_memory"), buffer)
        }
        Fact::Status => sys::read_file(cstr::cstr!("/proc/self/status"), buffer),
        Fact::Distance(node) => read_numbered(
            "/sys/devices/system/node/node",
            node.index(),
            "/distance\0",
            buffer,
        ),
        Fact::Weight(node) => read_numbered(
            "/sys/kernel/mm/mempolicy/weighted_interleave/node",
            node.index(),
            "\0",
            buffer,
        ),
    };
    text.map(<[u8]>::len)
}

/// Reads the file whose path is `before`, a number and `after`, which ends with a zero.
fn read_numbered<'buffer>(
    before: &str,
    number: usize,
    after: &str,
    buffer: &'buffer mut [u8],
) -> Option<&'buffer [u8]> {
    let mut path = Line::<80>::new();
    path.text(before).number(number).text(after);
    let path = core::ffi::CStr::from_bytes_until_nul(path.as_bytes()).ok()?;
    sys::read_file(path, buffer)
}
