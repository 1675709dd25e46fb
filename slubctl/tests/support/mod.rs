//! What the tests share: the library and programs built by this very process, running targets, and `slubctl` itself.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use slubctl::snapshot::{Class, Snapshot};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A directory for what the tests build.
pub(crate) fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The directory with the library and the archive, which are built now: never yesterday's.
pub(crate) fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(root()).env("CARGO_TARGET_DIR", &target);
        build.args(["build", "--quiet", "--release"]);
        build.args(["-p", "slubmalloc-cdylib", "-p", "slubmalloc-staticlib"]);
        assert!(
            build.status().expect("cargo").success(),
            "the library does not build"
        );
        target.join("release")
    })
}

/// The Rust program with a known heap, which is built now too: cargo builds examples only where all tests are run.
pub(crate) fn example() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_slubctl")).parent();
        let folder = folder.expect("a folder");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", "known", "--manifest-path"]);
        build.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        build
            .arg("--target-dir")
            .arg(folder.parent().expect("a folder"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo");
        assert!(status.success(), "the example does not build");
        folder.join("examples/known")
    })
}

/// Compiles the program with the known heap, with more options, to a file of that name.
pub(crate) fn compile(name: &str, options: &[&str]) -> PathBuf {
    compile_source("known.c", name, options)
}

/// Compiles the program with named caches, which is linked with the library.
pub(crate) fn compile_named() -> PathBuf {
    compile_linked("named.c", "named")
}

/// Compiles a program that is linked with the library.
pub(crate) fn compile_linked(source: &str, name: &str) -> PathBuf {
    let (folder, include) = (built().display(), root().join("cdylib/include"));
    let options = [
        format!("-I{}", include.display()),
        format!("{folder}/libslubmalloc.a"),
    ];
    compile_source(source, name, &options.each_ref().map(String::as_str))
}

/// Compiles a program of tests/programs, with more options, to a file of that name.
pub(crate) fn compile_source(source: &str, name: &str, options: &[&str]) -> PathBuf {
    let program = scratch().join(format!("{}-{name}", env!("CARGO_CRATE_NAME")));
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let source = programs.join(source);
    let mut compiler = Command::new("gcc");
    compiler.args(["-O1", "-fno-builtin", "-Wall", "-Werror", "-pthread", "-o"]);
    compiler.arg(&program).arg(source).args(options);
    assert!(compiler.status().expect("gcc").success(), "{compiler:?}");
    program
}

/// A program that runs until this value ends.
pub(crate) struct Target(Child);

impl Target {
    /// Starts a program, and waits until its heap is as it will stay.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "{command:?}");
        Self(child)
    }

    /// Starts the program with the known heap under the library.
    pub(crate) fn preloaded(program: &Path, end: &str) -> Self {
        let library = built().join("libslubmalloc.so");
        Self::start(Command::new(program).arg(end).env("LD_PRELOAD", library))
    }

    pub(crate) fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `slubctl`.
pub(crate) fn slubctl(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slubctl"));
    command.args(arguments).output().expect("slubctl")
}

/// What `slubctl` prints, which succeeds.
pub(crate) fn text(arguments: &[&str]) -> String {
    let output = slubctl(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The one line that `slubctl` prints when it fails.
pub(crate) fn failure(arguments: &[&str]) -> String {
    let output = slubctl(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        line.starts_with("slubctl: ") && line.lines().count() == 1,
        "{line}"
    );
    line
}

/// What `slubctl show --json` says of a process.
pub(crate) fn snapshot(pid: i32) -> Snapshot {
    serde_json::from_str(&text(&["show", "--json", &pid.to_string()])).expect("JSON")
}

/// The class of objects of `size` bytes in the first heap.
pub(crate) fn class(snapshot: &Snapshot, size: u64) -> &Class {
    let mut classes = snapshot.heaps[0].classes.iter();
    classes.find(|it| it.size == size).expect("a class")
}

/// Objects that the known heap has in use, by size.
pub(crate) const IN_USE: [(u64, u64); 6] = [
    (192, 4000),
    (384, 1),
    (768, 700),
    (1280, 300),
    (5120, 66),
    (40960, 15),
];

/// Checks a snapshot of the known heap against what the program knows.
pub(crate) fn assert_known(snapshot: &Snapshot) {
    assert_known_but(snapshot, 0);
}

/// As [`assert_known`], where a libc that was linked statically has up to `own` objects of each class.
pub(crate) fn assert_known_but(snapshot: &Snapshot, own: u64) {
    assert_eq!(snapshot.heaps.len(), 1);
    let heap = &snapshot.heaps[0];
    assert!(heap.is_made && !heap.is_approximate);
    for (size, in_use) in IN_USE {
        let class = class(snapshot, size);
        let known = in_use..=in_use + own;
        assert!(known.contains(&class.in_use), "{size}: {}", class.in_use);
        let cached = class.in_sheaves + class.in_barns + class.in_aliens;
        let empty = class.empty_slabs * class.slab_objects;
        let all = class.in_use + cached + class.in_partial + empty;
        assert_eq!(all, class.slabs * class.slab_objects, "{size}");
    }
    let totals = slubctl::totals::Totals::of(heap);
    // 300 KiB are a class of spans, of 320 KiB.
    assert_eq!(totals.large, 7 * (320 << 10));
    assert_eq!((heap.huge.blocks, heap.huge.bytes), (2, 2 * (8 << 20)));
    // Of the third, which was freed, as much is kept as was not given back meanwhile.
    assert!(heap.huge.kept_bytes <= (8 << 20) + 4096);
}

/// The metrics that the dashboard's queries name.
pub(crate) fn shown_by_dashboard() -> Vec<String> {
    let dashboard = std::fs::read_to_string(root().join("slubctl/grafana.json"));
    let dashboard: serde_json::Value =
        serde_json::from_str(&dashboard.expect("a file")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|it| it["targets"].as_array().expect("targets"));
    let queries = targets.map(|it| it["expr"].as_str().expect("a query"));
    let names = queries.flat_map(|query| {
        let names = query
            .match_indices("slubmalloc_")
            .map(|(at, _)| &query[at..]);
        names.map(|name| name[..name.find('{').expect("labels")].to_owned())
    });
    names.collect()
}

/// Says that a test proves nothing here, and fails it in CI, where it has to.
pub(crate) fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    let is_ci = env::var("CI").is_ok_and(|it| it == "true");
    assert!(!is_ci, "CI must not skip: {reason}");
}
