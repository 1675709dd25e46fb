//! Building with cargo, and what other tools say of what was built.

use super::{compile, root, target};
use std::env;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
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
            link_beside(&library, name);
        }
        library
    })
}

/// What links a program to the library.
pub(crate) fn linked_to() -> Vec<String> {
    // Programs ask for the soname, a link that the installer makes.
    let soname = concat!("libslubmalloc.so.", env!("CARGO_PKG_VERSION_MAJOR"));
    link_beside(library(), soname);
    linked_in_folder_of(library(), "-lslubmalloc")
}

/// What links a program to the library without malloc's names, beside libc's malloc.
pub(crate) fn linked_to_api() -> Vec<String> {
    let mut flags = linked_in_folder_of(api_library(), "-lslubmalloc-api");
    flags.push("-DAPI".to_owned());
    flags
}

/// What links a program to the archive, and to nothing that is shared.
pub(crate) fn fully_static() -> Vec<String> {
    static BUILT: OnceLock<String> = OnceLock::new();
    let archive = BUILT.get_or_init(|| {
        cargo_build(&["--release", "-p", "slubmalloc-staticlib"], target());
        let archive = target().join("release/libslubmalloc.a");
        archive.display().to_string()
    });
    vec!["-static".to_owned(), archive.clone()]
}

/// Compiles a program that includes the library's header, with flags such as [`linked_to`] gives.
pub(crate) fn compile_with_header(source: &str, flags: &[String]) -> PathBuf {
    let include = format!("-I{}", root().join("cdylib/include").display());
    let mut all = vec![include.as_str()];
    all.extend(flags.iter().map(String::as_str));
    compile(source, &all)
}

fn linked_in_folder_of(library: &Path, name: &str) -> Vec<String> {
    let folder = library.parent().expect("a folder").display();
    // Cargo sets LD_LIBRARY_PATH to folders that may have another build.
    vec![
        format!("-L{folder}"),
        format!("-Wl,--disable-new-dtags,-rpath,{folder}"),
        name.to_owned(),
    ]
}

fn link_beside(library: &Path, name: &str) {
    let file = library.file_name().expect("a file");
    match symlink(file, library.with_file_name(name)) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => panic!("no link: {error}"),
        _ => {}
    }
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
