//! The same work under many placements: of the library's own tables, and of the program's stack and arrays as well.
//!
//! The library is a build that moves its tables by a number in its configuration. Each placement runs some times, in turn
//! with all others, and counts by its median of processor time, which other processes disturb less than the clock.

use core::fmt::Write;
use std::path::Path;

use plotters::prelude::*;
use serde::Serialize;

use super::Failure;
use super::case::Case;
use super::child;
use super::peer::{Peer, SUBJECT};
use super::progress::Progress;
use super::samples::Samples;

/// Seconds of one run.
const SECONDS: f64 = 0.1;

/// How many placements, and how often each is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Placements.
    pub placements: usize,
    /// Runs of each.
    pub runs: usize,
}

/// What is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Series {
    Tables,
    Everything,
    Glibc,
}

const SERIES: [Series; 3] = [Series::Tables, Series::Everything, Series::Glibc];

#[derive(Debug, Serialize)]
struct Row {
    workload: String,
    moved: &'static str,
    least_ns: f64,
    p5_ns: f64,
    median_ns: f64,
    p95_ns: f64,
    most_ns: f64,
    p95_to_p5: f64,
    #[serde(skip)]
    to_median: Vec<f64>,
}

/// Measures all cases, and writes `placement.csv`, `placement.md` and `placement.svg`.
///
/// # Errors
///
/// When a run fails or a file cannot be written.
pub fn run(
    cases: &[Case],
    library: &Path,
    plan: Plan,
    out: &Path,
    (command, machine): &(String, String),
) -> Result<(), Failure> {
    let progress = Progress::new(cases.len());
    let mut rows = Vec::new();
    for case in cases {
        rows.extend(measure(case, library, plan, &progress)?);
        progress.done(&case.name);
    }
    progress.finish();
    let page = page(&rows, plan, command, machine);
    super::save(out, "placement", &rows, &page)?;
    draw(&out.join("placement.svg"), &rows)?;
    Ok(())
}

fn measure(
    case: &Case,
    library: &Path,
    plan: Plan,
    progress: &Progress,
) -> Result<Vec<Row>, Failure> {
    let operations = child::calibrate(case, SECONDS)?;
    let mut samples = vec![[const { None::<Samples> }; SERIES.len()]; plan.placements];
    for round in 0..plan.runs {
        progress.now(&format!("{}: round {}", case.name, round + 1));
        for (index, kept) in samples.iter_mut().enumerate() {
            for (series, kept) in SERIES.into_iter().zip(kept) {
                let number = index + 1;
                let peer = series.peer(library, number)?;
                let shift = if series == Series::Tables { 0 } else { number };
                let options = ["--shift", &shift.to_string()];
                let outcome = child::run(case, &peer, operations, &options)?.outcome;
                let seconds = outcome.user_seconds + outcome.system_seconds;
                let each = seconds * 1e9 / outcome.operations.max(1) as f64;
                kept.get_or_insert_default().push(each);
            }
        }
    }
    let of_series = |(index, series): (usize, Series)| {
        let medians = samples
            .iter()
            .filter_map(|kept| kept[index].as_ref()?.median());
        Row::new(&case.name, series, medians.collect())
    };
    Ok(SERIES
        .into_iter()
        .enumerate()
        .filter_map(of_series)
        .collect())
}

impl Series {
    fn name(self) -> &'static str {
        match self {
            Self::Tables => "slubmalloc: its tables",
            Self::Everything => "slubmalloc: stack and arrays as well",
            Self::Glibc => "glibc: stack and arrays",
        }
    }

    fn peer(self, library: &Path, number: usize) -> Result<Peer, Failure> {
        if self == Self::Glibc {
            return Ok(Peer::glibc());
        }
        let peer = Peer::subject(library)?;
        let configuration = Some(format!("placement:{number}"));
        Ok(Peer {
            configuration,
            ..peer
        })
    }
}

impl Row {
    fn new(workload: &str, series: Series, mut medians: Vec<f64>) -> Option<Self> {
        medians.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (medians.len().saturating_sub(1)) as f64 * share;
            medians.get(place.round() as usize).copied()
        };
        let median = at(0.5)?;
        Some(Self {
            workload: workload.to_owned(),
            moved: series.name(),
            least_ns: at(0.0)?,
            p5_ns: at(0.05)?,
            median_ns: median,
            p95_ns: at(0.95)?,
            most_ns: at(1.0)?,
            p95_to_p5: at(0.95)? / at(0.05)?,
            to_median: medians.iter().map(|value| value / median).collect(),
        })
    }
}

fn page(rows: &[Row], plan: Plan, command: &str, machine: &str) -> String {
    let Plan { placements, runs } = plan;
    let mut text = format!("# The same work under many placements\n\n`{command}`\n\n{machine}\n\n");
    _ = writeln!(
        text,
        "{placements} placements, {runs} runs each, in turn. Nanoseconds of processor time for one operation, by the medians of\n\
         the placements; the last column is the 95th percentile over the 5th.\n\n\
         | workload | moved | least | p5 | median | p95 | most | p95/p5 |\n|---|---|--:|--:|--:|--:|--:|--:|"
    );
    for row in rows {
        _ = writeln!(
            text,
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.3} |",
            row.workload,
            row.moved,
            row.least_ns,
            row.p5_ns,
            row.median_ns,
            row.p95_ns,
            row.most_ns,
            row.p95_to_p5
        );
    }
    text
}

/// A line for each row, a dot for each placement, by its time over the median.
fn draw(path: &Path, rows: &[Row]) -> Result<(), Failure> {
    const LINE: u32 = 20;
    let height = 70 + rows.len() as u32 * LINE;
    let area = SVGBackend::new(path, (960, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let title =
        "Time of each placement over the median of its row; what is beyond 0.8 or 1.3 stands there";
    area.draw(&Text::new(title, (16, 12), ("sans-serif", 18)))?;
    let place = |value: f64| 420 + ((value.clamp(0.8, 1.3) - 0.8) / 0.5 * 510.0) as i32;
    for tick in [0.8, 0.9, 1.0, 1.1, 1.2, 1.3] {
        let line = vec![(place(tick), 40), (place(tick), height as i32 - 26)];
        area.draw(&PathElement::new(line, BLACK.mix(0.2)))?;
        let at = (place(tick) - 8, height as i32 - 20);
        area.draw(&Text::new(tick.to_string(), at, ("sans-serif", 13)))?;
    }
    for (index, row) in rows.iter().enumerate() {
        let middle = 48 + (index as u32 * LINE) as i32;
        let label = format!("{}, {}", row.workload, row.moved);
        area.draw(&Text::new(label, (16, middle - 6), ("sans-serif", 13)))?;
        let colour = match row.moved.starts_with(SUBJECT) {
            true => RGBColor(0, 114, 178),
            false => RGBColor(230, 159, 0),
        };
        for value in &row.to_median {
            area.draw(&Circle::new(
                (place(*value), middle),
                3,
                colour.mix(0.6).filled(),
            ))?;
        }
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Row, Series};

    #[test]
    fn percentiles_are_of_the_placements() {
        let medians = (1..=21).map(f64::from).collect();
        let row = Row::new("pair/16", Series::Tables, medians).expect("values");
        assert_eq!(
            (row.least_ns, row.median_ns, row.most_ns),
            (1.0, 11.0, 21.0)
        );
        assert_eq!((row.p5_ns, row.p95_ns), (2.0, 20.0));
        assert!(Row::new("pair/16", Series::Glibc, Vec::new()).is_none());
    }
}
