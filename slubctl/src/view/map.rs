//! A picture of the arenas: a square for every piece of 2 MiB, coloured by what lies there and how dense it is.

use svg::Document;
use svg::node::element::{Rectangle, Text, Title};

use super::human;
use crate::read::Square;

/// Squares in a row, which is 64 MiB, and their pixels, of arenas that all have fewer than [`FEW`] squares …
const FEW_COLUMNS: usize = 32;
const FEW_SIDE: usize = 20;
const FEW: usize = 32 * FEW_COLUMNS;
/// … and of others, half a gibibyte.
const COLUMNS: usize = 256;
const SIDE: usize = 5;
/// Pixels of a line of text.
const LINE: usize = 18;
/// Of longer arenas several pieces share a square.
const MOST_SQUARES: usize = 256 * 256;

/// The picture; each arena has its number and its squares.
pub fn map(title: &str, arenas: &[(u64, Vec<Square>)]) -> String {
    // Pages and terminals may be dark.
    let ground = Rectangle::new()
        .set("width", "100%")
        .set("height", "100%")
        .set("fill", "#ffffff");
    let mut document = Document::new().add(ground);
    let mut top = LINE;
    let longest = arenas.iter().map(|(_, squares)| squares.len()).max();
    let (columns, side) = match longest {
        Some(FEW..) => (COLUMNS, SIDE),
        _ => (FEW_COLUMNS, FEW_SIDE),
    };
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
            let (left, down) = (place % columns * side, place / columns * side);
            document = document.add(drawn(&sum, left, top + down, side - 1));
        }
        let shown = squares.len().div_ceil(share);
        top += shown.div_ceil(columns) * side + 2 * LINE;
    }
    let document = document
        .set("viewBox", (0, 0, columns * side, top))
        .set("font-family", "sans-serif")
        .set("font-size", 12);
    document.to_string()
}

fn drawn(it: &Square, left: usize, top: usize, side: usize) -> Rectangle {
    let (colour, dense) = match prevailing(it) {
        None => ("#eeeeee", 1.0),
        Some((kind, dense)) => (["#2e7d32", "#1565c0", "#c62828"][kind], dense),
    };
    let title = format!(
        "{} of objects in use, {} of large blocks, {} free, {} resident",
        human(it.used),
        human(it.large),
        human(it.free),
        human(it.resident)
    );
    square(left, top, colour, dense, side).add(Title::new(title))
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

/// Pieces in a line of text.
const LETTERS: usize = 64;
/// Lines of an arena at most.
const MOST_LINES: usize = 64;
/// Escape sequences of a terminal: green, blue, red, and as before.
const COLOURS: [&str; 3] = ["\x1b[32m", "\x1b[34m", "\x1b[31m"];
const PLAIN: &str = "\x1b[0m";
/// How dense what lies there is, in four steps.
const SHADES: [char; 4] = ['░', '▒', '▓', '█'];

/// The same as text: letters say what lies there if there are no colours.
pub fn text_map(title: &str, arenas: &[(u64, Vec<Square>)], has_colours: bool) -> String {
    let mut text = format!("{title}\n");
    let names = ["objects in use", "large blocks", "free"];
    for (index, name) in names.into_iter().enumerate() {
        match has_colours {
            true => text.push_str(&format!("{}{}{PLAIN} {name}  ", COLOURS[index], SHADES[3])),
            false => text.push_str(&format!("{} {name}  ", letter(index, 1.0))),
        }
    }
    text.push_str(". not resident\n");
    for (node, squares) in arenas {
        let share = squares.len().div_ceil(LETTERS * MOST_LINES).max(1);
        text.push_str(&format!("node {node}, a sign is {} MiB\n", 2 * share));
        let signs: Vec<&[Square]> = squares.chunks(share).collect();
        for line in signs.chunks(LETTERS) {
            for piece in line {
                let sum = piece.iter().fold(Square::default(), |all, it| all.plus(it));
                text.push_str(&sign(&sum, has_colours));
            }
            text.push('\n');
        }
    }
    text
}

/// What prevails, 0 for objects in use, 1 for large blocks, 2 for what is free, and how dense it is; of what is free, how much is
/// resident.
fn prevailing(it: &Square) -> Option<(usize, f64)> {
    let (kind, bytes) = match () {
        () if it.resident == 0 => return None,
        () if it.free > it.used && it.free > it.large => (2, it.free),
        () if it.large > it.used => (1, it.large),
        () => (0, it.used),
    };
    let all = it.used.saturating_add(it.large).saturating_add(it.free);
    let dense = match kind {
        2 => it.resident as f64 / all.max(1) as f64,
        _ => bytes as f64 / it.resident as f64,
    };
    Some((kind, dense.clamp(0.2, 1.0)))
}

fn sign(it: &Square, has_colours: bool) -> String {
    let Some((kind, dense)) = prevailing(it) else {
        return ".".to_owned();
    };
    match has_colours {
        true => {
            let shade = ((dense * 4.0) as usize).min(3);
            format!("{}{}{PLAIN}", COLOURS[kind], SHADES[shade])
        }
        false => letter(kind, dense).to_string(),
    }
}

/// `U`, `L` and `F`, and small ones where less than half is that.
fn letter(kind: usize, dense: f64) -> char {
    let letters = if dense < 0.5 {
        ['u', 'l', 'f']
    } else {
        ['U', 'L', 'F']
    };
    letters[kind]
}
