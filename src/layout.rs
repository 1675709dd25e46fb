//! Where fields lie in their structures, stored for readers outside of the process.
//!
//! # Invariant
//!
//! `offset_of!` and `size_of` make every row, in the room of the structure: no row can be out of date.
#![forbid(unsafe_code)]

/// Bytes of a name.
const NAME: usize = 32;

/// Where a field lies in its structure; a row without a field's name is the structure itself.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Row {
    /// `structure.field`, filled up with zeroes.
    name: [u8; NAME],
    offset: u32,
    size: u32,
}

/// A number that a reader must know.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Value {
    /// Its name, filled up with zeroes.
    name: [u8; NAME],
    value: u64,
}

/// A part of a generic structure, such as what a lock protects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// From the structure's first byte.
    pub(crate) offset: usize,
    /// In bytes.
    pub(crate) size: usize,
}

impl Row {
    /// The row of a field, or of a structure where `field` is empty.
    pub(crate) const fn new(structure: &str, field: &str, part: Part) -> Self {
        // Other processes read this in 32 bits.
        assert!(part.offset <= u32::MAX as usize && part.size <= u32::MAX as usize);
        Self {
            name: name(structure, field),
            offset: part.offset as u32,
            size: part.size as u32,
        }
    }
}

#[cfg(test)]
impl Row {
    /// The name as text.
    pub(crate) fn name(&self) -> &str {
        text(&self.name)
    }

    /// Where it lies.
    pub(crate) fn range(&self) -> core::ops::Range<usize> {
        self.offset as usize..(self.offset + self.size) as usize
    }
}

#[cfg(test)]
impl Value {
    /// The name as text.
    pub(crate) fn name(&self) -> &str {
        text(&self.name)
    }
}

#[cfg(test)]
fn text(name: &[u8; NAME]) -> &str {
    let end = name.iter().position(|byte| *byte == 0).unwrap();
    core::str::from_utf8(&name[..end]).unwrap()
}

impl Value {
    /// A number with its name.
    pub(crate) const fn new(text: &str, value: u64) -> Self {
        Self {
            name: name(text, ""),
            value,
        }
    }
}

/// `structure.field`, or `structure`.
const fn name(structure: &str, field: &str) -> [u8; NAME] {
    let (structure, field) = (structure.as_bytes(), field.as_bytes());
    // The last byte is always zero.
    assert!(structure.len() + 1 + field.len() < NAME);
    let (mut name, mut at) = ([0; NAME], 0);
    while at < structure.len() {
        name[at] = structure[at];
        at += 1;
    }
    if !field.is_empty() {
        name[at] = b'.';
        at += 1;
        let mut from = 0;
        while from < field.len() {
            name[at] = field[from];
            (at, from) = (at + 1, from + 1);
        }
    }
    name
}

/// The size of what a function from one reference to another points to.
pub(crate) const fn size_of_field<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// All rows or numbers of several rooms in one array.
pub(crate) const fn join<T: Copy, const N: usize>(rooms: &[&[&[T]]]) -> [T; N] {
    let mut all = [rooms[0][0][0]; N];
    let (mut room, mut at) = (0, 0);
    while room < rooms.len() {
        let mut table = 0;
        while table < rooms[room].len() {
            let mut from = 0;
            while from < rooms[room][table].len() {
                all[at] = rooms[room][table][from];
                (at, from) = (at + 1, from + 1);
            }
            table += 1;
        }
        room += 1;
    }
    assert!(at == N);
    all
}

/// How many `join` puts into its array.
pub(crate) const fn count<T>(rooms: &[&[&[T]]]) -> usize {
    let (mut room, mut count) = (0, 0);
    while room < rooms.len() {
        let mut table = 0;
        while table < rooms[room].len() {
            count += rooms[room][table].len();
            table += 1;
        }
        room += 1;
    }
    count
}

/// A field as a [`Part`].
macro_rules! part {
    ($type:ty, $field:ident) => {
        $crate::layout::Part {
            offset: core::mem::offset_of!($type, $field),
            size: $crate::layout::size_of_field(|it: &$type| &it.$field),
        }
    };
}

/// The rows of a structure and of its fields. `field as name in PART` is the row of a part of a field.
macro_rules! fields {
    ($type:ty as $structure:literal { $($field:ident $(as $name:ident in $part:expr)?),* $(,)? }) => {
        &[
            $crate::layout::Row::new($structure, "", $crate::layout::Part {
                offset: 0,
                size: size_of::<$type>(),
            }),
            $($crate::layout::field!($type, $structure, $field $(, $name, $part)?)),*
        ]
    };
}

/// One row of [`fields`].
macro_rules! field {
    ($type:ty, $structure:literal, $field:ident) => {
        $crate::layout::Row::new(
            $structure,
            stringify!($field),
            $crate::layout::part!($type, $field),
        )
    };
    ($type:ty, $structure:literal, $field:ident, $name:ident, $part:expr) => {{
        const PART: $crate::layout::Part = $part;
        $crate::layout::Row::new(
            $structure,
            stringify!($name),
            $crate::layout::Part {
                offset: core::mem::offset_of!($type, $field) + PART.offset,
                size: PART.size,
            },
        )
    }};
}

pub(crate) use {field, fields, part};

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair<T> {
        _first: u32,
        second: T,
    }

    impl<T> Pair<T> {
        const SECOND: Part = part!(Self, second);
    }

    #[repr(C)]
    struct Made {
        byte: u8,
        word: u64,
        pair: Pair<u16>,
    }

    const ROWS: &[Row] =
        fields!(Made as "made" { byte, word, pair as second in Pair::<u16>::SECOND });

    #[test]
    fn rows_say_what_the_compiler_says() {
        let rows = ROWS.iter().map(|row| (row.name(), row.offset, row.size));
        let second = 16 + core::mem::offset_of!(Pair<u16>, second) as u32;
        assert!(rows.eq([
            ("made", 0, size_of::<Made>() as u32),
            ("made.byte", 0, 1),
            ("made.word", 8, 8),
            ("made.second", second, 2),
        ]));
    }

    #[test]
    fn tables_are_joined_in_their_order() {
        const TABLES: &[&[&[Row]]] = &[&[ROWS, &[]], &[], &[ROWS]];
        static JOINED: [Row; count(TABLES)] = join(TABLES);
        assert_eq!(JOINED.len(), 2 * ROWS.len());
        assert_eq!(JOINED[ROWS.len() + 1].name(), "made.byte");
    }
}
