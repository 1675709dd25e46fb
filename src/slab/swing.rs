//! How far the number of objects in use swings, in sheaves: what tells a barn whether it serves a program, or only the
//! first of what comes and the first of what goes.
//!
//! A program that builds something large and frees it again takes and gives hundreds of sheaves in a row. A barn serves few of
//! them, and those few do harm: their objects, freed in any order, lie far from each other, and are the first of what is built
//! next, of a tree the top. What the slabs give lies in a row.
#![forbid(unsafe_code)]

/// Sheaves that were taken and given, this many of which are looked at together.
const WINDOW: u16 = 256;
/// Wider than this is wide, in sheaves: a barn would serve less than a quarter.
const WIDE: i16 = 64;

/// How far a number of sheaves went up and down recently. All zero is one that stood still.
#[derive(Debug, Default)]
pub(super) struct Swing {
    /// Against the window's start.
    at: i16,
    low: i16,
    high: i16,
    seen: u16,
    was_wide: bool,
}

impl Swing {
    /// A sheaf was given.
    pub(super) fn up(&mut self) {
        self.at += 1;
        self.high = self.high.max(self.at);
        self.count();
    }

    /// A sheaf was taken, or would have been.
    pub(super) fn down(&mut self) {
        self.at -= 1;
        self.low = self.low.min(self.at);
        self.count();
    }

    /// Whether it swung widely within this window or the last one.
    pub(super) fn is_wide(&self) -> bool {
        self.was_wide || self.is_wide_by_now()
    }

    fn is_wide_by_now(&self) -> bool {
        self.high - self.low > WIDE
    }

    fn count(&mut self) {
        self.seen += 1;
        if self.seen == WINDOW {
            *self = Self {
                was_wide: self.is_wide_by_now(),
                ..Self::default()
            };
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn after(moves: impl IntoIterator<Item = bool>) -> Swing {
        moves.into_iter().fold(Swing::default(), |mut swing, up| {
            if up {
                swing.up()
            } else {
                swing.down()
            };
            swing
        })
    }

    #[test]
    fn what_comes_and_goes_by_the_hundred_is_wide() {
        for sheaves in [66, 100, 400, 10_000] {
            let cycle = (0..2 * sheaves).map(|index| index >= sheaves);
            let swing = after(
                cycle
                    .clone()
                    .chain(cycle)
                    .chain((0..sheaves).map(|_| false)),
            );
            assert!(swing.is_wide(), "{sheaves}");
        }
    }

    #[test]
    fn what_goes_to_and_fro_is_not_and_neither_is_what_calms_down() {
        for sheaves in [1, 2, 16, 40, 64] {
            let swing = after((0..1_000 * 2 * sheaves).map(|index| index / sheaves % 2 == 1));
            assert!(!swing.is_wide(), "{sheaves}");
        }
        let calmer = (0..3 * usize::from(WINDOW)).map(|index| index < 200 || index % 2 == 0);
        assert!(!after(calmer).is_wide());
    }
}
