//! Core files: every view of a running process is one of its core file as well.

mod support;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use procfs::process::VmFlags;
use slubctl::memory::{Mapping, Memory, Page, Process};
use slubctl::read::{self, Depth};
use slubctl::snapshot::Snapshot;
use support::{Target, assert_known, built, compile, compile_named, scratch, slubctl, text};

/// A directory with a copy of the library, and the core file there of a program that had that; none where the kernel writes it elsewhere.
fn core_of_kernel(name: &str) -> Option<(PathBuf, PathBuf)> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("a pattern");
    if pattern.trim_end() != "core" {
        support::skipped(&format!(
            "core files do not go to the working directory here: {pattern}"
        ));
        return None;
    }
    let program = compile(name, &[]);
    let directory = scratch().join(format!("core-of-{name}"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    let library = directory.join("libslubmalloc.so");
    fs::copy(built().join("libslubmalloc.so"), &library).expect("a copy");
    let mut shell = Command::new("sh");
    shell.current_dir(&directory);
    shell.args([
        "-c",
        "ulimit -c unlimited && LD_PRELOAD=\"$1\" \"$2\" abort",
        "sh",
    ]);
    let output = shell.arg(library).arg(program).output().expect("sh");
    assert!(!output.status.success());
    let is_core = |it: &PathBuf| {
        it.file_name()
            .is_some_and(|name| name != "libslubmalloc.so")
    };
    let files = fs::read_dir(&directory).expect("a directory").flatten();
    let core = files.map(|it| it.path()).find(is_core);
    if core.is_none() {
        support::skipped("the kernel wrote no core file");
    }
    core.map(|core| (directory, core))
}

#[test]
fn a_core_file_is_known() {
    let Some((directory, core)) = core_of_kernel("core") else {
        return;
    };
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
    // Without a view a file has the map; of no other view is there one.
    let other = directory.join("other.svg");
    let path = other.to_str().expect("UTF-8");
    text(&["core", core, "-o", path]);
    assert!(
        fs::read_to_string(&other)
            .expect("a map")
            .starts_with("<svg")
    );
    let output = slubctl(&["core", core, "show", "-o", path]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    // Files that are named are looked at, needed or not.
    for (option, path, code, what) in [
        ("--library", "/nope", 1, "/nope: No such file"),
        ("--exe", "/nope", 1, "/nope: No such file"),
        ("--sysroot", "/nope", 1, "/nope: No such file"),
        ("--exe", "/bin/true", 4, "is another build than the core's"),
        (
            "--library",
            "/bin/true",
            4,
            "is another build than the core's",
        ),
    ] {
        let output = slubctl(&["core", option, path, core]);
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{option} {path}: {line}");
        assert!(line.contains(what), "{line}");
    }
    // What is cut off is told in one line, whether it is missed or not.
    let file = fs::OpenOptions::new()
        .write(true)
        .open(core)
        .expect("the core file");
    let whole = file.metadata().expect("a length").len();
    let mut length = whole - 1;
    while length > 0 {
        file.set_len(length).expect("a shorter file");
        let output = slubctl(&["core", core]);
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(
            output.status.code().is_some_and(|code| code < 2),
            "{errors}"
        );
        assert_eq!(errors.lines().count(), 1, "{errors}");
        let cut = format!("cut off: {length} of {whole} bytes");
        assert!(length < 64 << 10 || errors.contains(&cut), "{errors}");
        length = length / 3 * 2;
    }
    let _ = fs::remove_dir_all(&directory);
}

#[test]
fn a_library_of_another_build_is_named() {
    let Some((directory, core)) = core_of_kernel("build") else {
        return;
    };
    let core = core.to_str().expect("UTF-8");
    let library = directory.join("libslubmalloc.so");
    let whole = fs::read(&library).expect("the library");
    let moved = directory.join("moved.so");
    fs::rename(&library, &moved).expect("another name");
    let with = |option: &str, path: &Path| {
        slubctl(&["core", core, option, path.to_str().expect("UTF-8"), "json"])
    };
    // Gone, and found by each option.
    let line = support::failure(&["core", core]);
    assert!(
        line.contains("libslubmalloc.so: No such file") && line.contains("--library"),
        "{line}"
    );
    let root = directory.join("root");
    let below = root.join(library.strip_prefix("/").expect("a path"));
    fs::create_dir_all(below.parent().expect("a directory")).expect("directories");
    fs::copy(&moved, &below).expect("a copy");
    for output in [with("--library", &moved), with("--sysroot", &root)] {
        assert!(output.status.success(), "{output:?}");
        let json = String::from_utf8(output.stdout).expect("UTF-8");
        assert_known(&serde_json::from_str(&json).expect("JSON"));
    }
    // Of another build: the same bytes but for the build ID.
    let name = whole.windows(4).position(|it| it == b"GNU\0");
    let mut other = whole.clone();
    other[name.expect("a build ID") + 4] ^= 0xff;
    fs::write(&library, &other).expect("a library");
    let output = slubctl(&["core", core]);
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(4), "{line}");
    assert!(
        line.lines().count() == 1 && line.contains("is another build than the core's"),
        "{line}"
    );
    fs::write(&library, &whole).expect("a library");
    assert!(text(&["core", core]).starts_with("core of "));
    let _ = fs::remove_dir_all(&directory);
}

/// A debugger writes its notes last, and has what no program wrote to as zeroes or holes.
#[test]
fn a_debuggers_core_file_is_known() {
    let target = Target::preloaded(&compile("debugger", &[]), "sleep");
    let prefix = scratch().join("gcore");
    let mut gcore = Command::new("gcore");
    gcore.arg("-o").arg(&prefix).arg(target.pid().to_string());
    let done = gcore.output().expect("gcore, of gdb");
    assert!(done.status.success(), "{done:?}");
    let core = format!("{}.{}", prefix.display(), target.pid());
    let dead: Snapshot = serde_json::from_str(&text(&["core", &core, "json"])).expect("JSON");
    assert_known(&dead);
    assert_eq!(dead.command, support::snapshot(target.pid()).command);
    let resident = |it: &Snapshot| it.heaps[0].resident.as_ref().expect("residents").sum();
    let (dead, alive) = (resident(&dead), resident(&support::snapshot(target.pid())));
    assert!(dead.abs_diff(alive) * 50 <= alive, "{dead} of {alive}");
    assert!(text(&["core", &core, "check"]).ends_with("the tables agree\n"));
    // Its notes come last.
    let file = fs::OpenOptions::new().write(true).open(&core);
    let file = file.expect("the core file");
    let length = file.metadata().expect("a length").len() - 4096;
    file.set_len(length).expect("a shorter file");
    let output = slubctl(&["core", &core]);
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        errors.lines().count() == 1 && errors.contains(&format!("cut off: {length} of ")),
        "{errors}"
    );
    let _ = fs::remove_file(&core);
}

