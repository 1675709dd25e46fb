//! Whole programs under each allocator. An operation is one run of the program; memory is the peak
//! resident of the largest process.

mod input;
mod redis;

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Failure;
use super::case::Case;
use super::child::{self, sibling, succeeded};
use super::peer::Peer;
use super::progress::Progress;
use super::round::{Effort, Measured, interleave};
use super::row::{Row, rows_named};
use crate::meter::Outcome;
use crate::workloads::find;
use input::Small;

/// One program and its work.
#[derive(Debug)]
pub struct Program {
    /// Its name in reports.
    pub name: &'static str,
    work: Work,
}

/// What a run of it is.
#[derive(Debug)]
enum Work {
    /// An installed program.
    Installed(fn(&Peer, &Path) -> Result<Outcome, Failure>),
    /// One of ours.
    Small(Small),
}

impl Program {
    fn once(&self, peer: &Peer, folder: &Path) -> Result<Outcome, Failure> {
        match self.work {
            Work::Installed(once) => once(peer, folder),
            Work::Small(Small { file, rounds, .. }) => {
                launch(peer, 1, &path(folder, file), &[rounds], &[])
            }
        }
    }
}

/// All programs, in the order of reports.
#[must_use]
pub fn all() -> Vec<Program> {
    let installed = [
        Program {
            name: "program/true",
            work: Work::Installed(start_up),
        },
        Program {
            name: "program/python3",
            work: Work::Installed(|peer, folder| python(peer, folder, &[])),
        },
        Program {
            name: "program/python3-malloc",
            work: Work::Installed(|peer, folder| {
                python(peer, folder, &[("PYTHONMALLOC", "malloc")])
            }),
        },
        Program {
            name: "program/g++",
            work: Work::Installed(compile),
        },
        Program {
            name: "program/sqlite3",
            work: Work::Installed(query),
        },
        Program {
            name: "program/node",
            work: Work::Installed(node),
        },
        Program {
            name: "program/redis",
            work: Work::Installed(redis::once),
        },
    ];
    let small = input::SMALL.map(|small| Program {
        name: small.name,
        work: Work::Small(small),
    });
    installed.into_iter().chain(small).collect()
}

/// A new temporary folder with the inputs of all programs; the caller removes it.
///
/// # Errors
///
/// When it cannot be written.
pub fn inputs() -> Result<PathBuf, Failure> {
    input::prepare()
}

/// Runs one program under all peers that can run programs.
///
/// # Errors
///
/// When its input cannot be made. A program that is not installed is a failure in each of its rows.
pub fn measure(
    program: &Program,
    peers: &[Peer],
    effort: &Effort,
    budget: Duration,
    progress: &Progress,
) -> Result<Vec<Row>, Failure> {
    let mut peers: Vec<_> = peers
        .iter()
        .filter(|peer| peer.runs_programs())
        .cloned()
        .collect();
    let folder = input::prepare()?;
    if matches!(program.work, Work::Small(_)) {
        peers.push(Peer::floor(input::floor(&folder)));
    }
    let mut all: Vec<_> = peers.iter().map(|_| Measured::default()).collect();
    progress.now(&format!("{}: warming up", program.name));
    if let Err(error) = program.once(&Peer::glibc(), &folder) {
        all.iter_mut()
            .for_each(|one| one.failure = Some(error.to_string()));
    }
    interleave(
        program.name,
        &peers,
        &mut all,
        effort,
        budget,
        progress,
        |peer| Ok((program.once(peer, &folder)?, 0)),
    );
    std::fs::remove_dir_all(&folder)?;
    Ok(rows_named(program.name, &peers, &all))
}

/// How long a program takes that does nothing; what the library keeps resident is read inside `work`,
/// since the kernel's figure for so small a program is that of its parent.
fn start_up(peer: &Peer, _: &Path) -> Result<Outcome, Failure> {
    let outcome = launch(peer, 200, "/bin/true", &[], &[])?;
    let case = Case::of(find("pair/16").ok_or("the list has lost a workload")?);
    let peak_bytes = child::run(&case, peer, 1, &[])?.start_bytes;
    Ok(Outcome {
        peak_bytes,
        ..outcome
    })
}

fn python(peer: &Peer, folder: &Path, variables: &[(&str, &str)]) -> Result<Outcome, Failure> {
    launch(
        peer,
        1,
        &python_program(),
        &[path(folder, "churn.py").as_str()],
        variables,
    )
}

fn compile(peer: &Peer, folder: &Path) -> Result<Outcome, Failure> {
    let (source, object) = (path(folder, "input.cc"), path(folder, "input.o"));
    launch(
        peer,
        1,
        "g++",
        &[
            "-std=c++17",
            "-O2",
            "-c",
            source.as_str(),
            "-o",
            object.as_str(),
        ],
        &[],
    )
}

fn query(peer: &Peer, folder: &Path) -> Result<Outcome, Failure> {
    launch(
        peer,
        1,
        "sqlite3",
        &[":memory:", &format!(".read {}", path(folder, "input.sql"))],
        &[],
    )
}

fn node(peer: &Peer, folder: &Path) -> Result<Outcome, Failure> {
    launch(peer, 1, "node", &[path(folder, "churn.js").as_str()], &[])
}

/// The distribution's interpreter: one found on the path may be a script that starts another.
fn python_program() -> String {
    let installed = PathBuf::from("/usr/bin/python3");
    if installed.exists() {
        installed.display().to_string()
    } else {
        "python3".into()
    }
}

fn launch(
    peer: &Peer,
    times: usize,
    program: &str,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Result<Outcome, Failure> {
    let mut command = Command::new(sibling("launch")?);
    command
        .arg(peer.preload())
        .arg(times.to_string())
        .arg(program)
        .args(arguments);
    command.envs(peer.variables());
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    let output = command.output()?;
    succeeded(&output)?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}
