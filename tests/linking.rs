//! The installed copy: what `scripts/install.sh` lays out must link, shared and static, C and C++.
//!
//! That the library is in charge is seen in two ways: `free_sized` resolves, which only newer C libraries
//! offer, and `SLUBMALLOC_CONF=stats:exit` is obeyed.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};
use support::{Finished, Heap, compile_to, output_of, root, run, scratch, skip_unless, target};

const PATIENCE: Duration = Duration::from_secs(60);
const VERSION: &str = env!("CARGO_PKG_VERSION");
const SONAME: &str = concat!("libslubmalloc.so.", env!("CARGO_PKG_VERSION_MAJOR"));

#[test]
fn install_lays_out_library_header_and_pkg_config() {
    for file in [
        "lib/libslubmalloc.a",
        "include/slubmalloc.h",
        "include/slubmalloc.hpp",
        "include/slubmalloc/kernel.h",
        "share/man/man3/slub_kmem_cache.3",
        "share/man/man3/slub_pool.3",
        "share/man/man3/slub_kmalloc.3",
        "share/man/man3/slubmalloc.3",
        "lib/pkgconfig/slubmalloc.pc",
        "bin/slubctl",
        "share/man/man1/slubctl.1",
        "share/bash-completion/completions/slubctl",
        "share/slubctl/grafana.json",
        "lib/pkgconfig/slubmalloc-api.pc",
    ] {
        assert!(prefix().join(file).is_file(), "{file} was not installed");
    }
    let library = format!("libslubmalloc.so.{VERSION}");
    let to = |name: &str| fs::read_link(prefix().join("lib").join(name)).expect("a link");
    assert_eq!(to("libslubmalloc.so"), Path::new(SONAME));
    assert_eq!(to(SONAME), Path::new(&library));
    assert!(prefix().join("lib").join(library).is_file());
    let mut slubctl = Command::new(prefix().join("bin/slubctl"));
    let version = run(Heap::Libc, slubctl.arg("--version"), PATIENCE).succeeded();
    assert_eq!(version.stdout.trim_end(), format!("slubctl {VERSION}"));
    let library = format!("libslubmalloc-api.so.{VERSION}");
    let soname = concat!("libslubmalloc-api.so.", env!("CARGO_PKG_VERSION_MAJOR"));
    assert_eq!(to("libslubmalloc-api.so"), Path::new(soname));
    assert_eq!(to(soname), Path::new(&library));
    let file = fs::symlink_metadata(prefix().join("lib").join(library)).expect("the library");
    assert!(file.is_file());
}

#[test]
fn a_linked_program_asks_for_the_soname() {
    skip_unless!("pkg-config");
    let program = scratch("soname").join("program");
    let flags = with_rpath(pkg_config(&[]));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    compile_to(&program, &[&root().join("tests/c/linked.c")], &flags);
    let needed = output_of("readelf", &["--dynamic", "--wide"], &program);
    assert!(needed.contains(&format!("[{SONAME}]")), "{needed}");
    // Preloaded as well, from another file: the soname tells the loader that it is the same library.
    let both = run(
        Heap::Slubmalloc,
        Command::new(&program).env("SLUBMALLOC_CONF", "stats:exit"),
        PATIENCE,
    );
    assert!(both.is_ok());
    let reports = both.stderr.matches("statistics of version").count();
    assert_eq!(reports, 1, "{}", both.stderr);
}

