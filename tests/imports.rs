//! What the library asks of the C library, so that programs of another libc, and of an old one, start under a preload:
//! a process of the wrong kind anywhere in a tree of programs inherits `LD_PRELOAD`.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Heap, compile, library, output_of, root, run, scratch, skip_unless};

const PATIENCE: Duration = Duration::from_secs(180);

/// The oldest glibc, as (major, minor): the first one for aarch64, and that of CentOS 7.
const OLDEST_GLIBC: (u32, u32) = (2, 17);

/// Modes in which other parts of the libraries are called.
const MODES: [&str; 4] = [
    "",
    "purge_thread:on,purge_ms:50",
    "slab_debug:FZPU",
    "guard:1/100,zero:free",
];

/// What glibc had in libpthread.so.0 and libdl.so.2 before 2.34, which a program may not have loaded.
const ELSEWHERE: &[&str] = &[
    "dlclose",
    "dlerror",
    "dlinfo",
    "dlmopen",
    "dlopen",
    "dlsym",
    "dlvsym",
    "pthread_atfork",
    "pthread_attr_setstacksize",
    "pthread_create",
    "pthread_detach",
    "pthread_getspecific",
    "pthread_join",
    "pthread_key_create",
    "pthread_key_delete",
    "pthread_mutex_consistent",
    "pthread_mutex_trylock",
    "pthread_mutexattr_init",
    "pthread_mutexattr_setrobust",
    "pthread_once",
    "pthread_setspecific",
    "pthread_sigmask",
    "sem_init",
];

#[test]
fn no_version_is_newer_than_the_oldest_glibc() {
    let needs = output_of("readelf", &["--version-info", "--wide"], library());
    let versions: Vec<(u32, u32)> = needs
        .split_whitespace()
        .filter_map(|word| word.trim_matches(['(', ')']).strip_prefix("GLIBC_"))
        .map(|version| {
            let mut numbers = version.split('.').map(|it| it.parse().expect("a version"));
            (
                numbers.next().expect("major"),
                numbers.next().expect("minor"),
            )
        })
        .collect();
    assert!(versions.len() > 10, "{needs}");
    let newer: Vec<_> = versions.iter().filter(|it| **it > OLDEST_GLIBC).collect();
    assert!(newer.is_empty(), "{newer:?}\n{needs}");
}

#[test]
fn what_old_glibcs_have_elsewhere_is_weak() {
    let strong = strong_imports();
    let asked: Vec<_> = ELSEWHERE
        .iter()
        .filter(|it| strong.contains(**it))
        .collect();
    assert!(asked.is_empty(), "{asked:?}");
}

#[test]
fn what_musl_lacks_is_weak() {
    skip_unless!("musl-gcc");
    let musl = Path::new("/lib").join(format!("ld-musl-{}.so.1", std::env::consts::ARCH));
    let names = output_of(
        "nm",
        &["--dynamic", "--defined-only", "--format=posix"],
        &musl,
    );
    let names: HashSet<&str> = names
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.contains("malloc"));
    let strong = strong_imports();
    let missing: Vec<_> = strong
        .iter()
        .filter(|it| !names.contains(it.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_program_of_musl_s_is_served() {
    skip_unless!("musl-gcc");
    let dir = scratch("musl");
    let plugin = musl(&dir, "deepbind_plugin.c", &["-shared", "-fPIC"]);
    let program = musl(&dir, "other_libc.c", &["-pthread"]);
    for conf in MODES {
        let mut command = Command::new(&program);
        command.arg(&plugin).env("SLUBMALLOC_CONF", conf);
        let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
        assert!(
            finished.is_ok() && finished.stderr.is_empty(),
            "{conf}: {}",
            finished.stderr
        );
    }
    let mut command = Command::new(&program);
    command.env("SLUBMALLOC_CONF", "stats:exit");
    let told = run(Heap::Slubmalloc, &mut command, PATIENCE);
    assert!(
        told.is_ok() && told.stderr.contains("statistics"),
        "{}",
        told.stderr
    );
}

#[test]
fn programs_of_both_libcs_start_each_other() {
    skip_unless!("musl-gcc");
    let dir = scratch("tree");
    let musls = musl(&dir, "other_libc.c", &["-pthread"]);
    let standalone = musl(&dir, "other_libc.c", &["-pthread", "-static"]);
    let glibcs = compile("c/other_libc.c", &[]);
    let mut shell = Command::new("sh");
    shell.args([
        "-euc",
        "for program; do \"$program\"; done; exec \"$1\"",
        "sh",
    ]);
    shell.args([&musls, &glibcs, &standalone, &musls]);
    let all = run(Heap::Slubmalloc, &mut shell, PATIENCE).succeeded();
    assert_eq!(
        (all.stdout.as_str(), all.stderr.as_str()),
        ("ok\nok\nok\nok\nok\n", "")
    );
}

#[test]
fn a_glibc_without_threads_is_enough() {
    // A glibc before 2.34 without its libpthread.so.0 has none of these: names that nobody has stand in for that.
    let renamed = scratch("renamed").join("libslubmalloc.so");
    let mut bytes = fs::read(library()).expect("the library");
    for name in ELSEWHERE.iter().chain(&["backtrace", "__rseq_offset"]) {
        let text = [b"\0", name.as_bytes(), b"\0"].concat();
        let found = bytes.windows(text.len()).position(|window| window == text);
        if let Some(place) = found.filter(|_| !["dlopen", "dlmopen"].contains(name)) {
            bytes[place + text.len() - 2] = b'_';
        }
    }
    fs::write(&renamed, bytes).expect("a copy");
    let imports = output_of("nm", &["--dynamic", "--undefined-only"], &renamed);
    assert!(imports.contains("pthread_creat_"), "{imports}");
    for conf in MODES {
        for program in [compile("c/other_libc.c", &[]), PathBuf::from("/bin/ls")] {
            let output = Command::new(&program)
                .env("LD_PRELOAD", &renamed)
                .env("SLUBMALLOC_CONF", conf)
                .output()
                .expect("the program starts");
            let fine = output.status.success() && output.stderr.is_empty();
            assert!(fine, "{program:?} with {conf}: {output:?}");
        }
    }
}

/// Compiles a program of tests/c with musl's own compiler.
fn musl(dir: &Path, source: &str, flags: &[&str]) -> PathBuf {
    let output = dir.join(format!("{source}{}", flags.concat()));
    let compiled = Command::new("musl-gcc")
        .args(["-O1", "-g", "-fno-builtin", "-o"])
        .args([&output, &root().join("tests/c").join(source)])
        .args(flags)
        .output()
        .expect("musl-gcc starts");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    output
}

fn strong_imports() -> HashSet<String> {
    let listed = output_of(
        "nm",
        &["--dynamic", "--undefined-only", "--format=posix"],
        library(),
    );
    let strong = listed
        .lines()
        .filter(|line| line.split(' ').nth(1) == Some("U"));
    let names = strong.filter_map(|line| line.split([' ', '@']).next());
    names.map(str::to_owned).collect()
}
