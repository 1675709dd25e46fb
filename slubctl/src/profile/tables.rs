//! From the library's tables to a profile: a sequence lock, read until it is as it was before.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Amount, Profile, Sample, Stack};
use crate::directory::Directory;
use crate::image;
use crate::memory::{Memory, number};
use crate::read::{OwnerNames, Target};
use crate::record::Record;

/// Most readings of the tables until one is of one moment, and the pause between two.
const READINGS: u32 = 50;
const PAUSE: Duration = Duration::from_micros(200);
/// Most entries that are read of each table.
const MOST_SAMPLES: u64 = 1 << 22;
const MOST_STACKS: u64 = 1 << 19;
const MOST_FRAMES: u64 = 1 << 23;
/// No stack is deeper.
const MOST_DEPTH: u64 = 1 << 10;
/// Bytes that are read at once.
const PIECE: u64 = 1 << 20;
/// An age is modulo 2^32 milliseconds; one this close to that is of a block that was allocated after the clock was read.
const SOON: u32 = 60_000;

/// Whether allocations are sampled in a target, and at which rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Bytes between two samples in the mean, 0 if it is off.
    pub rate: u64,
    /// Whether it was ever on.
    pub was_on: bool,
}

/// The state of the profiler in a target, which errors call `subject`; the largest rate of several copies of the library.
pub fn state(memory: &dyn Memory, subject: &str) -> Result<State> {
    let mut state = State::default();
    for target in profilers(memory, subject)? {
        let record = target.profile_record()?;
        state.rate = state.rate.max(record.number("rate")?);
        state.was_on |= record.number("known")? != 0;
    }
    Ok(state)
}

/// The copies of the library that have made a heap and have a profiler.
pub(super) fn profilers<'m>(memory: &'m dyn Memory, subject: &str) -> Result<Vec<Target<'m>>> {
    let mut found = Vec::new();
    let mut release = None;
    for image in image::find(memory)? {
        let directory = Directory::read(memory, image.directory)?;
        let has_profiler = directory.field("process.profile").is_ok();
        let target = Target { memory, directory };
        if target.process()?.is_none() {
            continue;
        }
        match has_profiler {
            true => found.push(target),
            false => release = Some(target.directory.release),
        }
    }
    match release {
        _ if !found.is_empty() => Ok(found),
        Some(release) => bail!("slubmalloc {release} in {subject} has no heap profiler"),
        None => bail!("{subject} does not use slubmalloc"),
    }
}

/// The numbers of the tables that one reading has to agree with.
struct Layout {
    /// Fraction bits of counts.
    bits: u64,
    sample_bytes: u64,
    stack_bytes: u64,
}

/// The bytes of one reading.
struct Tables<'d> {
    head: Record<'d>,
    samples: Vec<u8>,
    stacks: Vec<u8>,
    frames: Vec<u8>,
    is_approximate: bool,
}

