//! Rows as a picture: a line for each case, our figure as a bar, the others' as marks. Ratios to glibc,
//! or, for memory at rest, MiB: what glibc has left there may be next to nothing.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Failure;
use super::markdown::unique;
use super::peer::{BASELINE, LIMIT, SUBJECT};
use super::rest::MEBIBYTE;
use super::row::{Row, mean};

const WIDTH: u32 = 960;
const LABELS: i32 = 190;
const RIGHT: i32 = 30;
const LINE: i32 = 22;
const HEAD: i32 = 58;
const FOOT: i32 = 34;
const LEGEND_COLUMNS: usize = 4;

/// The scale, each doubling equally wide. What lies outside is drawn at the edge.
#[derive(Clone, Copy)]
struct Axis {
    least: f64,
    most: f64,
    /// Where bars begin.
    origin: f64,
    origin_label: &'static str,
    ticks: &'static [f64],
}

const RATIOS: Axis = Axis {
    least: 0.1,
    most: 10.0,
    origin: 1.0,
    origin_label: "1 = glibc",
    ticks: &[0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0],
};

const MEBIBYTES: Axis = Axis {
    least: 0.5,
    most: 2048.0,
    origin: 0.5,
    origin_label: "0.5 MiB",
    ticks: &[0.5, 2.0, 8.0, 32.0, 128.0, 512.0, 2048.0],
};

const SHARES: Axis = Axis {
    least: 0.05,
    most: 1.0,
    origin: 1.0,
    origin_label: "all",
    ticks: &[0.05, 0.1, 0.2, 0.5, 1.0],
};

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
    let shown: Vec<_> = rows
        .iter()
        .filter(|row| row.allocator != BASELINE && row.allocator != LIMIT)
        .collect();
    let mut lines = lines(&shown, ratio);
    let names = names(&shown);
    let means = names
        .iter()
        .filter_map(|&name| Some((name, mean(rows, name, ratio)?)))
        .collect();
    lines.push(("geometric mean", means));
    sheet(path, title, &names, &lines, RATIOS)
}

/// Draws memory at rest of all rows that have it, glibc's among them, to `path`.
///
/// # Errors
///
/// When the file cannot be written.
pub fn draw_rest(path: &Path, title: &str, rows: &[Row]) -> Result<(), Failure> {
    let shown: Vec<_> = rows.iter().filter(|row| row.rest_bytes.is_some()).collect();
    let lines = lines(&shown, |row| Some(row.rest_bytes? / MEBIBYTE));
    // glibc comes last, so that the others have the marks that they have in the pictures of ratios.
    let mut names = names(&shown);
    names.sort_by_key(|&name| name == BASELINE);
    sheet(path, title, &names, &lines, MEBIBYTES)
}

/// Draws values between nothing and 1, of several names for each line, to `path`.
///
/// # Errors
///
/// When the file cannot be written.
pub fn draw_shares(
    path: &Path,
    title: &str,
    names: &[&str],
    lines: &[(&str, Vec<(&str, f64)>)],
) -> Result<(), Failure> {
    sheet(path, title, names, lines, SHARES)
}

fn names<'a>(rows: &[&'a Row]) -> Vec<&'a str> {
    unique(rows.iter().map(|row| row.allocator.as_str())).collect()
}

/// The values of each case that has any.
fn lines<'a>(rows: &[&'a Row], value: fn(&Row) -> Option<f64>) -> Vec<Line<'a>> {
    let of_case = |case| {
        let rows = rows.iter().filter(move |row| row.workload == case);
        rows.filter_map(|row| Some((row.allocator.as_str(), value(row)?)))
    };
    unique(rows.iter().map(|row| row.workload.as_str()))
        .map(|case| (case, of_case(case).collect::<Vec<_>>()))
        .filter(|(_, values)| !values.is_empty())
        .collect()
}

fn sheet(
    path: &Path,
    title: &str,
    names: &[&str],
    lines: &[Line<'_>],
    axis: Axis,
) -> Result<(), Failure> {
    let legend_lines = names.len().div_ceil(LEGEND_COLUMNS) as i32;
    let top = HEAD + legend_lines * LINE;
    let height = top + lines.len() as i32 * LINE + FOOT;
    let area = SVGBackend::new(path, (WIDTH, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    area.draw(&Text::new(title, (16, 14), font(20)))?;
    legend(&area, names)?;
    grid(&area, axis, top, height - FOOT)?;
    for (index, (case, values)) in lines.iter().enumerate() {
        let middle = top + index as i32 * LINE + LINE / 2;
        label(&area, middle, case)?;
        marks(&area, axis, middle, values, names)?;
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

fn grid(area: &Area<'_>, axis: Axis, top: i32, bottom: i32) -> Result<(), Failure> {
    for &tick in axis.ticks {
        let x = axis.place(tick);
        let style = if tick == axis.origin {
            BLACK.stroke_width(2)
        } else {
            GRID.stroke_width(1)
        };
        area.draw(&PathElement::new(vec![(x, top), (x, bottom)], style))?;
        let style = font(13).pos(Pos::new(HPos::Center, VPos::Top));
        let text = if tick == axis.origin {
            axis.origin_label.to_owned()
        } else {
            tick.to_string()
        };
        area.draw(&Text::new(text, (x, bottom + 8), style))?;
    }
    Ok(())
}

fn label(area: &Area<'_>, middle: i32, case: &str) -> Result<(), Failure> {
    let style = font(14).pos(Pos::new(HPos::Right, VPos::Center));
    area.draw(&Text::new(case.to_owned(), (LABELS - 10, middle), style))?;
    Ok(())
}

fn marks(
    area: &Area<'_>,
    axis: Axis,
    middle: i32,
    values: &[(&str, f64)],
    names: &[&str],
) -> Result<(), Failure> {
    if let Some((_, ours)) = values.iter().find(|(name, _)| *name == SUBJECT) {
        let ends = (axis.place(axis.origin), axis.place(*ours));
        let corners = [
            (ends.0.min(ends.1), middle - 6),
            (ends.0.max(ends.1), middle + 6),
        ];
        area.draw(&Rectangle::new(corners, OURS.filled()))?;
    }
    for (name, value) in values.iter().filter(|(name, _)| *name != SUBJECT) {
        let index = names.iter().position(|other| other == name).unwrap_or(0);
        mark(area, index, (axis.place(*value), middle))?;
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

impl Axis {
    /// Where a value lies, from left to right.
    fn place(self, value: f64) -> i32 {
        let width = (self.most / self.least).ln();
        let share = (value.clamp(self.least, self.most) / self.least).ln() / width;
        LABELS + (share * f64::from(WIDTH as i32 - LABELS - RIGHT)) as i32
    }
}

fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}
