//! What looks like a leak: stacks whose memory grows from one look to the next, and old blocks.
//!
//! # Invariant
//!
//! Growth is summed over single samples, those that came and those that went, so that its error is known: a sample that stands
//! for `count` blocks is there with probability `1 / count`, and its part of the variance is its weight squared times
//! `1 - 1 / count` (Horvitz and Thompson's estimator).

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::time::Duration;

use super::diff::signed;
use super::{Amount, Label, Profile, Sample, Trace};
use crate::view::{counted, human};

/// Standard errors on each side of an interval that has the true value in 95 of 100 cases.
const NORMAL_95: f64 = 1.96;

/// A stack that has old or more memory.
#[derive(Clone, Debug)]
pub struct Leak {
    /// The stack, an index of the later profile's.
    pub stack: usize,
    /// Bytes that it grew by between the looks, and half of the interval around that.
    pub grown: f64,
    /// Half of the interval of 95 %.
    pub error: f64,
    /// Bytes that it allocated between the looks.
    pub allocated: u64,
    /// What is in use now.
    pub live: Amount,
    /// What is older than was asked for.
    pub old: Amount,
    /// The age of its oldest sample.
    pub oldest_ms: u64,
}

impl Leak {
    /// Whether it has grown, and not only the estimate of it.
    pub fn is_growing(&self) -> bool {
        self.grown > self.error
    }

    /// The share of what it allocated between the looks that is still in use, up to 1.
    pub fn kept(&self) -> Option<f64> {
        let share = self.grown.max(0.0) / self.allocated as f64;
        (self.allocated > 0).then(|| share.min(1.0))
    }
}

/// Which stack it is in each of two looks: the tables only grow, but their order is not promised.
type StackKey<'p> = (&'p [u64], Option<&'p Label>);

/// Stacks that grew between two looks or have blocks older than `older`, those that grow most first.
pub fn leaks(before: &Profile, after: &Profile, older: Duration) -> Vec<Leak> {
    let older = u64::try_from(older.as_millis()).unwrap_or(u64::MAX);
    let mut found: HashMap<StackKey<'_>, Leak> = HashMap::new();
    let mut variance: HashMap<StackKey<'_>, f64> = HashMap::new();
    for (index, stack) in after.stacks.iter().enumerate() {
        let leak = found.entry(key(after, index)).or_insert_with(|| Leak {
            stack: index,
            grown: 0.0,
            error: 0.0,
            allocated: 0,
            live: Amount::default(),
            old: Amount::default(),
            oldest_ms: 0,
        });
        leak.allocated = leak.allocated.saturating_add(stack.all.bytes);
        leak.live.add(stack.live);
    }
    for (index, stack) in before.stacks.iter().enumerate() {
        if let Some(leak) = found.get_mut(&key(before, index)) {
            leak.allocated = leak.allocated.saturating_sub(stack.all.bytes);
        }
    }
    let seen = |profile: &Profile| -> HashSet<(u64, u32)> {
        profile
            .samples
            .iter()
            .map(|it| (it.address, it.at))
            .collect()
    };
    let (were, are) = (seen(before), seen(after));
    let identity = |it: &Sample| (it.address, it.at);
    for (profile, others, sign) in [(before, &are, -1.0), (after, &were, 1.0)] {
        for sample in &profile.samples {
            let key = key(profile, sample.stack);
            let Some(leak) = found.get_mut(&key) else {
                continue;
            };
            if sign > 0.0 && sample.age_ms >= older {
                leak.oldest_ms = leak.oldest_ms.max(sample.age_ms);
                leak.old.add(Amount {
                    count: sample.count,
                    bytes: sample.weight() as u64,
                });
            }
            if !others.contains(&identity(sample)) {
                leak.grown += sign * sample.weight();
                let part = sample.weight().powi(2) * (1.0 - 1.0 / sample.count.max(1.0));
                *variance.entry(key).or_default() += part;
            }
        }
    }
    for (key, leak) in &mut found {
        leak.error = NORMAL_95 * variance.get(key).copied().unwrap_or_default().sqrt();
    }
    let mut found: Vec<Leak> = found.into_values().collect();
    found.retain(|it| it.is_growing() || it.old.bytes > 0);
    let order = |it: &Leak| {
        (
            it.is_growing(),
            if it.is_growing() { it.grown } else { 0.0 },
            it.old.bytes,
        )
    };
    found.sort_by(|one, other| {
        let (one, other) = (order(one), order(other));
        let by_growth = other.0.cmp(&one.0).then(other.1.total_cmp(&one.1));
        by_growth.then(other.2.cmp(&one.2))
    });
    found
}

fn key(profile: &Profile, stack: usize) -> StackKey<'_> {
    let stack = profile.stacks.get(stack);
    stack.map_or((&[], None), |it| (&it.frames, it.label.as_ref()))
}

/// The report, with at most `most` stacks.
pub fn report(
    leaks: &[Leak],
    traces: &[Trace],
    (apart, older): (Duration, Duration),
    most: usize,
) -> String {
    let seconds = apart.as_secs_f64().max(1e-3);
    let growing = leaks.iter().filter(|it| it.is_growing()).count();
    let mut text = format!(
        "{} in {seconds:.1} s; {} blocks older than {} s and did not grow\n",
        match growing {
            0 => "no stack grew".to_owned(),
            count => format!("{} grew", counted(count as u64, "stack")),
        },
        counted((leaks.len() - growing) as u64, "other stack") + " had",
        older.as_secs_f64(),
    );
    text += "estimates by samples, with the interval that has the true value in 95 of 100 cases; growth need be no leak: \
             whether something still points to a block is not known\n";
    for leak in leaks.iter().take(most) {
        let Some(trace) = traces.get(leak.stack) else {
            continue;
        };
        let rate = |bytes: f64| (bytes / seconds).round() as i128;
        let growth = match leak.is_growing() {
            true => format!("{}/s", signed(rate(leak.grown))),
            false => "not growing".to_owned(),
        };
        let error = human(rate(leak.error).unsigned_abs() as u64);
        let _ = writeln!(text, "\n{growth} (± {error}/s): {}", trace.title());
        let mut facts = vec![format!(
            "{} in {} in use",
            human(leak.live.bytes),
            counted(leak.live.count.round() as u64, "block")
        )];
        if leak.old.bytes > 0 {
            facts.push(format!(
                "{} in {} older than {} s, the oldest {:.0} s",
                human(leak.old.bytes),
                counted(leak.old.count.round() as u64, "block"),
                older.as_secs_f64(),
                leak.oldest_ms as f64 / 1e3
            ));
        }
        if let Some(kept) = leak.kept().filter(|_| leak.is_growing()) {
            facts.push(format!(
                "of {} allocated between the looks {:.0} % are still in use",
                human(leak.allocated),
                100.0 * kept
            ));
        }
        let _ = writeln!(text, "  {}", facts.join("; "));
        let _ = writeln!(text, "  backtrace:");
        for line in trace.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    if let Some(others) = leaks.len().checked_sub(most).filter(|it| *it > 0) {
        let _ = writeln!(
            text,
            "\n{} not shown",
            counted(others as u64, "other stack")
        );
    }
    text
}
