//! What grew between two stored profiles.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Amount, Label, Location, Stored, Trace};
use crate::view::{counted, human};

/// Stacks that are written out.
const STACKS: usize = 50;

type Key = (Vec<Location>, Option<Label>);

/// A stack's use in both.
struct Change {
    trace: Trace,
    before: Amount,
    after: Amount,
}

impl Change {
    fn bytes(&self) -> i128 {
        i128::from(self.after.bytes) - i128::from(self.before.bytes)
    }
}

/// The stacks that use more or less, the largest growth first.
pub fn diff(before: &Stored, after: &Stored) -> String {
    let mut changes: HashMap<Key, Change> = HashMap::new();
    for (stored, is_after) in [(before, false), (after, true)] {
        for trace in &stored.traces {
            let key = (trace.frames.clone(), trace.label.clone());
            let change = changes.entry(key).or_insert_with(|| Change {
                trace: trace.clone(),
                before: Amount::default(),
                after: Amount::default(),
            });
            match is_after {
                true => change.after.add(trace.live),
                false => change.before.add(trace.live),
            }
        }
    }
    let mut changes: Vec<Change> = changes.into_values().collect();
    changes.retain(|it| it.bytes() != 0);
    changes.sort_by_cached_key(|it| (-it.bytes(), it.trace.title()));
    let sum = |stored: &Stored| {
        let bytes = stored.traces.iter().map(|it| it.live.bytes);
        bytes.fold(0_u64, u64::saturating_add)
    };
    let (old, new) = (sum(before), sum(after));
    let growth = signed(i128::from(new) - i128::from(old));
    let mut text = format!(
        "{} in use before, {} after: {growth}",
        human(old),
        human(new)
    );
    let seconds = after.time_nanos.saturating_sub(before.time_nanos) as f64 / 1e9;
    if before.time_nanos > 0 && seconds > 0.0 {
        let _ = write!(text, " in {seconds:.1} s");
    }
    let _ = writeln!(text, "; estimates\n");
    let head = ("GROWTH", "BEFORE", "AFTER", "BLOCKS");
    let _ = writeln!(
        text,
        "{:>12} {:>12} {:>12} {:>10}  STACK",
        head.0, head.1, head.2, head.3
    );
    let rows = changes.len();
    // Of many, those that grew most and those that shrank most.
    let shown = |index: usize| index < STACKS || rows - index <= STACKS / 5;
    for (_, change) in changes
        .iter()
        .enumerate()
        .filter(|(index, _)| shown(*index))
    {
        let _ = writeln!(
            text,
            "{:>12} {:>12} {:>12} {:>+10}  {}",
            signed(change.bytes()),
            human(change.before.bytes),
            human(change.after.bytes),
            (change.after.count - change.before.count).round() as i64,
            change.trace.title()
        );
        for line in change.trace.lines() {
            let _ = writeln!(text, "{:52}{line}", "");
        }
    }
    let hidden = (0..rows).filter(|index| !shown(*index)).count() as u64;
    if hidden > 0 {
        let _ = writeln!(text, "{} not shown", counted(hidden, "other stack"));
    }
    text
}

/// Bytes with a sign.
pub(super) fn signed(bytes: i128) -> String {
    let size = human(u64::try_from(bytes.unsigned_abs()).unwrap_or(u64::MAX));
    match bytes {
        0 => size,
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}