#[test]
fn uninstall_removes_what_install_made() {
    let prefix = scratch("removed").join("opt/slubmalloc");
    install(&prefix, &[]).succeeded();
    let said = install(&prefix, &["--uninstall"]).succeeded().stdout;
    assert!(said.contains("libslubmalloc.a"), "{said}");
    assert!(!prefix.exists(), "{said}");
    let again = install(&prefix, &["--uninstall"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(again.stderr.contains("nothing is installed"), "{again:?}");
}

#[test]
fn uninstall_leaves_what_others_made() {
    let prefix = scratch("shared");
    fs::create_dir_all(prefix.join("lib/pkgconfig")).expect("a folder");
    install(&prefix, &[]).succeeded();
    for foreign in ["lib/libother.so", "share/other"] {
        fs::write(prefix.join(foreign), "").expect("a file");
    }
    install(&prefix, &["--uninstall"]).succeeded();
    let left = tree(&prefix);
    let expected = [
        "lib",
        "lib/libother.so",
        "lib/pkgconfig",
        "share",
        "share/other",
    ];
    assert_eq!(left, expected);
}

#[test]
fn a_new_version_replaces_the_files_of_the_old_one() {
    let prefix = scratch("upgraded").join("prefix");
    install(&prefix, &[]).succeeded();
    let old = prefix.join("lib/libslubmalloc.so.0.0.9");
    fs::write(&old, "").expect("an old library");
    let list = prefix.join("share/slubmalloc/installed");
    let text = fs::read_to_string(&list).expect("the list");
    fs::write(&list, format!("lib/libslubmalloc.so.0.0.9\n{text}")).expect("an old list");
    install(&prefix, &[]).succeeded();
    assert!(!old.exists());
    install(&prefix, &["--uninstall"]).succeeded();
    assert!(!prefix.exists(), "{:?}", tree(&prefix));
}

#[test]
fn uninstall_stays_below_its_prefix() {
    let dir = scratch("escaped");
    let (prefix, other) = (dir.join("prefix"), dir.join("other"));
    install(&prefix, &[]).succeeded();
    fs::write(&other, "").expect("a file beside the prefix");
    let list = prefix.join("share/slubmalloc/installed");
    for escape in ["../other".to_owned(), other.display().to_string()] {
        fs::write(&list, format!("{escape}\nlib/libslubmalloc.a\n")).expect("a changed list");
        let refused = install(&prefix, &["--uninstall"]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(other.exists() && prefix.join("lib/libslubmalloc.a").exists());
    }
}

#[test]
fn packagers_get_the_files_alone() {
    let dir = scratch("packaged");
    let destdir = format!("--destdir={}", dir.display());
    install(Path::new("/usr"), &[&destdir]).succeeded();
    assert!(dir.join("usr/lib/libslubmalloc.so").is_file());
    assert!(dir.join("usr/share/man/man3/slub_kmem_cache.3").is_file());
    assert!(
        !dir.join("usr/share/slubmalloc").exists(),
        "{:?}",
        tree(&dir)
    );
    let pc = fs::read_to_string(dir.join("usr/lib/pkgconfig/slubmalloc.pc")).expect("a file");
    assert!(
        pc.starts_with("#") && pc.contains("\nprefix=/usr\n"),
        "{pc}"
    );
}

#[test]
fn the_loader_s_cache_is_renewed_where_the_prefix_is_known() {
    // Tools of the same names say who asks and which folders the loader searches, and note what is asked of them.
    for (user, is_known, is_renewed) in [(0, true, true), (1000, true, false), (0, false, false)] {
        let dir = scratch(&format!("loader-{user}-{is_known}"));
        let (prefix, tools, calls) = (dir.join("prefix"), dir.join("tools"), dir.join("calls"));
        fs::create_dir_all(&tools).expect("a folder");
        let known = if is_known {
            prefix.join("lib")
        } else {
            dir.clone()
        };
        let ldconfig = format!(
            "if [ $# -eq 0 ]; then echo renewed >>'{}'; else echo '{}: (from conf:1)'; fi",
            calls.display(),
            known.display()
        );
        tool(&tools, "ldconfig", &ldconfig);
        tool(&tools, "id", &format!("echo {user}"));
        for (how, renewals) in [(&[][..], 1), (&["--uninstall"], 2)] {
            let finished = installed_with(Some(&tools), &prefix, how).succeeded();
            let count = fs::read_to_string(&calls)
                .unwrap_or_default()
                .lines()
                .count();
            assert_eq!(count, if is_renewed { renewals } else { 0 }, "{finished:?}");
            let is_install = how.is_empty();
            let asks_root = finished.stderr.contains("ldconfig");
            assert_eq!(
                asks_root,
                !is_renewed && (is_known || is_install),
                "{finished:?}"
            );
            let tells_rpath = finished.stderr.contains("-Wl,-rpath,");
            assert_eq!(tells_rpath, !is_known && is_install, "{finished:?}");
        }
    }
}

#[test]
fn a_c_program_links_the_shared_library() {
    skip_unless!("pkg-config");
    links_and_is_served("c/linked.c", &with_rpath(pkg_config(&[])));
}

#[test]
fn a_cxx_program_links_the_shared_library() {
    skip_unless!("pkg-config");
    links_and_is_served("cxx/linked.cpp", &with_rpath(pkg_config(&[])));
}

#[test]
fn a_program_that_never_names_malloc_gets_the_shared_library() {
    skip_unless!("pkg-config");
    links_and_is_served("c/linked_indirectly.c", &with_rpath(pkg_config(&[])));
}

#[test]
fn a_c_program_takes_the_archive() {
    links_and_is_served("c/linked.c", &the_archive());
}

#[test]
fn a_cxx_program_takes_the_archive() {
    links_and_is_served("cxx/linked.cpp", &the_archive());
}

#[test]
fn a_program_that_never_names_malloc_takes_the_archive() {
    links_and_is_served("c/linked_indirectly.c", &the_archive());
}

#[test]
fn a_fully_static_c_program_links() {
    skip_unless!("pkg-config");
    links_and_is_served("c/linked.c", &fully_static("-static"));
    links_and_is_served("c/linked_indirectly.c", &fully_static("-static"));
}

#[test]
fn a_fully_static_cxx_program_links() {
    skip_unless!("pkg-config");
    links_and_is_served("cxx/linked.cpp", &fully_static("-static"));
}

#[test]
fn a_static_position_independent_program_links() {
    skip_unless!("pkg-config");
    links_and_is_served("c/linked.c", &fully_static("-static-pie"));
}

/// Where the library was installed, once for this process.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = scratch("prefix");
        install(&prefix, &[]).succeeded();
        prefix
    })
}