impl Target<'_> {
    fn profile_record(&self) -> Result<Record<'_>> {
        let process = self.process()?.context("there is no heap yet")?;
        process.inner("profile", "profile")
    }

    /// The profile, if the profiler was ever on.
    pub(super) fn read_profile(&self, now: Option<u64>) -> Result<Option<Profile>> {
        let record = self.profile_record()?;
        let address = record.number("known")?;
        if address == 0 {
            return Ok(None);
        }
        let layout = Layout {
            bits: self.directory.value("profile_fraction_bits", 0, 32)?,
            sample_bytes: self.directory.size("profile_sample")?,
            stack_bytes: self.directory.size("profile_stack")?,
        };
        let tables = self.read_tables(address, &layout)?;
        let head = &tables.head;
        let names = self.owner_names()?;
        let mut profile = Profile {
            rate: record.number("rate")?,
            is_on: record.number("rate")? != 0,
            dropped_samples: head.number("dropped_samples")?,
            dropped_stacks: head.number("dropped_stacks")?,
            is_approximate: tables.is_approximate,
            ..Profile::default()
        };
        let lifetimes = head.numbers("lifetimes", 8)?;
        profile.lifetimes = lifetimes
            .into_iter()
            .map(|it| estimate(it, layout.bits))
            .collect();
        let peak_epoch = head.number("peak_epoch")?;
        let places = self.read_stacks(&tables, &layout, peak_epoch, &names, &mut profile)?;
        let origin = head.number("origin")?;
        self.read_samples(&tables, &layout, (origin, now), &places, &mut profile)?;
        let started = record.number("started")?;
        profile.on_for_ms = now.map(|it| it.saturating_sub(started));
        Ok(Some(profile))
    }

    /// Reads all tables of one moment; of several where they change all the time.
    fn read_tables(&self, address: u64, layout: &Layout) -> Result<Tables<'_>> {
        let mut last = None;
        for reading in 0..READINGS {
            if reading > 0 {
                std::thread::sleep(PAUSE * reading.min(10));
            }
            let tables = self.read_once(address, layout);
            let after = self.record("profile_tables", address)?.number("change")?;
            match tables {
                Ok(tables) => {
                    let before = tables.head.number("change")?;
                    if before == after && before & 1 == 0 {
                        return Ok(tables);
                    }
                    last = Some(Ok(tables));
                }
                // What moves may be torn; what is damaged stays so.
                Err(error) if last.is_none() => last = Some(Err(error)),
                Err(_) => {}
            }
        }
        let mut tables = last.context("no reading")??;
        tables.is_approximate = true;
        Ok(tables)
    }

    fn read_once(&self, address: u64, layout: &Layout) -> Result<Tables<'_>> {
        let head = self.record("profile_tables", address)?;
        let table = |name: &str, end: &str, bytes: u64, most: u64| -> Result<Vec<u8>> {
            let count = head.number(end)?;
            if count > most {
                bail!("damaged tables: {count} {name} of the heap profile");
            }
            self.long_bytes(head.number(name)?, count * bytes)
                .with_context(|| format!("damaged tables: {name} of the heap profile"))
        };
        Ok(Tables {
            samples: table("samples", "sample_end", layout.sample_bytes, MOST_SAMPLES)?,
            stacks: table("stacks", "stack_end", layout.stack_bytes, MOST_STACKS)?,
            frames: table("frames", "frame_end", 8, MOST_FRAMES)?,
            is_approximate: false,
            head,
        })
    }

    /// Bytes that may be more than one piece.
    fn long_bytes(&self, address: u64, bytes: u64) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        for first in (0..bytes).step_by(PIECE as usize) {
            let count = PIECE.min(bytes - first);
            all.extend(self.memory.bytes(address.wrapping_add(first), count)?);
        }
        Ok(all)
    }

    /// Reads the stacks that were used, and returns the index of each by its number.
    fn read_stacks(
        &self,
        tables: &Tables<'_>,
        layout: &Layout,
        peak_epoch: u64,
        names: &OwnerNames,
        profile: &mut Profile,
    ) -> Result<HashMap<u64, usize>> {
        let mut places = HashMap::new();
        let mut left = MOST_FRAMES;
        let frame_count = tables.frames.len() as u64 / 8;
        for (index, bytes) in (0..).zip(tables.stacks.chunks_exact(layout.stack_bytes as usize)) {
            let record = Record::of(&self.directory, "profile_stack", 0, bytes.to_vec());
            let amount = |count: &str, bytes: &str| -> Result<Amount> {
                Ok(Amount {
                    count: estimate(record.number(count)?, layout.bits),
                    bytes: record.number(bytes)?,
                })
            };
            let all = amount("all_count", "all_bytes")?;
            if all == Amount::default() {
                continue;
            }
            let (first, depth) = (record.number("first")?, record.number("depth")?);
            let end = first.saturating_add(depth);
            if depth > MOST_DEPTH.min(left) || end > frame_count {
                // One that is half written.
                if tables.is_approximate {
                    continue;
                }
                bail!(
                    "damaged tables: a stack of {depth} frames from {first} on, of {frame_count}"
                );
            }
            left -= depth;
            let frames = &tables.frames[first as usize * 8..end as usize * 8];
            let live = amount("live_count", "live_bytes")?;
            let peak = match record.number("epoch")? == peak_epoch {
                true => amount("peak_count", "peak_bytes")?,
                false => live,
            };
            places.insert(index, profile.stacks.len());
            profile.stacks.push(Stack {
                frames: frames.chunks_exact(8).filter_map(number).collect(),
                label: names.label(record.number("label")?),
                live,
                all,
                peak,
            });
        }
        Ok(places)
    }

    fn read_samples(
        &self,
        tables: &Tables<'_>,
        layout: &Layout,
        (origin, now): (u64, Option<u64>),
        places: &HashMap<u64, usize>,
        profile: &mut Profile,
    ) -> Result<()> {
        let chunks = tables.samples.chunks_exact(layout.sample_bytes as usize);
        for bytes in chunks.skip(1) {
            let record = Record::of(&self.directory, "profile_sample", 0, bytes.to_vec());
            let (address, stack) = (record.number("address")?, record.number("stack")?);
            // One that is half written has no stack yet.
            let Some(stack) = places.get(&stack).filter(|_| address != 0) else {
                continue;
            };
            profile.samples.push(Sample {
                address,
                bytes: record.number("bytes")?,
                count: estimate(record.number("count")?, layout.bits).max(1.0),
                at: record.number("at")? as u32,
                age_ms: 0,
                stack: *stack,
            });
        }
        // A core file has no clock; the youngest sample is about as old as the core.
        let youngest = || profile.samples.iter().map(|it| u64::from(it.at)).max();
        let now = now.map(|now| now.saturating_sub(origin)).or_else(youngest);
        for sample in &mut profile.samples {
            let age = (now.unwrap_or_default() as u32).wrapping_sub(sample.at);
            sample.age_ms = match age > u32::MAX - SOON {
                true => 0,
                false => u64::from(age),
            };
        }
        Ok(())
    }
}

/// A count with fraction bits.
fn estimate(count: u64, bits: u64) -> f64 {
    count as f64 / (1_u64 << bits) as f64
}
