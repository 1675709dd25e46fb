//! Core files: every view of a running process is one of its core file as well.

mod support;

use std::cell::RefCell;
use std::fs;
use std::process::Command;

use anyhow::Result;
use procfs::process::VmFlags;
use slubctl::memory::{Mapping, Memory, Process};
use slubctl::read::{self, Depth};
use support::{Target, assert_known, built, compile, compile_named, scratch, slubctl, text};

#[test]
fn a_core_file_is_known() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("a pattern");
    if pattern.trim_end() != "core" {
        return support::skipped(&format!(
            "core files do not go to the working directory here: {pattern}"
        ));
    }
    let program = compile("core", &[]);
    let directory = scratch().join("core-files");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    let mut shell = Command::new("sh");
    shell.current_dir(&directory);
    shell.args([
        "-c",
        "ulimit -c unlimited && LD_PRELOAD=\"$1\" \"$2\" abort",
        "sh",
    ]);
    shell.arg(built().join("libslubmalloc.so")).arg(program);
    let output = shell.output().expect("sh");
    assert!(!output.status.success());
    let mut files = fs::read_dir(&directory).expect("a directory");
    let Some(Ok(core)) = files.next() else {
        return support::skipped("the kernel wrote no core file");
    };
    let core = core.path();
    let core = core.to_str().expect("UTF-8");
    assert_known(&serde_json::from_str(&text(&["core", core, "json"])).expect("JSON"));
    assert!(text(&["core", core]).starts_with("core of "));
    assert!(text(&["core", core, "slabinfo"]).starts_with("slabinfo - version: 2.1\n"));
    assert!(text(&["core", core, "map"]).starts_with("core of "));
    let map = directory.join("map.svg");
    text(&["core", core, "map", "-o", map.to_str().expect("UTF-8")]);
    assert!(fs::read_to_string(map).expect("a map").starts_with("<svg"));
    assert!(text(&["core", core, "check"]).ends_with("the tables agree\n"));
    assert!(text(&["core", core, "prometheus"]).ends_with("# EOF\n"));
    for view in [
        "buddyinfo",
        "pagetypeinfo",
        "extfrag",
        "numastat",
        "vmstat",
        "threads",
    ] {
        assert!(!text(&["core", core, view]).is_empty());
    }
    // What was cut off is an error of one line, or not missed.
    let file = fs::OpenOptions::new()
        .write(true)
        .open(core)
        .expect("the core file");
    let mut length = file.metadata().expect("a length").len();
    while length > 0 {
        length = length / 3 * 2;
        file.set_len(length).expect("a shorter file");
        let output = slubctl(&["core", core]);
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(
            output.status.code().is_some_and(|code| code < 2),
            "{errors}"
        );
        assert_eq!(
            errors.lines().count(),
            usize::from(!output.status.success())
        );
    }
    let _ = fs::remove_dir_all(&directory);
}

/// A process, and where it was read.
struct Recorded {
    process: Process,
    places: RefCell<Vec<u64>>,
}

impl Memory for Recorded {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        self.process.read(address, buffer)?;
        self.places.borrow_mut().push(address);
        Ok(())
    }

    fn mappings(&self) -> Result<Vec<Mapping>> {
        self.process.mappings()
    }

    fn resident(&self, address: u64, pages: usize) -> Option<Vec<bool>> {
        self.process.resident(address, pages)
    }

    fn page_bytes(&self) -> u64 {
        self.process.page_bytes()
    }
}

#[test]
fn no_table_is_left_out_of_core_files() {
    for target in [
        Target::preloaded(&compile("tables", &[]), "threads"),
        Target::start(&mut Command::new(compile_named())),
    ] {
        let recorded = Recorded {
            process: Process::open(target.pid()),
            places: RefCell::default(),
        };
        read::target(&recorded, Depth::Resident).expect("a heap");
        assert!(
            read::check(&recorded, || Ok(()))
                .expect("tables")
                .is_empty()
        );
        read::squares(&recorded).expect("arenas");
        let smaps = procfs::process::Process::new(target.pid()).and_then(|it| it.smaps());
        let smaps = smaps.expect("smaps");
        let is_out = |it: &&procfs::process::MemoryMap| it.extension.vm_flags.contains(VmFlags::DD);
        let out: Vec<_> = smaps.0.iter().filter(is_out).map(|it| it.address).collect();
        // What is reserved and not used yet is left out.
        assert!(!out.is_empty());
        let places = recorded.places.into_inner();
        assert!(places.len() > 100);
        for place in places {
            let mut ranges = out.iter();
            let range = ranges.find(|(start, end)| (*start..*end).contains(&place));
            assert_eq!(range, None, "{place:#x} is left out");
        }
    }
}
