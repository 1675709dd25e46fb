//! A profile as folded stacks, a line for each, and as a flame graph of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use inferno::flamegraph::{self, Options};

use super::{Trace, Values};

/// Folded stacks (github.com/brendangregg/FlameGraph): functions from the outermost on, and bytes.
pub fn folded(traces: &[Trace], values: Values) -> String {
    let mut bytes: BTreeMap<String, u64> = BTreeMap::new();
    for trace in traces {
        let amount = trace.amount(values).bytes;
        if amount == 0 {
            continue;
        }
        let functions = trace.frames.iter().rev().map(|it| plain(&it.function));
        let label = trace.label.iter().map(|it| plain(&format!("[{it}]")));
        let key = functions.chain(label).collect::<Vec<_>>().join(";");
        let sum = bytes.entry(key).or_default();
        *sum = sum.saturating_add(amount);
    }
    let lines = bytes
        .iter()
        .map(|(stack, bytes)| format!("{stack} {bytes}\n"));
    lines.collect()
}

/// A name that does not end the field.
fn plain(name: &str) -> String {
    name.replace(';', ":")
}

/// A flame graph: an SVG picture in which the width of a function is the memory that it and those it calls have allocated.
pub fn flame_graph(traces: &[Trace], values: Values, title: &str, notes: &str) -> Result<String> {
    let folded = folded(traces, values);
    let mut options = Options::default();
    options.title = title.to_owned();
    options.subtitle = Some(notes.to_owned());
    options.count_name = "bytes".to_owned();
    options.name_type = "Function:".to_owned();
    options.hash = true;
    let mut picture = Vec::new();
    // An empty one is an error there, and has a line that says so.
    let lines = match folded.is_empty() {
        true => "nothing was sampled 1\n",
        false => folded.as_str(),
    };
    flamegraph::from_lines(&mut options, lines.lines(), &mut picture).context("flame graph")?;
    Ok(String::from_utf8(picture)?)
}
