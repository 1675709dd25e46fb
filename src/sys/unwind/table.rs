//! The call frame information of one function: where its caller's registers are, at one of its instructions. See
//! chapter 6.4 of DWARF 5, and "Exception Frames" in the Linux Standard Base.
#![forbid(unsafe_code)]

use super::cursor::{Cursor, Encoding};
use super::object::{Block, Object, Source};
use super::registers::COUNT;

/// Where a register's value for the caller is, by the address at which the frame begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Unchanged.
    Same,
    /// Lost; for the return address, the end of the stack.
    Undefined,
    /// In memory at that distance.
    At(i32),
    /// That distance itself.
    Is(i32),
    /// In another register.
    Register(u8),
    /// In memory where an expression tells.
    AtExpression(Block),
    /// What an expression tells.
    IsExpression(Block),
}

/// How the address is found at which the frame begins.
#[derive(Clone, Copy)]
pub(super) enum Cfa {
    Register(u8, i32),
    Expression(Block),
}

/// A rule in four bytes: rows are kept on stacks that may be small.
#[derive(Clone, Copy)]
struct Packed(u32);

impl Packed {
    const SAME: Self = Self(0);
    /// Bits that tell the kind.
    const KIND: u32 = 3;

    /// `None` for a place that is too far away.
    fn of(rule: Rule) -> Option<Self> {
        let (kind, payload) = match rule {
            Rule::Same => (0, 0),
            Rule::Undefined => (1, 0),
            Rule::At(offset) => (2, offset),
            Rule::Is(offset) => (3, offset),
            Rule::Register(register) => (4, register.into()),
            Rule::AtExpression(block) => (5, block.0.cast_signed()),
            Rule::IsExpression(block) => (6, block.0.cast_signed()),
        };
        let packed = Self(payload.cast_unsigned() << Self::KIND | kind);
        (packed.payload() == payload).then_some(packed)
    }

    fn payload(self) -> i32 {
        self.0.cast_signed() >> Self::KIND
    }

    fn rule(self) -> Rule {
        let payload = self.payload();
        match self.0 & 7 {
            0 => Rule::Same,
            2 => Rule::At(payload),
            3 => Rule::Is(payload),
            4 => Rule::Register(payload as u8),
            5 => Rule::AtExpression(Block(payload.cast_unsigned())),
            6 => Rule::IsExpression(Block(payload.cast_unsigned())),
            _ => Rule::Undefined,
        }
    }
}

/// All registers at one instruction.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) cfa: Cfa,
    rules: [Packed; COUNT],
}

impl Row {
    pub(super) const NEW: Self = Self {
        cfa: Cfa::Register(0, 0),
        rules: [Packed::SAME; COUNT],
    };

    /// Vector registers have no place here.
    pub(super) fn set(&mut self, register: usize, rule: Rule) -> Option<()> {
        if let Some(place) = self.rules.get_mut(register) {
            *place = Packed::of(rule)?;
        }
        Some(())
    }

    /// The rules in the order of the registers.
    pub(super) fn rules(&self) -> impl Iterator<Item = Rule> {
        self.rules.iter().map(|packed| packed.rule())
    }
}

/// What several functions have in common.
struct Common {
    code_align: usize,
    data_align: isize,
    encoding: Encoding,
    has_augmentation: bool,
    /// Whether it is the frame that the kernel makes for a signal's handler.
    is_signal: bool,
    instructions: Cursor,
}

/// Whether a row is in the frame of a signal, and what it was made of unless that is long.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) is_signal: bool,
    pub(super) source: Option<Source>,
}

/// Fills `row`, which is new, with the registers at `pc`.
#[inline(never)]
pub(super) fn find(object: &Object, pc: usize, row: &mut Row) -> Option<Found> {
    let (index, place) = object.entry(pc)?;
    let mut entry = part(object.cursor(place)?)?;
    let id = entry.address();
    let distance = entry.u32()? as usize;
    let common_place = id.checked_sub(distance)?;
    let common = common(part(object.cursor(common_place)?)?)?;
    let start = entry.pointer(common.encoding, 0)?;
    let length = entry.value(common.encoding)?;
    if pc.checked_sub(start)? >= length {
        return None;
    }
    if common.has_augmentation {
        let bytes = entry.unsigned()?;
        entry.part(bytes)?;
    }
    let mut shared = common.instructions;
    let mut machine = Machine {
        object,
        common: &common,
        pc,
        at: start,
        row,
        initial: Row::NEW,
        saved: [Row::NEW; 2],
        depth: 0,
    };
    machine.run(&mut shared)?;
    machine.initial = *machine.row;
    machine.at = start;
    machine.run(&mut entry)?;
    Some(Found {
        is_signal: common.is_signal,
        source: source(
            index,
            entry.address() - place,
            shared.address() - common_place,
        ),
    })
}

/// What a row was made of, unless it takes long to compare.
fn source(index: u32, entry_bytes: usize, common_bytes: usize) -> Option<Source> {
    const MOST: u16 = 512;
    let few = |bytes| u16::try_from(bytes).ok().filter(|bytes| *bytes <= MOST);
    Some(Source {
        index,
        entry_bytes: few(entry_bytes)?,
        common_bytes: few(common_bytes)?,
    })
}

/// An entry after its length.
fn part(mut cursor: Cursor) -> Option<Cursor> {
    const LONG: u32 = u32::MAX;
    let bytes = cursor.u32().filter(|bytes| *bytes != 0 && *bytes != LONG)?;
    cursor.part(bytes as usize)
}

