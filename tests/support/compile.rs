//! Compiling the C and C++ programs, each once per test process.

use super::root;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Compiles `tests/{source}`, C or C++ by its ending, once per process; more flags make another program.
pub(crate) fn compile(source: &str, flags: &[&str]) -> PathBuf {
    static COMPILED: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let name: String = format!("{source} {}", flags.join(" "))
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let mut compiled = COMPILED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let compiled = compiled.get_or_insert_default();
    if let Some(program) = compiled.get(&name) {
        return program.clone();
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    fs::create_dir_all(&dir).expect("a directory for programs");
    // A name of our own, then a rename: another test process may be running the same program.
    let unfinished = dir.join(format!("{}.{}", name.trim_matches('-'), std::process::id()));
    let program = dir.join(name.trim_matches('-'));
    compile_to(&unfinished, &[&root().join("tests").join(source)], flags);
    fs::rename(&unfinished, &program).expect("the compiled program is there");
    compiled.insert(name, program.clone());
    program
}

/// Compiles sources of either language to `output`; the compiler must not see through malloc.
pub(crate) fn compile_to(output: &Path, sources: &[&Path], flags: &[&str]) {
    let cxx = sources
        .iter()
        .any(|source| source.extension() == Some(OsStr::new("cpp")));
    let mut compiler = Command::new(if cxx { "c++" } else { "cc" });
    if cxx {
        compiler.arg("-std=c++17");
    }
    compiler
        .args([
            "-O1",
            "-g",
            "-Wall",
            "-Wextra",
            "-pthread",
            "-fno-builtin",
            "-o",
        ])
        .arg(output);
    let run = compiler
        .args(sources)
        .args(flags)
        .arg("-ldl")
        .output()
        .expect("a C compiler starts");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success(),
        "{sources:?} does not compile:\n{said}"
    );
}
