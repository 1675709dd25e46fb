//! What code is called, of real programs.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use slubctl::memory::Process;
use slubctl::profile::{Amount, Files, Location, Module, Modules, Names, Profile, Stack};

use crate::support::{compile_source, scratch};

/// A program that has printed an address, and waits.
struct Called {
    child: Child,
    address: u64,
}

impl Called {
    fn start(program: &Path) -> Self {
        let mut child = Command::new(program)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.trim().trim_start_matches("0x");
        Self {
            child,
            address: u64::from_str_radix(address, 16).expect("an address"),
        }
    }

    fn process(&self) -> Process {
        Process::open(self.child.id() as i32)
    }

    /// The functions at its address, and what a stack there is called.
    fn names(&self, files: &dyn Files) -> (Vec<Location>, Vec<Location>) {
        let profile = profile_of(&self.process(), &[self.address]);
        let names = Names::of(&profile, files);
        let mut traces = slubctl::profile::traces(&profile, &names);
        (names.at(self.address).to_vec(), traces.remove(0).frames)
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn profile_of(process: &Process, frames: &[u64]) -> Profile {
    Profile {
        stacks: vec![Stack {
            frames: frames.to_vec(),
            live: Amount {
                count: 1.0,
                bytes: 1,
            },
            ..Stack::default()
        }],
        modules: Modules::of(process).expect("modules"),
        ..Profile::default()
    }
}

fn functions(found: &[Location]) -> Vec<&str> {
    found.iter().map(|it| it.function.as_str()).collect()
}

/// Compiles called.c as C++.
fn compile_cplusplus(name: &str, options: &[&str]) -> PathBuf {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let program = scratch().join(name);
    let mut compiler = Command::new("g++");
    compiler.args(options).args(["-O2", "-o"]).arg(&program);
    let status = compiler
        .arg("-xc++")
        .arg(programs.join("called.c"))
        .status();
    assert!(status.expect("g++").success());
    program
}

/// Runs a tool of binutils.
fn run(tool: &str, arguments: &[&Path]) {
    let status = Command::new(tool).args(arguments).status();
    assert!(status.expect(tool).success(), "{tool}");
}

/// Files of which the debug information is in a directory of its own.
struct Placed(Process, PathBuf);

impl Files for Placed {
    fn image(&self, module: &Module) -> Option<File> {
        self.0.image(module)
    }

    fn roots(&self) -> Vec<PathBuf> {
        vec![self.1.clone()]
    }

    fn perf_map(&self) -> Option<File> {
        File::open(self.1.join("perf.map")).ok()
    }
}

fn line_of(source: &str, text: &str) -> u32 {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/programs")
        .join(source);
    let source = fs::read_to_string(source).expect("the source");
    let line = source.lines().position(|it| it.contains(text));
    line.expect("a line") as u32 + 1
}

#[test]
fn inlined_functions_have_their_own_names_and_lines_in_c_and_cplusplus() {
    let calls = [
        line_of("called.c", "= return_address();"),
        line_of("called.c", "= inlined();"),
    ];
    let c = compile_source("called.c", "called", &["-O2", "-g"]);
    let cplusplus = compile_cplusplus("called-cc", &["-g"]);
    for (program, names) in [
        (c, ["inlined", "outer"]),
        (cplusplus, ["server::inlined", "server::outer"]),
    ] {
        let called = Called::start(&program);
        let (found, _) = called.names(&called.process());
        assert_eq!(functions(&found), names);
        assert!(
            found.iter().all(|it| it.file.ends_with("called.c")),
            "{found:?}"
        );
        assert_eq!(found.iter().map(|it| it.line).collect::<Vec<_>>(), calls);
    }
}

#[test]
fn symbols_do_where_there_is_no_debug_information_also_of_a_deleted_file() {
    let program = compile_cplusplus("called-plain", &[]);
    let called = Called::start(&program);
    fs::remove_file(&program).expect("a file");
    let (found, _) = called.names(&called.process());
    assert_eq!(
        found,
        [Location {
            function: "server::outer".to_owned(),
            ..Location::default()
        }]
    );
}

#[test]
fn a_stripped_program_is_named_by_a_debug_file_of_its_build_id_only() {
    let program = compile_source(
        "called.c",
        "called-strip",
        &["-O2", "-g", "-Wl,--build-id=0xabcdef"],
    );
    let root = scratch().join("debug-root");
    let debug = root.join("usr/lib/debug/.build-id/ab/cdef.debug");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(debug.parent().expect("a folder")).expect("folders");
    // As packages have it: compressed.
    run(
        "objcopy",
        &[
            "--only-keep-debug".as_ref(),
            "--compress-debug-sections".as_ref(),
            &program,
            &debug,
        ],
    );
    run("strip", &[&program]);
    let called = Called::start(&program);
    let files = Placed(called.process(), root.clone());
    let (found, _) = called.names(&files);
    assert_eq!(functions(&found), ["inlined", "outer"]);
    fs::rename(&debug, root.join("elsewhere")).expect("a file");
    let (found, frames) = called.names(&files);
    assert_eq!(found, []);
    let start = called.process();
    let module = &Modules::of(&start).expect("modules");
    let module = &module.all[module.find(called.address).expect("a module")];
    assert_eq!(module.build_id.as_deref(), Some("abcdef"));
    let within = called.address - module.range.start;
    let name = program.file_name().expect("a name").to_string_lossy();
    assert_eq!(functions(&frames), [format!("{name}+{within:#x}")]);
}

#[test]
fn another_build_in_the_files_place_names_nothing() {
    let program = compile_source("called.c", "called-old", &["-O2", "-g"]);
    let called = Called::start(&program);
    fs::remove_file(&program).expect("a file");
    let other = compile_source("called.c", "called-old", &["-O1", "-g", "-DNOTHING"]);
    assert_eq!(program, other);
    // The first one is still there as the process's program.
    let (found, _) = called.names(&called.process());
    assert_eq!(functions(&found), ["inlined", "outer"]);
    let process = called.process();
    let mut modules = Modules::of(&process).expect("modules");
    let mut module = modules
        .all
        .swap_remove(modules.find(called.address).expect("one"));
    assert!(process.image(&module).is_some());
    module.build_id = Some("00112233".to_owned());
    assert!(process.image(&module).is_none());
}

#[test]
fn rust_has_names_without_hashes() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/called.rs");
    let program = scratch().join("called-rs");
    let mut compiler = Command::new("rustc");
    compiler.args(["--edition", "2024", "-O", "-g", "-o"]);
    let status = compiler.arg(&program).arg(source).status();
    assert!(status.expect("rustc").success());
    let called = Called::start(&program);
    let (found, _) = called.names(&called.process());
    assert_eq!(functions(&found), ["called::Server<T>::keep"]);
    assert_eq!(found[0].line, line_of("called.rs", "backtrace(frames"));
}

#[test]
fn code_of_no_file_is_named_by_the_perf_map() {
    let program = compile_source("called.c", "called-jit", &[]);
    let called = Called::start(&program);
    let root = scratch().join("jit-root");
    fs::create_dir_all(&root).expect("a folder");
    fs::write(root.join("perf.map"), "1000 100 JS:~render app.js:7\n").expect("a file");
    let process = called.process();
    let profile = profile_of(&process, &[0x1080, 0x2080]);
    let names = Names::of(&profile, &Placed(process, root));
    let traces = slubctl::profile::traces(&profile, &names);
    assert_eq!(
        functions(&traces[0].frames),
        ["JS:~render app.js:7", "0x2080"]
    );
}

/// One file for the program, whatever its build ID.
struct Damaged(PathBuf);

impl Files for Damaged {
    fn image(&self, _: &Module) -> Option<File> {
        File::open(&self.0).ok()
    }

    fn roots(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

#[test]
fn damaged_files_are_survived() {
    let program = compile_source("called.c", "called-damaged", &["-O2", "-g"]);
    let called = Called::start(&program);
    let whole = fs::read(&program).expect("a file");
    let path = scratch().join("damaged");
    let mut profile = profile_of(&called.process(), &[called.address]);
    let module = &profile.modules.all[profile.modules.find(called.address).expect("one")];
    profile.stacks[0].frames = module.range.clone().step_by(64).collect();
    profile.stacks[0].frames.push(called.address);
    // Numbers of a generator with a fixed seed (Knuth's MMIX).
    let mut seed = 1_u64;
    let mut random = |most: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % most
    };
    let mut survived = 0;
    for round in 0..200 {
        let mut bytes = whole.clone();
        for _ in 0..round {
            let at = random(bytes.len());
            bytes[at] = [0, 0xff, 0x7f, random(256) as u8][random(4)];
        }
        if round % 10 == 9 {
            bytes.truncate(random(whole.len()));
        }
        fs::write(&path, bytes).expect("a file");
        let names = Names::of(&profile, &Damaged(path.clone()));
        survived += u32::from(!names.at(called.address).is_empty());
    }
    assert!((1..200).contains(&survived), "{survived}");
}
