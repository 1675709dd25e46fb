//! A profile as text, after the kernel's `/proc/allocinfo` and `alloc_traces`.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Amount, Profile, Trace, Values};
use crate::view::{counted, human};

/// Stacks that are written out.
const STACKS: usize = 10;

/// The table: what each place in the program has allocated, the largest first, and the largest stacks.
pub fn text(profile: &Profile, traces: &[Trace], values: Values, title: &str) -> String {
    let mut text = format!("# {title}\n");
    for line in notes(profile, values) {
        let _ = writeln!(text, "# {line}");
    }
    let _ = writeln!(
        text,
        "#\n#{:>14} {:>10} function file:line",
        "bytes", "calls"
    );
    for (title, amount) in sites(traces, values) {
        let _ = writeln!(
            text,
            "{:>15} {:>10} {title}",
            amount.bytes,
            amount.count.round()
        );
    }
    let mut largest: Vec<&Trace> = traces.iter().collect();
    largest.sort_by_key(|it| std::cmp::Reverse(it.amount(values).bytes));
    largest.retain(|it| it.amount(values).bytes > 0);
    if !largest.is_empty() {
        let _ = writeln!(text, "\n# stacks, the largest first");
    }
    for trace in largest.iter().take(STACKS) {
        let amount = trace.amount(values);
        let label = trace.label.iter().map(|it| format!(" [{it}]"));
        let label = label.collect::<String>();
        let _ = writeln!(
            text,
            "{:>15} {:>10}{label}",
            amount.bytes,
            amount.count.round()
        );
        for line in trace.lines() {
            let _ = writeln!(text, "{:27}{line}", "");
        }
    }
    if let Some(others) = largest.len().checked_sub(STACKS).filter(|it| *it > 0) {
        let _ = writeln!(
            text,
            "# {} not shown",
            counted(others as u64, "other stack")
        );
    }
    text + &lifetimes(&profile.lifetimes)
}

/// What is to be known of the numbers.
pub fn notes(profile: &Profile, values: Values) -> Vec<String> {
    let what = match values {
        Values::Live => "in use",
        Values::All => "allocated since sampling began",
        Values::Peak => "in use when that was most",
    };
    let sum = profile.sum(values);
    let mut notes = vec![format!(
        "{} in {} {what}: estimates of what was allocated while it was sampled, {}",
        human(sum.bytes),
        counted(sum.count.round() as u64, "block"),
        match profile.rate {
            0 => "which is off now".to_owned(),
            rate => format!("one block for {} in the mean", human(rate)),
        }
    )];
    if profile.is_approximate {
        notes.push("the tables changed while they were read: numbers are approximate".to_owned());
    }
    if profile.dropped_samples > 0 {
        let dropped = counted(profile.dropped_samples, "sample");
        notes.push(format!(
            "{dropped} had no room in the tables and are in no number"
        ));
    }
    if profile.dropped_stacks > 0 {
        let dropped = counted(profile.dropped_stacks, "stack");
        notes.push(format!(
            "{dropped} had no room in the tables and are [unknown]"
        ));
    }
    notes
}

/// What each place has, the largest first.
fn sites(traces: &[Trace], values: Values) -> Vec<(String, Amount)> {
    let mut sites: HashMap<String, Amount> = HashMap::new();
    for trace in traces {
        let amount = trace.amount(values);
        if amount.bytes > 0 {
            sites.entry(site(trace)).or_default().add(amount);
        }
    }
    let mut sites: Vec<_> = sites.into_iter().collect();
    sites.sort_by(|one, other| (other.1.bytes, &one.0).cmp(&(one.1.bytes, &other.0)));
    sites
}

fn site(trace: &Trace) -> String {
    let site = trace.site();
    let mut line = site.function.clone();
    if !site.file.is_empty() {
        line += &format!(" {}", site.place());
    }
    if let Some(label) = &trace.label {
        line += &format!(" [{label}]");
    }
    line
}

/// How long freed blocks lived.
fn lifetimes(counts: &[f64]) -> String {
    let Some(last) = counts.iter().rposition(|it| *it >= 0.5) else {
        return String::new();
    };
    let mut text = "\n# freed blocks by age\n".to_owned();
    for (power, count) in counts.iter().enumerate().take(last + 1) {
        let bound = match 1_u64 << power.min(63) {
            ms @ ..1_000 => format!("{ms} ms"),
            ms => format!("{:.1} s", ms as f64 / 1e3),
        };
        let _ = writeln!(text, "{:>15} {:>10}", format!("< {bound}"), count.round());
    }
    text
}
