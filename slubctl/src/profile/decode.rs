//! A profile that was read from a file in pprof's format.

use std::collections::HashMap;
use std::io::Read;

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use prost::Message;

use super::location::Location;
use super::traces::Trace;
use super::{Amount, Label, pprof as proto};
use crate::memory::printable;

/// No profile is longer, before and after it is decompressed.
const LONGEST: u64 = 512 << 20;
/// No stack is deeper.
const MOST_FRAMES: usize = 4096;

/// A profile that was read from a file.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Its stacks.
    pub traces: Vec<Trace>,
    /// Nanoseconds after 1970 at which it was written.
    pub time_nanos: i64,
    /// Bytes between two samples in the mean.
    pub rate: i64,
}

/// Reads a file of pprof's.
pub fn stored(file: impl Read) -> Result<Stored> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        GzDecoder::new(bytes.as_slice())
            .take(LONGEST)
            .read_to_end(&mut plain)?;
        bytes = plain;
    }
    let profile = proto::Profile::decode(bytes.as_slice()).context("no profile of pprof's")?;
    let text = |index: i64| {
        let text = usize::try_from(index)
            .ok()
            .and_then(|it| profile.string_table.get(it));
        text.map_or("", String::as_str)
    };
    let place = |kind: &str| {
        profile
            .sample_type
            .iter()
            .position(|it| text(it.kind) == kind)
    };
    let amount = |sample: &proto::Sample, (count, bytes): (Option<usize>, Option<usize>)| {
        let value = |it: Option<usize>| it.and_then(|it| sample.value.get(it)).copied();
        Amount {
            count: value(count).unwrap_or_default() as f64,
            bytes: u64::try_from(value(bytes).unwrap_or_default()).unwrap_or_default(),
        }
    };
    let live = (place("inuse_objects"), place("inuse_space"));
    let all = (place("alloc_objects"), place("alloc_space"));
    let peak = (place("peak_objects"), place("peak_space"));
    if live.1.is_none() {
        bail!("no heap profile: it has no inuse_space");
    }
    let functions: HashMap<u64, _> = profile.function.iter().map(|it| (it.id, it)).collect();
    let mappings: HashMap<u64, _> = profile.mapping.iter().map(|it| (it.id, it)).collect();
    let named = |location: &proto::Location| -> Vec<Location> {
        if location.line.is_empty() {
            let mapping = mappings.get(&location.mapping_id);
            let name = mapping.map(|it| text(it.filename).rsplit('/').next().unwrap_or(""));
            let start = mapping.map_or(0, |it| it.memory_start);
            let within = location.address.wrapping_sub(start);
            return vec![Location::of(match name {
                Some(name) => format!("{}+{within:#x}", printable(name)),
                None => format!("{within:#x}"),
            })];
        }
        let line = |it: &proto::Line| {
            let function = functions.get(&it.function_id);
            Location {
                function: printable(function.map_or("", |it| text(it.name))),
                file: printable(function.map_or("", |it| text(it.filename))),
                line: u32::try_from(it.line).unwrap_or_default(),
            }
        };
        location.line.iter().map(line).collect()
    };
    let locations: HashMap<u64, _> = profile
        .location
        .iter()
        .map(|it| (it.id, named(it)))
        .collect();
    let trace = |sample: &proto::Sample| {
        let ids = sample.location_id.iter();
        let mut frames: Vec<Location> = ids
            .filter_map(|it| locations.get(it))
            .flatten()
            .take(MOST_FRAMES)
            .cloned()
            .collect();
        if frames.is_empty() {
            frames.push(Location::of("[unknown]".to_owned()));
        }
        let label = sample.label.iter().find_map(|it| match text(it.key) {
            "cache" => Some(Label::Cache(printable(text(it.text)))),
            "pool" => Some(Label::Pool(printable(text(it.text)))),
            _ => None,
        });
        Trace {
            frames,
            label,
            live: amount(sample, live),
            all: amount(sample, all),
            peak: amount(sample, peak),
        }
    };
    Ok(Stored {
        traces: profile.sample.iter().map(trace).collect(),
        time_nanos: profile.time_nanos,
        rate: profile.period,
    })
}
