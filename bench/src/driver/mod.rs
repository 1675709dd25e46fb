//! Running workloads in child processes under different allocators, and telling what came out.

#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use serde::Serialize;

pub mod peer;

pub mod child;

pub mod samples;

pub mod case;

pub mod progress;

pub mod round;

pub mod row;

pub mod machine;

pub mod markdown;

pub mod rest;

pub mod picture;

pub mod programs;

pub mod latency;

pub mod counting;

mod contention;
pub mod locks;
pub mod placement;

/// What can go wrong between processes, files and the reader.
pub type Failure = Box<dyn core::error::Error + Send + Sync>;

/// Writes what was measured to `NAME.csv` and `NAME.md`, and prints the page.
///
/// # Errors
///
/// When a file cannot be written.
fn save(out: &Path, name: &str, rows: &[impl Serialize], page: &str) -> Result<(), Failure> {
    let mut table = csv::Writer::from_path(out.join(format!("{name}.csv")))?;
    rows.iter().try_for_each(|row| table.serialize(row))?;
    table.flush()?;
    fs::write(out.join(format!("{name}.md")), page)?;
    println!("{page}");
    Ok(())
}
