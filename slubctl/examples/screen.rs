//! Draws what a program put on a terminal, as an SVG picture. Arguments: the terminal's lines and columns; what was written to the
//! terminal comes from standard input. `pictures.sh` calls this.

use std::io::{Read, Write};

use svg::Document;
use svg::node::element::{Rectangle, Text};
use vt100::{Cell, Screen};

/// Pixels of a cell, and of its letters' base line.
const WIDTH: f64 = 8.0;
const HEIGHT: f64 = 17.0;
const BASE: f64 = 13.0;
const DARK: &str = "#1e1e1e";
const LIGHT: &str = "#e0e0e0";

fn main() {
    let mut numbers = std::env::args().skip(1);
    let mut number = || numbers.next().and_then(|it| it.parse::<u16>().ok());
    let (Some(lines), Some(columns)) = (number(), number()) else {
        panic!("screen LINES COLUMNS");
    };
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).expect("input");
    // A full-screen program leaves the screen as it was.
    let leave = b"\x1b[?1049l";
    let end = bytes.windows(leave.len()).rposition(|it| it == leave);
    let mut terminal = vt100::Parser::new(lines, columns, 0);
    terminal.process(&bytes[..end.unwrap_or(bytes.len())]);
    let picture = draw(terminal.screen(), lines, columns).to_string();
    std::io::stdout()
        .write_all(picture.as_bytes())
        .expect("output");
}

fn draw(screen: &Screen, lines: u16, columns: u16) -> Document {
    let size = (f64::from(columns) * WIDTH, f64::from(lines) * HEIGHT);
    let mut document = Document::new()
        .set("viewBox", (0, 0, size.0, size.1))
        .set(
            "font-family",
            "DejaVu Sans Mono, Menlo, Consolas, monospace",
        )
        .set("font-size", 13)
        .add(rectangle((0.0, 0.0), size, DARK));
    for line in 0..lines {
        let cells = (0..columns).filter_map(|column| screen.cell(line, column));
        let cells: Vec<&Cell> = cells.collect();
        let top = f64::from(line) * HEIGHT;
        let mut first = 0;
        for run in cells.chunk_by(|a, b| look(a) == look(b)) {
            let left = first as f64 * WIDTH;
            first += run.len();
            document = draw_run(document, run, (left, top));
        }
    }
    document
}

/// What cells that are drawn at once have in common.
fn look(cell: &Cell) -> (bool, bool, bool) {
    (cell.inverse(), cell.bold(), bar(cell).is_some())
}

/// The height of a bar, in eighths.
fn bar(cell: &Cell) -> Option<u32> {
    let letter = cell.contents().chars().next()?;
    (('\u{2581}'..='\u{2588}').contains(&letter)).then(|| letter as u32 - 0x2580)
}

fn draw_run(mut document: Document, run: &[&Cell], (left, top): (f64, f64)) -> Document {
    let (is_inverse, is_bold, is_bar) = look(run[0]);
    let width = run.len() as f64 * WIDTH;
    if is_inverse {
        document = document.add(rectangle((left, top), (width, HEIGHT), LIGHT));
    }
    if is_bar {
        for (index, cell) in run.iter().enumerate() {
            let height = f64::from(bar(cell).unwrap_or_default()) / 8.0 * HEIGHT;
            let place = (left + index as f64 * WIDTH, top + HEIGHT - height);
            document = document.add(rectangle(place, (WIDTH, height), "#4caf50"));
        }
        return document;
    }
    let letter = |cell: &&Cell| match cell.contents() {
        it if it.is_empty() => " ".to_owned(),
        it => it,
    };
    let text: String = run.iter().map(letter).collect();
    if text.trim().is_empty() {
        return document;
    }
    let text = Text::new(text)
        .set("x", left)
        .set("y", top + BASE)
        .set("textLength", width)
        .set("xml:space", "preserve")
        .set("fill", if is_inverse { DARK } else { LIGHT });
    document.add(match is_bold {
        true => text.set("font-weight", "bold"),
        false => text,
    })
}

fn rectangle((x, y): (f64, f64), (width, height): (f64, f64), fill: &str) -> Rectangle {
    Rectangle::new()
        .set("x", x)
        .set("y", y)
        .set("width", width)
        .set("height", height)
        .set("fill", fill)
}
