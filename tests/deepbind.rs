//! Plug-ins that are opened with `RTLD_DEEPBIND`, as PHP and Apache do: they look into libc before the preloaded
//! library, unless its `dlopen` drops the flag.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{
    Finished, Heap, cargo_build, compile, compile_to, keeps_promise, library, output_of, root, run,
    scratch, target,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// The dlopen that every old binary asks for.
#[cfg(target_arch = "x86_64")]
const OLD_VERSION: &str = "-DOLD_VERSION=\"GLIBC_2.2.5\"";
#[cfg(target_arch = "aarch64")]
const OLD_VERSION: &str = "-DOLD_VERSION=\"GLIBC_2.17\"";

#[test]
fn blocks_go_between_host_and_plug_in() {
    for conf in ["", "purge_thread:on", "slab_debug:FZPU"] {
        assert!(host("swap", conf).is_ok(), "{conf}");
    }
}

#[test]
fn a_runtime_s_blocks_are_freed_by_the_program() {
    keeps_promise("c/deepbind_demangle.c", &[]);
}

#[test]
fn dlmopen_in_the_program_s_namespace_drops_the_flag_too() {
    host("base", "").is_ok();
}

#[test]
fn a_namespace_of_its_own_has_a_heap_of_its_own() {
    host("new", "").is_ok();
}

#[test]
fn a_dlopen_that_dlsym_finds_is_the_same() {
    host("found", "").is_ok();
}

#[test]
fn a_program_that_asks_for_the_oldest_dlopen_is_served() {
    let program = compile("c/deepbind_host.c", &["-rdynamic", OLD_VERSION]);
    run(
        Heap::Slubmalloc,
        Command::new(program).arg(plugin()).arg("swap"),
        PATIENCE,
    )
    .is_ok();
}

#[test]
fn a_name_of_the_host_s_is_the_host_s_unless_the_flag_is_kept() {
    let file = plugin();
    let file = file.file_name().expect("a name").to_str().expect("UTF-8");
    let beginning: String = file.chars().take(9).chain(['*']).collect();
    for (conf, whose) in [
        (String::new(), "the host"),
        ("deepbind:off".to_owned(), "the host"),
        ("deepbind:keep=other.so".to_owned(), "the host"),
        (format!("deepbind:keep={file}.so"), "the host"),
        ("deepbind:keep".to_owned(), "the plug-in"),
        (format!("deepbind:keep={file}"), "the plug-in"),
        (format!("deepbind:keep={beginning}"), "the plug-in"),
        (
            format!("deepbind:keep={}", plugin().display()),
            "the plug-in",
        ),
        (
            format!("stats:off,deepbind:keep=other.so,deepbind:keep={file}"),
            "the plug-in",
        ),
        ("deepbind:keep,deepbind:off".to_owned(), "the host"),
    ] {
        let asked = host("name", &conf).succeeded();
        assert_eq!(asked.stdout.trim(), whose, "{conf}");
        assert_eq!(asked.stderr, "", "{conf}");
    }
}

#[test]
fn what_is_no_value_of_deepbind_is_told() {
    for conf in ["deepbind:drop", "deepbind:keep=", "deepbind"] {
        let asked = host("swap", conf);
        assert!(
            asked.is_ok() && asked.stderr.contains("deepbind takes"),
            "{conf}: {}",
            asked.stderr
        );
    }
}

#[test]
fn the_loader_s_errors_come_through() {
    let ours = host("error", "").succeeded();
    let mut by_itself = Command::new(host_program());
    by_itself
        .arg(plugin())
        .arg("error")
        .env("SLUBTEST_ALLOW_LIBC", "1");
    let libcs = run(Heap::Libc, &mut by_itself, PATIENCE).succeeded();
    assert_eq!(ours.stdout, libcs.stdout);
}

#[test]
fn the_loader_still_sees_who_calls() {
    let dir = scratch("folders");
    let (program, library) = middle(&dir, &[]);
    assert!(library.is_file());
    run(Heap::Slubmalloc, &mut Command::new(&program), PATIENCE).is_ok();
    let mut by_itself = Command::new(&program);
    by_itself.env("SLUBTEST_ALLOW_LIBC", "1");
    run(Heap::Libc, &mut by_itself, PATIENCE).is_ok();
}

#[test]
fn a_constructor_opens_plug_ins_before_ours_has_run() {
    let dir = scratch("early");
    let (program, middle) = middle(&dir, &["-DIN_CONSTRUCTOR"]);
    for conf in ["", "deepbind:off,purge_thread:on"] {
        let mut command = Command::new(&program);
        command
            .env("EARLY_PLUGIN", plugin())
            .env("SLUBMALLOC_CONF", conf);
        let linked = run(Heap::Slubmalloc, &mut command, PATIENCE);
        assert!(
            linked.is_ok() && linked.stdout.starts_with("early\n"),
            "{}",
            linked.stdout
        );
    }
    // Preloaded after the allocator, which `run` has no way to do.
    let preloads = format!("{}:{}", library().display(), middle.display());
    let output = Command::new(host_program())
        .args([&plugin(), Path::new("swap")])
        .env_remove("SLUBMALLOC_CONF")
        .env("EARLY_PLUGIN", plugin())
        .env("LD_PRELOAD", preloads)
        .output()
        .expect("the host starts");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "early\nok\n",
        "{output:?}"
    );
}

#[test]
fn the_archive_leaves_dlopen_alone() {
    cargo_build(&["--release", "-p", "slubmalloc-staticlib"], target());
    let defined = |file: &Path, flags: &[&str]| {
        let flags = [&["--defined-only", "--format=posix"], flags].concat();
        let names = output_of("nm", &flags, file);
        let is_opener = |line: &&str| line.starts_with("dlopen ") || line.starts_with("dlmopen ");
        names.lines().filter(is_opener).count()
    };
    assert_eq!(defined(&target().join("release/libslubmalloc.a"), &[]), 0);
    assert_eq!(defined(library(), &["--dynamic"]), 2);
}

fn plugin() -> PathBuf {
    compile("c/deepbind_plugin.c", &["-shared", "-fPIC"])
}

fn host_program() -> PathBuf {
    compile("c/deepbind_host.c", &["-rdynamic"])
}

/// Runs the host with the plug-in under the library.
fn host(what: &str, conf: &str) -> Finished {
    let mut command = Command::new(host_program());
    command.arg(plugin()).arg(what).env("SLUBMALLOC_CONF", conf);
    run(Heap::Slubmalloc, &mut command, PATIENCE)
}

/// A program, the library in another folder that it is linked with, and a plug-in that only that one finds.
fn middle(dir: &Path, flags: &[&str]) -> (PathBuf, PathBuf) {
    let leaves = dir.join("library/leaves");
    fs::create_dir_all(&leaves).expect("a directory");
    fs::copy(plugin(), leaves.join("libleaf.so")).expect("a plug-in");
    let source = |name: &str| root().join("tests/c").join(name);
    let library = dir.join("library/libmiddle.so");
    let shared = [
        "-shared",
        "-fPIC",
        "-Wl,--enable-new-dtags,-rpath,$ORIGIN/leaves",
    ];
    compile_to(
        &library,
        &[&source("deepbind_middle.c")],
        &[&shared[..], flags].concat(),
    );
    let program = dir.join("program");
    let rpath = format!(
        "-Wl,--enable-new-dtags,-rpath,{}",
        dir.join("library").display()
    );
    let linked = library.to_str().expect("a plain path");
    compile_to(&program, &[&source("deepbind_folder.c")], &[linked, &rpath]);
    (program, library)
}
