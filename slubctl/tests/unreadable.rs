//! What is said of processes that cannot be looked at, and of libraries that cannot be read.

mod support;

use std::fs;
use std::process::Command;

use support::{Target, built, compile, compile_source, scratch, slubctl, snapshot, text};

#[test]
fn without_the_right_to_look_one_line_says_what_to_do() {
    let target = Target::preloaded(&compile("rights", &[]), "sleep");
    let pid = target.pid().to_string();
    let Some(output) = without_rights(&["show", &pid]) else {
        return;
    };
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(errors.lines().count(), 1, "{errors}");
    for word in ["sudo", "SYS_PTRACE"] {
        assert!(errors.contains(word), "{errors}");
    }
    for command in [&["ps"][..], &["prometheus"], &["top", "--batch", "-n", "1"]] {
        let output = without_rights(command).expect("another user");
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        let lines = errors.lines().filter(|line| line.contains("sudo"));
        assert_eq!(lines.count(), 1, "{errors}");
    }
}

/// Root may have no right to look either, and sudo is of no use then.
#[test]
fn root_is_told_which_processes_are_left_out_and_not_to_try_sudo() {
    let copy = std::env::temp_dir().join(format!("known-{}", std::process::id()));
    fs::copy(compile("hidden", &[]), &copy).expect("a copy");
    let mut other = Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    // It may see what is mapped, by another capability.
    let target = Target::start(other.arg(&copy).arg("sleep"));
    fs::remove_file(&copy).expect("the copy");
    let without = |arguments: &[&str]| {
        let mut root = Command::new("setpriv");
        root.args(["--bounding-set=-sys_ptrace", env!("CARGO_BIN_EXE_slubctl")]);
        let output = root.args(arguments).output().expect("setpriv");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let pid = target.pid().to_string();
    let line = without(&["show", &pid]);
    assert!(
        line.contains("SYS_PTRACE") && !line.contains("sudo") && !line.contains("not set"),
        "{line}"
    );
    let line = without(&["ps"]);
    assert!(
        line.contains("may not be looked at, and ") && !line.contains("sudo"),
        "{line}"
    );
}

/// Runs `slubctl` as another user, where that is possible.
fn without_rights(arguments: &[&str]) -> Option<std::process::Output> {
    // What anybody may run lies where anybody may go.
    let copy = std::env::temp_dir().join(format!("slubctl-{}", std::process::id()));
    fs::copy(env!("CARGO_BIN_EXE_slubctl"), &copy).expect("a copy");
    let mut other = Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let output = other.arg(&copy).args(arguments).output();
    fs::remove_file(&copy).expect("the copy");
    let output = output.expect("setpriv");
    if output.stderr.starts_with(b"setpriv") {
        support::skipped(&format!("no other user here: {output:?}"));
        return None;
    }
    Some(output)
}

/// A process with a library whose directory has that many more at a place.
fn changed(name: &str, place: usize, more: u8) -> Target {
    let mut library = fs::read(built().join("libslubmalloc.so")).expect("the library");
    let magic = b"slubdir\0";
    let mut places = library.windows(magic.len());
    let place = places.position(|it| it == magic).expect("a directory") + place;
    library[place] += more;
    let other = scratch().join(format!("{name}.so"));
    fs::write(&other, library).expect("a library");
    let mut command = Command::new(compile(name, &[]));
    Target::start(command.env("LD_PRELOAD", other))
}

#[test]
fn a_damaged_directory_is_one_line_wherever_all_processes_are_looked_at() {
    // The number of rows.
    let target = changed("damaged", 51, 0x80);
    let good = Target::preloaded(&compile("good", &[]), "sleep");
    let (pid, good) = (
        format!("process {}: ", target.pid()),
        good.pid().to_string(),
    );
    for command in [
        &["ps"][..],
        &["prometheus"],
        &["top", "--batch", "-n", "2", "-d", "0.1"],
    ] {
        let output = slubctl(command);
        assert!(output.status.success(), "{output:?}");
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        let lines: Vec<&str> = errors.lines().filter(|it| it.contains(&pid)).collect();
        assert!(lines.len() == 1 && lines[0].contains("damaged"), "{errors}");
        assert!(String::from_utf8(output.stdout).is_ok_and(|it| it.contains(&good)));
    }
}

#[test]
fn a_library_of_another_version_is_one_line_and_ps_tells_of_it() {
    let target = changed("version", 8, 1);
    let pid = target.pid().to_string();
    for command in ["show", "slabinfo", "map", "check", "trim", "prometheus"] {
        let line = support::failure(&[command, &pid]);
        assert!(line.contains("use the slubctl that came with it"), "{line}");
    }
    let listed = slubctl(&["ps"]);
    let errors = String::from_utf8(listed.stderr).expect("UTF-8");
    assert!(listed.status.success());
    let mut lines = errors.lines();
    assert!(
        lines.any(|line| line.contains(&format!("process {pid}: slubmalloc "))),
        "{errors}"
    );
}

#[test]
fn a_library_that_is_mapped_as_plain_data_is_no_copy_of_it() {
    let program = compile_source("data.c", "data", &[]);
    let library = built().join("libslubmalloc.so");
    let preloaded = Target::start(
        Command::new(&program)
            .arg(&library)
            .env("LD_PRELOAD", &library),
    );
    let pid = preloaded.pid().to_string();
    for command in ["show", "threads", "check", "map", "prometheus"] {
        text(&[command, &pid]);
    }
    assert_eq!(snapshot(preloaded.pid()).heaps.len(), 1);
    let other = Target::start(Command::new(&program).arg(&library));
    let pid = other.pid().to_string();
    for command in ["show", "check", "map", "prometheus", "trim"] {
        let line = support::failure(&[command, &pid]);
        assert!(line.contains("does not use slubmalloc"), "{line}");
    }
}
