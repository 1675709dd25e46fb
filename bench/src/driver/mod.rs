//! Running workloads in child processes under different allocators, and telling what came out.

#![forbid(unsafe_code)]

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

pub mod placement;

/// What can go wrong between processes, files and the reader.
pub type Failure = Box<dyn core::error::Error + Send + Sync>;