#[test]
fn holes_of_a_core_file_are_not_resident() {
    let Some((directory, core)) = core_of_kernel("holes") else {
        return;
    };
    let shown = |path: &Path| -> Snapshot {
        let path = path.to_str().expect("UTF-8");
        serde_json::from_str(&text(&["core", path, "json"])).expect("JSON")
    };
    let resident = |it: &Snapshot| it.heaps[0].resident.as_ref().expect("residents").sum();
    let sparse = resident(&shown(&core));
    // The program has written to all that it holds, and what is cached or free may have memory.
    let totals = slubctl::totals::Totals::of(&shown(&core).heaps[0]);
    assert!(
        sparse >= totals.in_use() && sparse < totals.held() + (1 << 20),
        "{sparse}: {totals:?}"
    );
    // A copy without holes has zeroes there.
    let copy = directory.join("copy");
    let mut cp = Command::new("cp");
    cp.arg("--sparse=never").arg(&core).arg(&copy);
    assert!(cp.status().expect("cp").success());
    let full = resident(&shown(&copy));
    assert!(full.abs_diff(sparse) * 50 <= sparse, "{full} of {sparse}");
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

    fn pages(&self, address: u64, pages: usize) -> Option<Vec<Page>> {
        self.process.pages(address, pages)
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
