//! Rows as a picture: a line for each case, our ratio to glibc as a bar, the others' as marks.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Failure;
use super::markdown::unique;
use super::peer::{BASELINE, LIMIT, SUBJECT};
use super::row::{Row, mean};

const WIDTH: u32 = 960;
const LABELS: i32 = 190;
const RIGHT: i32 = 30;
const LINE: i32 = 22;
const HEAD: i32 = 58;
const FOOT: i32 = 34;
const LEGEND_COLUMNS: usize = 4;

/// Ratios are shown within these bounds; what lies outside is drawn at the edge.
const LEAST: f64 = 0.1;
const MOST: f64 = 10.0;

const TICKS: &[f64] = &[0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Told apart with any colour sight, by shape where not by colour (after Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(0, 0, 0),
    RGBColor(150, 120, 60),
];
const OURS: RGBColor = RGBColor(0, 114, 178);
const GRID: RGBColor = RGBColor(215, 215, 215);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Line<'a> = (&'a str, Vec<(&'a str, f64)>);

/// Draws `ratio` of all rows, and the geometric mean of each allocator below, to `path`.
///
/// # Errors
///
/// When the file cannot be written.
pub fn draw(
    path: &Path,
    title: &str,
    rows: &[Row],
    ratio: fn(&Row) -> Option<f64>,
) -> Result<(), Failure> {
    let shown = |row: &&Row| row.allocator != BASELINE && row.allocator != LIMIT;
    let names: Vec<_> =
        unique(rows.iter().filter(shown).map(|row| row.allocator.as_str())).collect();
    let mut lines: Vec<Line<'_>> = Vec::new();
    for case in unique(rows.iter().map(|row| row.workload.as_str())) {
        let of_case = rows.iter().filter(|row| row.workload == case).filter(shown);
        let ratios: Vec<_> = of_case
            .filter_map(|row| Some((row.allocator.as_str(), ratio(row)?)))
            .collect();
        if !ratios.is_empty() {
            lines.push((case, ratios));
        }
    }
    let means = names
        .iter()
        .filter_map(|&name| Some((name, mean(rows, name, ratio)?)))
        .collect();
    lines.push(("geometric mean", means));

    let legend_lines = names.len().div_ceil(LEGEND_COLUMNS) as i32;
    let top = HEAD + legend_lines * LINE;
    let height = top + lines.len() as i32 * LINE + FOOT;
    let area = SVGBackend::new(path, (WIDTH, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    area.draw(&Text::new(title, (16, 14), font(20)))?;
    legend(&area, &names)?;
    grid(&area, top, height - FOOT)?;
    for (index, (case, ratios)) in lines.iter().enumerate() {
        let middle = top + index as i32 * LINE + LINE / 2;
        line(&area, middle, case, ratios, &names)?;
    }
    area.present()?;
    Ok(())
}

fn legend(area: &Area<'_>, names: &[&str]) -> Result<(), Failure> {
    let column_width = (WIDTH as i32 - 32) / LEGEND_COLUMNS as i32;
    for (index, name) in names.iter().enumerate() {
        let x = 24 + (index % LEGEND_COLUMNS) as i32 * column_width;
        let y = HEAD - 6 + (index / LEGEND_COLUMNS) as i32 * LINE;
        if *name == SUBJECT {
            area.draw(&Rectangle::new(
                [(x - 8, y - 6), (x + 8, y + 6)],
                OURS.filled(),
            ))?;
        } else {
            mark(area, index, (x, y))?;
        }
        let style = font(14).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new((*name).to_owned(), (x + 14, y), style))?;
    }
    Ok(())
}

fn grid(area: &Area<'_>, top: i32, bottom: i32) -> Result<(), Failure> {
    for &tick in TICKS {
        let x = place(tick);
        let style = if tick == 1.0 {
            BLACK.stroke_width(2)
        } else {
            GRID.stroke_width(1)
        };
        area.draw(&PathElement::new(vec![(x, top), (x, bottom)], style))?;
        let style = font(13).pos(Pos::new(HPos::Center, VPos::Top));
        let text = if tick == 1.0 {
            "1 = glibc".to_owned()
        } else {
            tick.to_string()
        };
        area.draw(&Text::new(text, (x, bottom + 8), style))?;
    }
    Ok(())
}

fn line(
    area: &Area<'_>,
    middle: i32,
    case: &str,
    ratios: &[(&str, f64)],
    names: &[&str],
) -> Result<(), Failure> {
    let style = font(14).pos(Pos::new(HPos::Right, VPos::Center));
    area.draw(&Text::new(case.to_owned(), (LABELS - 10, middle), style))?;
    if let Some((_, ours)) = ratios.iter().find(|(name, _)| *name == SUBJECT) {
        let ends = (place(1.0), place(*ours));
        let corners = [
            (ends.0.min(ends.1), middle - 6),
            (ends.0.max(ends.1), middle + 6),
        ];
        area.draw(&Rectangle::new(corners, OURS.filled()))?;
    }
    for (name, ratio) in ratios.iter().filter(|(name, _)| *name != SUBJECT) {
        let index = names.iter().position(|other| other == name).unwrap_or(0);
        mark(area, index, (place(*ratio), middle))?;
    }
    Ok(())
}

/// A mark of its own for each index: colours first, then shapes.
fn mark(area: &Area<'_>, index: usize, (x, y): (i32, i32)) -> Result<(), Failure> {
    let colour = COLOURS[index % COLOURS.len()];
    match index / COLOURS.len() {
        0 => area.draw(&Circle::new((x, y), 5, colour.filled()))?,
        1 => area.draw(&TriangleMarker::new((x, y), 7, colour.filled()))?,
        _ => area.draw(&Cross::new((x, y), 5, colour.stroke_width(2)))?,
    }
    Ok(())
}

/// Where a ratio lies, from left to right, each doubling equally wide.
fn place(ratio: f64) -> i32 {
    let share = (ratio.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LABELS + (share * f64::from(WIDTH as i32 - LABELS - RIGHT)) as i32
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}
