//! Building with cargo, and what other tools say of what was built.

use super::{root, target};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Runs `cargo build` in the repository's root, into the directory `into`.
pub(crate) fn cargo_build(arguments: &[&str], into: &Path) {
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .arg("build")
        .args(arguments)
        .arg("--target-dir")
        .arg(into)
        .current_dir(root())
        .output()
        .expect("cargo starts");
    succeeded(&format!("cargo build {}", arguments.join(" ")), built);
}

/// The library, built now, once for this process; cargo's own lock keeps parallel processes apart.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        cargo_build(&["--release", "-p", "slubmalloc-cdylib"], target());
        let library = target().join("release/libslubmalloc.so");
        assert!(library.is_file(), "{} was not built", library.display());
        library
    })
}

/// The library without the names of malloc's, built now, beside links with its names of the linker's and the loader's.
pub(crate) fn api_library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        cargo_build(&["--release", "-p", "slubmalloc-api"], target());
        let library = target().join("release/libslubmalloc_api.so");
        assert!(library.is_file(), "{} was not built", library.display());
        let soname = concat!("libslubmalloc-api.so.", env!("CARGO_PKG_VERSION_MAJOR"));
        for name in ["libslubmalloc-api.so", soname] {
            let link = library.with_file_name(name);
            match std::os::unix::fs::symlink("libslubmalloc_api.so", link) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    panic!("no link: {error}")
                }
                _ => {}
            }
        }
        library
    })
}

/// What one of the binutils prints of a file.
pub(crate) fn output_of(tool: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(tool)
        .env("LC_ALL", "C")
        .args(arguments)
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("{tool}, of Debian's package binutils: {error}"));
    String::from_utf8(succeeded(tool, output).stdout).expect("UTF-8")
}

/// Has a script check the library.
pub(crate) fn checks_library(script: &str, arguments: &[&str]) {
    let output = Command::new(root().join("scripts").join(script))
        .args(["--check", "--library"])
        .arg(library())
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{script}: {error}"));
    succeeded(script, output);
}

fn succeeded(what: &str, output: Output) -> Output {
    assert!(
        output.status.success(),
        "{what}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