fn common(mut entry: Cursor) -> Option<Common> {
    let (id, version) = (entry.u32()?, entry.u8()?);
    if id != 0 || !matches!(version, 1 | 3) {
        return None;
    }
    let mut letters = entry;
    while entry.u8()? != 0 {}
    let (code_align, data_align) = (entry.unsigned()?, entry.signed()?);
    // The column of the return address, which is the architecture's.
    if version == 1 {
        entry.u8()?;
    } else {
        entry.unsigned()?;
    }
    let mut common = Common {
        code_align,
        data_align,
        encoding: Encoding::ABSOLUTE,
        has_augmentation: false,
        is_signal: false,
        instructions: entry,
    };
    loop {
        match letters.u8()? {
            0 => break,
            b'z' => {
                let bytes = entry.unsigned()?;
                let rest = entry.part(bytes)?;
                common.instructions = entry;
                entry = rest;
                common.has_augmentation = true;
            }
            b'R' => common.encoding = Encoding(entry.u8()?),
            b'L' => {
                entry.u8()?;
            }
            b'P' => {
                let encoding = Encoding(entry.u8()?);
                entry.value(encoding)?;
            }
            b'S' => common.is_signal = true,
            b'B' => {}
            _ => return None,
        }
    }
    Some(common)
}

/// What runs the instructions of a table.
struct Machine<'object> {
    object: &'object Object,
    common: &'object Common,
    pc: usize,
    /// The instruction from which on the row holds.
    at: usize,
    row: &'object mut Row,
    initial: Row,
    saved: [Row; 2],
    depth: usize,
}

impl Machine<'_> {
    /// Runs `code` up to the row for `pc`.
    fn run(&mut self, code: &mut Cursor) -> Option<()> {
        while !code.is_done() && self.at <= self.pc {
            let byte = code.u8()?;
            let low = usize::from(byte & 0x3f);
            match byte >> 6 {
                0 => self.step(byte, code)?,
                1 => self.advance(low),
                2 => {
                    let rule = Rule::At(self.distance(code.unsigned()?)?);
                    self.row.set(low, rule)?;
                }
                _ => self.restore(low)?,
            }
        }
        Some(())
    }

    fn step(&mut self, code: u8, rest: &mut Cursor) -> Option<()> {
        match code {
            0x00 | 0x2d => {}
            0x01 => self.at = rest.pointer(self.common.encoding, 0)?,
            0x02 => self.advance(usize::from(rest.u8()?)),
            0x03 => self.advance(usize::from(rest.u16()?)),
            0x04 => self.advance(rest.u32()? as usize),
            0x06 => {
                let register = rest.unsigned()?;
                self.restore(register)?;
            }
            0x0a => {
                *self.saved.get_mut(self.depth)? = *self.row;
                self.depth += 1;
            }
            0x0b => {
                self.depth = self.depth.checked_sub(1)?;
                *self.row = *self.saved.get(self.depth)?;
            }
            0x0c..=0x0f | 0x12 | 0x13 => self.row.cfa = self.cfa(code, rest)?,
            0x2e => {
                rest.unsigned()?;
            }
            _ => {
                let register = rest.unsigned()?;
                let rule = self.rule(code, rest)?;
                self.row.set(register, rule)?;
            }
        }
        Some(())
    }

    fn rule(&self, code: u8, rest: &mut Cursor) -> Option<Rule> {
        Some(match code {
            0x05 => Rule::At(self.distance(rest.unsigned()?)?),
            0x07 => Rule::Undefined,
            0x08 => Rule::Same,
            0x09 => Rule::Register(u8::try_from(rest.unsigned()?).ok()?),
            0x10 => Rule::AtExpression(self.object.block(rest)?),
            0x11 => Rule::At(self.signed_distance(rest.signed()?)?),
            0x14 => Rule::Is(self.distance(rest.unsigned()?)?),
            0x15 => Rule::Is(self.signed_distance(rest.signed()?)?),
            0x16 => Rule::IsExpression(self.object.block(rest)?),
            0x2f => Rule::At(self.distance(rest.unsigned()?)?.checked_neg()?),
            _ => return None,
        })
    }

    fn cfa(&self, code: u8, rest: &mut Cursor) -> Option<Cfa> {
        if code == 0x0f {
            return self.object.block(rest).map(Cfa::Expression);
        }
        let (mut register, mut offset) = match self.row.cfa {
            Cfa::Register(register, offset) => (register, offset),
            Cfa::Expression(_) => (0, 0),
        };
        if matches!(code, 0x0c | 0x0d | 0x12) {
            register = u8::try_from(rest.unsigned()?).ok()?;
        }
        match code {
            0x0c | 0x0e => offset = i32::try_from(rest.unsigned()?).ok()?,
            0x12 | 0x13 => offset = self.signed_distance(rest.signed()?)?,
            _ => {}
        }
        Some(Cfa::Register(register, offset))
    }

    fn advance(&mut self, by: usize) {
        let bytes = by.wrapping_mul(self.common.code_align);
        self.at = self.at.saturating_add(bytes);
    }

    fn restore(&mut self, register: usize) -> Option<()> {
        let initial = self.initial.rules.get(register);
        initial.map_or(Some(()), |rule| self.row.set(register, rule.rule()))
    }

    fn distance(&self, factored: usize) -> Option<i32> {
        self.signed_distance(factored.cast_signed())
    }

    fn signed_distance(&self, factored: isize) -> Option<i32> {
        let bytes = factored.checked_mul(self.common.data_align)?;
        i32::try_from(bytes).ok()
    }
}
