//! A picture of the arenas: a square for every piece of 2 MiB, coloured by what lies there and how dense it is.

use svg::Document;
use svg::node::element::{Rectangle, Text, Title};

use super::human;
use crate::read::Square;

/// Squares in a row, which is half a gibibyte.
const COLUMNS: usize = 256;
/// Pixels of a square.
const SIDE: usize = 5;
/// Pixels of a line of text.
const LINE: usize = 18;
/// Of longer arenas several pieces share a square.
const MOST_SQUARES: usize = 256 * 256;

/// The picture; each arena has its number and its squares.
pub fn map(title: &str, arenas: &[(u64, Vec<Square>)]) -> String {
    let mut document = Document::new();
    let mut top = LINE;
    document = document.add(text(0, top, title));
    for (index, (name, colour)) in [
        ("objects in use", "#2e7d32"),
        ("large blocks", "#1565c0"),
        ("free", "#c62828"),
        ("not resident", "#eeeeee"),
    ]
    .into_iter()
    .enumerate()
    {
        let left = index * 160;
        document = document.add(square(left, top + 8, colour, 1.0, 12));
        document = document.add(text(left + 18, top + LINE, name));
    }
    top += 2 * LINE;
    for (node, squares) in arenas {
        let share = squares.len().div_ceil(MOST_SQUARES).max(1);
        document = document.add(text(
            0,
            top,
            &format!("node {node}, a square is {} MiB", 2 * share),
        ));
        top += 6;
        for (place, piece) in squares.chunks(share).enumerate() {
            let sum = piece.iter().fold(Square::default(), |all, it| all.plus(it));
            let (left, down) = (place % COLUMNS * SIDE, place / COLUMNS * SIDE);
            document = document.add(drawn(&sum, left, top + down));
        }
        let shown = squares.len().div_ceil(share);
        top += shown.div_ceil(COLUMNS) * SIDE + 2 * LINE;
    }
    let document = document
        .set("viewBox", (0, 0, COLUMNS * SIDE, top))
        .set("font-family", "sans-serif")
        .set("font-size", 12);
    document.to_string()
}

fn drawn(it: &Square, left: usize, top: usize) -> Rectangle {
    let (used, all) = (it.used, it.resident.max(1));
    let colour = match () {
        () if it.resident == 0 => "#eeeeee",
        () if it.free > it.used && it.free > it.large => "#c62828",
        () if it.large > it.used => "#1565c0",
        () => "#2e7d32",
    };
    let dense = (used.max(it.large).max(it.free) as f64 / all as f64).clamp(0.2, 1.0);
    let title = format!(
        "{} of objects in use, {} of large blocks, {} free, {} resident",
        human(it.used),
        human(it.large),
        human(it.free),
        human(it.resident)
    );
    square(left, top, colour, dense, SIDE - 1).add(Title::new(title))
}

fn square(left: usize, top: usize, colour: &str, opacity: f64, side: usize) -> Rectangle {
    Rectangle::new()
        .set("x", left)
        .set("y", top)
        .set("width", side)
        .set("height", side)
        .set("fill", colour)
        .set("fill-opacity", format!("{opacity:.2}"))
}

fn text(left: usize, top: usize, text: &str) -> Text {
    Text::new(text).set("x", left).set("y", top)
}
