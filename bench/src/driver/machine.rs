//! Which machine the figures are of.

use std::fs::read_to_string;

/// Processor, number of processors, memory, kernel: one line.
#[must_use]
pub fn description() -> String {
    let processor =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let cores = std::thread::available_parallelism().map_or(1, core::num::NonZero::get);
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| {
        let kibibytes: u64 = text.split_whitespace().next()?.parse().ok()?;
        Some(format!("{} GiB", kibibytes.div_ceil(1 << 20)))
    });
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = kernel.split('-').next().unwrap_or_default().trim();
    format!(
        "{processor}, {cores} processors, {}, Linux {version}",
        memory.unwrap_or_default()
    )
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