/// Runs `scripts/install.sh` for this prefix.
fn install(prefix: &Path, arguments: &[&str]) -> Finished {
    installed_with(None, prefix, arguments)
}

/// The same, with the programs of a folder before all others.
fn installed_with(tools: Option<&Path>, prefix: &Path, arguments: &[&str]) -> Finished {
    let mut install = Command::new(root().join("scripts/install.sh"));
    install
        .args(arguments)
        .arg("--prefix")
        .arg(prefix)
        .env("CARGO_TARGET_DIR", target());
    if let Some(tools) = tools {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = [tools.to_owned()]
            .into_iter()
            .chain(env::split_paths(&path));
        install.env("PATH", env::join_paths(folders).expect("a search path"));
    }
    // The script builds the library first.
    run(Heap::Libc, &mut install, Duration::from_secs(600))
}

/// Makes a shell script that can be run by its name.
fn tool(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our file");
}

/// What is below a folder, by name.
fn tree(folder: &Path) -> Vec<String> {
    let listed = Command::new("find")
        .args([".", "-mindepth", "1", "-printf", "%P\n"])
        .current_dir(folder)
        .output();
    let listed = listed.map_or(Vec::new(), |output| output.stdout);
    let mut names: Vec<String> = String::from_utf8_lossy(&listed)
        .lines()
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

fn pkg_config(more: &[&str]) -> Vec<String> {
    let mut ask = Command::new("pkg-config");
    ask.args(more)
        .args(["--cflags", "--libs", "slubmalloc"])
        .env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    run(Heap::Libc, &mut ask, PATIENCE)
        .succeeded()
        .stdout
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

fn with_rpath(mut flags: Vec<String>) -> Vec<String> {
    flags.push(format!("-Wl,-rpath,{}", prefix().join("lib").display()));
    flags
}

fn the_archive() -> Vec<String> {
    let include = format!("-I{}", prefix().join("include").display());
    let archive = prefix().join("lib/libslubmalloc.a").display().to_string();
    vec![include, "-Wl,-u,malloc".to_owned(), archive]
}

fn fully_static(how: &str) -> Vec<String> {
    let mut flags = vec![how.to_owned()];
    flags.extend(pkg_config(&["--static"]));
    flags
}

/// Links `tests/{source}` with these flags, runs it without any preload, and sees who served it.
fn links_and_is_served(source: &str, flags: &[String]) {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let name = std::thread::current().name().unwrap_or("linked").to_owned();
    let program = scratch(&name).join("program");
    compile_to(&program, &[&root().join("tests").join(source)], &flags);

    let quiet = run(Heap::Libc, &mut Command::new(&program), PATIENCE);
    assert!(
        quiet.is_ok() && quiet.stderr.is_empty(),
        "says without being asked: {}",
        quiet.stderr
    );
    let asked = run(
        Heap::Libc,
        Command::new(&program).env("SLUBMALLOC_CONF", "stats:exit"),
        PATIENCE,
    );
    assert!(
        asked.is_ok() && !asked.stderr.trim().is_empty(),
        "slubmalloc did not serve {source} with {flags:?}"
    );
}
