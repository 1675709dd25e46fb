//! A machine that does not exist, as its files tell of it.
#![forbid(unsafe_code)]

extern crate std;
use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};

use super::{Group, Numbers, Show, Usage};
use core::ffi::CStr;

pub(super) const MIB: usize = 1 << 20;
pub(super) const RAM: usize = 8 << 30;
/// What version 1 says where there is no limit.
pub(super) const V1_ENDLESS: usize = 9_223_372_036_854_771_712;

/// A file system: texts by path.
#[derive(Clone, Default)]
pub(super) struct Machine(BTreeMap<String, String>);

impl Machine {
    pub(super) fn new(cgroup: &str) -> Self {
        Self::default().with("/proc/self/cgroup", cgroup)
    }

    pub(super) fn with(mut self, path: &str, text: impl ToString) -> Self {
        self.0.insert(path.into(), text.to_string());
        self
    }

    /// The root of a real hierarchy of version 2, which has no limits.
    pub(super) fn v2_root(self, mount: &str) -> Self {
        self.with(&format!("{mount}/cgroup.controllers"), "cpu io memory\n")
    }

    /// A group of version 2 with 40 MiB in use, of which 30 are for good.
    pub(super) fn v2(self, directory: &str, max: impl ToString, high: impl ToString) -> Self {
        self.v2_root(directory)
            .with(&format!("{directory}/memory.max"), max.to_string() + "\n")
            .with(&format!("{directory}/memory.high"), high.to_string() + "\n")
            .using(directory, 40, 30)
    }

    pub(super) fn using(self, directory: &str, all: usize, for_good: usize) -> Self {
        let cached = (all - for_good) * MIB;
        let (active, inactive) = (cached / 4, cached - cached / 4);
        self.with(
            &format!("{directory}/memory.current"),
            format!("{}\n", all * MIB),
        )
        .with(
            &format!("{directory}/memory.stat"),
            format!(
                "anon {}\nfile {cached}\nshmem 1\ninactive_anon 7777\nactive_anon 8888\n\
                 inactive_file {inactive}\nactive_file {active}\nunevictable 99\n",
                for_good * MIB
            ),
        )
    }

    /// A group of version 1 with 40 MiB in use, of which 35 are for good; its statistics are long.
    pub(super) fn v1(self, directory: &str, limit: usize) -> Self {
        let local = (0..60).map(|line| format!("workingset_refault_{line} 18446744073709551615\n"));
        let statistics = local.collect::<String>()
            + "inactive_file 123456789\nactive_file 123456789\n\
               total_inactive_file 4194304\ntotal_active_file 1048576\ntotal_unevictable 0\n";
        assert!(statistics.len() > 2400);
        self.with(
            &format!("{directory}/memory.limit_in_bytes"),
            format!("{limit}\n"),
        )
        .with(&format!("{directory}/memory.soft_limit_in_bytes"), "4096\n")
        .with(
            &format!("{directory}/memory.usage_in_bytes"),
            format!("{}\n", 40 * MIB),
        )
        .with(&format!("{directory}/memory.stat"), statistics)
    }

    /// In pieces of lengths that no line has.
    pub(super) fn read(&self, path: &CStr, show: &mut Show<'_>) -> Option<()> {
        let text = self.0.get(path.to_str().ok()?)?.as_bytes();
        text.chunks(7).all(show);
        Some(())
    }

    /// The group, if it has a limit.
    pub(super) fn group(&self) -> Option<Group> {
        let group = Group::detect(RAM, |path, show| self.read(path, show))?;
        let is_limited = self.numbers_of(&group)?.is_limited();
        is_limited.then_some(group)
    }

    pub(super) fn numbers_of(&self, group: &Group) -> Option<Numbers> {
        let levels = group.levels(&mut |path, show| self.read(path, show))?;
        Some(levels.numbers())
    }

    /// The hard and the soft limit in MiB; `None` where there is neither.
    pub(super) fn limits(&self) -> Option<(usize, usize)> {
        let numbers = self.numbers_of(&self.group()?)?;
        Some((numbers.hard / MIB, numbers.soft / MIB))
    }

    pub(super) fn usage_of(&self, group: &Group) -> Option<Usage> {
        let mut read = |path: &CStr, show: &mut Show<'_>| self.read(path, show);
        group.levels(&mut read)?.usage(group, &mut read)
    }

    /// The usage in MiB against the hard and the soft limit.
    pub(super) fn usage(&self) -> (usize, usize) {
        let usage = self.usage_of(&self.group().expect("a limit"));
        let usage = usage.expect("a usage");
        (usage.hard / MIB, usage.soft / MIB)
    }

    pub(super) fn without(&mut self, path: &str) {
        self.0.remove(path).expect("a file");
    }
}
