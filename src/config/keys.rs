//! The keys of `SLUBMALLOC_CONF`: what each takes, and what it does.
#![forbid(unsafe_code)]

use super::ranges::{MAX_ARENA, MIN_ARENA, is_limit, is_profile_rate, is_purge_time};
use super::{Config, ThreadChoice, print_help, size, size_or_off};
use crate::limit::LimitChoice;
use crate::modes::Options;
use crate::numa::Choice;
use crate::report::{Output, write_to_file};
use crate::sys::HugePages;
use crate::units::MAX_CLUSTERS;

/// A key, what it takes, and what it does.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) values: &'static str,
    /// Which of those are accepted; empty for all.
    pub(super) bounds: &'static str,
    pub(super) default: &'static str,
    pub(super) does: &'static str,
    pub(super) set: fn(&mut Config, &[u8]) -> Option<()>,
}

pub(super) const KEYS: [Key; if cfg!(placed) { 21 } else { 20 }] = [
    Key {
        name: "arena",
        values: "SIZE",
        bounds: "SIZE from 64m to 4t",
        default: "twice the RAM, at least 64g",
        does: "address space to reserve, divided among the nodes",
        set: |config, value| {
            let bytes = size(value).filter(|bytes| (MIN_ARENA..=MAX_ARENA).contains(bytes))?;
            config.heap.arena_bytes = bytes;
            Some(())
        },
    },
    Key {
        name: "clusters",
        values: "N|auto|off",
        bounds: "N from 1 to 32",
        default: "auto",
        does: "groups of processors whose threads share slabs and locks; auto: up to eight that share a last-level cache, where there are more than eight processors and threads",
        set: |config, value| {
            config.clusters = match value {
                b"auto" => None,
                b"off" => Some(1),
                _ => {
                    let count = size(value).filter(|it| (1..=MAX_CLUSTERS).contains(it))?;
                    config.heap.few_threads = 1;
                    Some(count as u8)
                }
            };
            Some(())
        },
    },
    Key {
        name: "crime",
        values: "abort|warn",
        bounds: "",
        default: "abort",
        does: "what to do after reporting misuse: abort, or ignore the call",
        set: |config, value| {
            config.only_warn = match value {
                b"abort" => false,
                b"warn" => true,
                _ => return None,
            };
            Some(())
        },
    },
    Key {
        name: "deepbind",
        values: "off|keep|keep=NAME",
        bounds: "",
        default: "off",
        does: "plug-ins for which the flag RTLD_DEEPBIND counts, under a preload: none, all, or those named, NAME* for beginnings",
        set: |config, value| config.deepbind.set(value),
    },
    Key {
        name: "guard",
        values: "1/N|off",
        bounds: "N from 1 to 4294967295",
        default: "off",
        does: "put one block of each class in N on pages of its own, against a page that faults",
        set: |config, value| {
            config.modes.guard = match value {
                b"off" => 0,
                _ => u32::try_from(size(value.strip_prefix(b"1/")?)?)
                    .ok()
                    .filter(|it| *it > 0)?,
            };
            Some(())
        },
    },
    Key {
        name: "help",
        values: "1|off",
        bounds: "",
        default: "0",
        does: "list the keys on standard error",
        set: |_, value| match value {
            b"1" => {
                print_help();
                Some(())
            }
            b"0" | b"off" => Some(()),
            _ => None,
        },
    },
    Key {
        name: "limit",
        values: "SIZE|auto|off",
        bounds: "SIZE from 16m on",
        default: "auto",
        does: "memory in use above which allocation fails; auto: the memory cgroup's limit, which is looked for later too if that is said",
        set: |config, value| {
            config.limit = match value {
                b"auto" => LimitChoice::Auto,
                b"off" => LimitChoice::Off,
                _ => LimitChoice::Bytes(size(value).filter(|bytes| is_limit(*bytes))?),
            };
            Some(())
        },
    },
    Key {
        name: "numa",
        values: "local|interleave|weighted|bind=N,N|prefer=N|off",
        bounds: "",
        default: "local",
        does: "nodes to take memory from",
        set: |config, value| {
            config.heap.choice = Choice::parse(value)?;
            Some(())
        },
    },
    #[cfg(placed)]
    Key {
        name: "placement",
        values: "NUMBER",
        bounds: "",
        default: "0",
        does: "where own tables lie, for measurements",
        set: |_, value| {
            crate::sys::set_placement(size(value)?);
            Some(())
        },
    },
    Key {
        name: "preset",
        values: "tiny|off",
        bounds: "",
        default: "off",
        does: "several settings at once, which other keys may change; tiny: less memory for more time",
        set: |config, value| match value {
            b"tiny" => {
                config.be_tiny(true);
                Some(())
            }
            b"off" => {
                config.be_tiny(false);
                Some(())
            }
            _ => None,
        },
    },
    Key {
        name: "profile",
        values: "on|exit=FILE|off",
        bounds: "FILE as for report",
        default: "off",
        does: "sample which stacks hold how much memory, and write that to a file when the program ends",
        set: |config, value| {
            let path = match value {
                b"on" | b"off" => None,
                _ => Some(value.strip_prefix(b"exit=")?),
            };
            write_to_file(Output::Profile, path)?;
            config.is_profiled = value != b"off";
            Some(())
        },
    },
    Key {
        name: "profile_rate",
        values: "SIZE",
        bounds: "SIZE from 1 to 1t",
        default: "512k",
        does: "bytes between two samples of the heap profile in the mean; 1 for every block",
        set: |config, value| {
            let rate = size(value).filter(|rate| is_profile_rate(*rate))?;
            config.profile_rate = rate as u64;
            Some(())
        },
    },
    Key {
        name: "purge_ms",
        values: "N|never|off",
        bounds: "N up to 3600000",
        default: "1000",
        does: "milliseconds after which unused memory has mostly gone back to the system; 0 for at once",
        set: |config, value| {
            config.purge_ms = match value {
                b"off" | b"never" => None,
                _ => Some(
                    size(value)
                        .map(|ms| ms as u64)
                        .filter(|ms| is_purge_time(*ms))?,
                ),
            };
            Some(())
        },
    },
    Key {
        name: "purge_thread",
        values: "auto|on|off",
        bounds: "",
        default: "auto",
        does: "a thread that gives memory back while the program sleeps; auto: with several threads and 32 MiB touched",
        set: |config, value| {
            config.purge_thread = match value {
                b"auto" => ThreadChoice::Auto,
                b"on" => ThreadChoice::On,
                b"off" => ThreadChoice::Off,
                _ => return None,
            };
            Some(())
        },
    },
    Key {
        name: "quarantine",
        values: "SIZE|off",
        bounds: "",
        default: "0",
        does: "freed blocks to keep from being used again, in bytes",
        set: |config, value| {
            config.modes.quarantine = size_or_off(value)?;
            Some(())
        },
    },
    Key {
        name: "report",
        values: "FILE|off",
        bounds: "FILE with %p for the process, %n for the program, and without a comma",
        default: "off",
        does: "append reports, and statistics without a file of their own, to a file instead of standard error",
        set: |_, value| {
            let path = Some(value).filter(|value| *value != b"off");
            write_to_file(Output::Reports, path)
        },
    },
    Key {
        name: "reuse",
        values: "SIZE|off",
        bounds: "",
        default: "64m",
        does: "freed mappings above 4 MiB to keep for reuse, more if as much was in use recently; 0 for none",
        set: |config, value| {
            config.heap.reuse_bytes = size_or_off(value)?;
            Some(())
        },
    },
    Key {
        name: "slab_debug",
        values: "[FZPUT][,NAME...][;...]|-|off",
        bounds: "",
        default: "off",
        does: "sanity checks, red zones, poison, user tracking, trace: for all caches or those named, as in the kernel",
        set: |config, value| {
            config.modes.debug = Options::parse(value)?;
            Some(())
        },
    },
    Key {
        name: "stats",
        values: "exit|exit=FILE|off",
        bounds: "FILE as for report",
        default: "off",
        does: "print statistics on standard error, or append them to a file, when the program ends",
        set: |config, value| {
            let path = match value {
                b"exit" | b"off" => None,
                _ => Some(value.strip_prefix(b"exit=")?),
            };
            write_to_file(Output::Statistics, path)?;
            config.stats_at_exit = value != b"off";
            Some(())
        },
    },
    Key {
        name: "thp",
        values: "auto|system|never|always|off",
        bounds: "",
        default: "system",
        does: "transparent huge pages: as set for the system, never, for heaps above 32 MiB and blocks above 4 MiB, or in heaps above 128 MiB only for small objects",
        set: |config, value| {
            config.heap.huge_pages = match value {
                b"auto" => HugePages::Auto,
                b"system" => HugePages::System,
                b"off" | b"never" => HugePages::Never,
                b"always" => HugePages::Always,
                _ => return None,
            };
            Some(())
        },
    },
    Key {
        name: "zero",
        values: "free|alloc|off",
        bounds: "",
        default: "off",
        does: "clear blocks when they are freed, or when they are handed out",
        set: |config, value| {
            let clearing = &mut config.modes.clearing;
            (clearing.on_free, clearing.on_alloc) = match value {
                b"free" => (true, clearing.on_alloc),
                b"alloc" => (clearing.on_free, true),
                b"off" => (false, false),
                _ => return None,
            };
            Some(())
        },
    },
];
