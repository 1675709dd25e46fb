//! What the library says: `SLUBMALLOC_CONF`, its statistics, its help, its complaints, its silence.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;
use support::{
    Finished, Heap, compile, compile_to, libc_allowed, library, message_of, root, run, skip_unless,
    skipped,
};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn without_configuration_nothing_is_said() {
    let finished = configured(None);
    assert_eq!(finished.stderr, "");
    assert_eq!(configured(Some("")).stderr, "");
}

#[test]
fn stats_at_exit_go_to_stderr() {
    let finished = configured(Some("stats:exit"));
    assert!(
        libc_allowed() || finished.stderr.lines().count() > 1,
        "no statistics: {:?}",
        finished.stderr
    );
}

#[test]
fn help_lists_the_keys_in_columns() {
    let finished = configured(Some("help:1"));
    if libc_allowed() {
        return;
    }
    let mut lines = finished.stderr.lines();
    assert!(lines.next().is_some_and(|it| it.ends_with("the keys are")));
    let head = lines.next().expect("a head");
    let column = |name: &str| head.find(name).expect("a column");
    let columns = [column("key"), column("default"), column("values")];
    let mut keys = Vec::new();
    for line in lines {
        assert!(line.len() <= 96 && !line.ends_with(' '), "{line:?}");
        let begins = |column: usize| {
            let (before, after) = line.split_at_checked(column).expect("ASCII of that length");
            before.ends_with("  ") && !after.starts_with(' ')
        };
        if line.starts_with("   ") {
            assert!(begins(columns[1]), "a description: {line:?}");
        } else {
            assert!(columns.iter().all(|it| begins(*it)), "a key: {line:?}");
            keys.push(line.split_whitespace().next().expect("a name"));
        }
    }
    assert!(keys.is_sorted(), "{keys:?}");
    for key in ["arena", "help", "numa", "stats", "zero"] {
        assert!(keys.contains(&key), "{keys:?}");
    }
}

#[test]
fn an_unknown_key_gets_one_clear_line() {
    complains_once("nonsense:1", "nonsense");
}

#[test]
fn a_bad_value_gets_one_clear_line() {
    complains_once("stats:purple", "purple");
}

#[test]
fn what_is_no_pair_at_all_gets_one_clear_line() {
    complains_once("gibberish", "gibberish");
}

#[test]
fn each_mistake_gets_its_own_line() {
    let finished = configured(Some("nonsense:1,stats:purple"));
    let lines = finished.stderr.lines();
    assert!(
        libc_allowed() || lines.filter(|line| message_of(line).is_some()).count() == 2,
        "{:?}",
        finished.stderr
    );
}

#[test]
fn a_very_long_configuration_is_survived() {
    let long = "x".repeat(100_000);
    let finished = configured(Some(&long));
    assert!(
        libc_allowed() || !finished.report().is_empty(),
        "no complaint"
    );
}

/// The loader itself drops LD_PRELOAD for set-uid programs, so this one is linked with a fixed rpath.
#[test]
fn configuration_is_ignored_where_a_user_gains_rights() {
    skip_unless!("setpriv");
    // Another user must be able to reach it, which a target directory does not promise.
    let dir = std::env::temp_dir().join(format!("slubmalloc-secure-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a temporary directory");
    let _removed_at_the_end = Removed(dir.clone());
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("our directory");
    // The linker looks for the first name, and the loader for the second, the soname.
    let soname = concat!("libslubmalloc.so.", env!("CARGO_PKG_VERSION_MAJOR"));
    fs::copy(library(), dir.join(soname)).expect("a copy of the library");
    fs::set_permissions(dir.join(soname), fs::Permissions::from_mode(0o755)).expect("our file");
    symlink(soname, dir.join("libslubmalloc.so")).expect("a link to our file");
    let program = dir.join("set_uid");
    let (search, rpath) = (
        format!("-L{}", dir.display()),
        format!("-Wl,-rpath,{}", dir.display()),
    );
    let flags = [
        search.as_str(),
        &rpath,
        "-Wl,--no-as-needed",
        "-lslubmalloc",
    ];
    compile_to(&program, &[&root().join("tests/c/small_work.c")], &flags);
    // The order matters: chown clears the set-uid bit.
    if chown(&program, Some(1), Some(1)).is_err() {
        return skipped("only root can make a program of another user's");
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("our file");

    for conf in ["stats:exit", "help:1", "nonsense:1"] {
        let mut other_user = Command::new("setpriv");
        other_user
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&program)
            .arg("secure");
        let finished = run(
            Heap::Libc,
            other_user.env("SLUBMALLOC_CONF", conf).current_dir("/"),
            PATIENCE,
        );
        if finished.is_ok() {
            assert_eq!(finished.stderr, "", "obeyed {conf}");
        }
    }
}

/// A directory that goes when the test ends, however it ends.
struct Removed(std::path::PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn configured(conf: Option<&str>) -> Finished {
    let mut command = Command::new(compile("c/small_work.c", &[]));
    if let Some(conf) = conf {
        command.env("SLUBMALLOC_CONF", conf);
    }
    let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
    finished.is_ok();
    finished
}

/// One line, ours, that names what is wrong; and the program runs.
fn complains_once(conf: &str, culprit: &str) {
    let finished = configured(Some(conf));
    if libc_allowed() {
        return;
    }
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        message_of(lines[0]).is_some_and(|said| said.contains(culprit)),
        "{lines:?}"
    );
}
