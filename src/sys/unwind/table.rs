//! The call frame information of one function: where its caller's registers are, at one of its instructions. See
//! chapter 6.4 of DWARF 5, and "Exception Frames" in the Linux Standard Base.
#![forbid(unsafe_code)]

use super::cursor::{Cursor, Encoding};
use super::find::{Block, Object};
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

/// All registers at one instruction.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) cfa: Cfa,
    pub(super) rules: [Rule; COUNT],
}

impl Row {
    const NEW: Self = Self {
        cfa: Cfa::Register(0, 0),
        rules: [Rule::Same; COUNT],
    };

    /// Vector registers have no place here.
    fn set(&mut self, register: usize, rule: Rule) {
        if let Some(place) = self.rules.get_mut(register) {
            *place = rule;
        }
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

/// The registers at `pc`, and whether that is in the frame of a signal.
#[inline(never)]
pub(super) fn row(object: &Object, pc: usize) -> Option<(Row, bool)> {
    let mut entry = part(object.cursor(object.entry(pc)?)?)?;
    let id = entry.address();
    let distance = entry.u32()? as usize;
    let common = common(part(object.cursor(id.checked_sub(distance)?)?)?)?;
    let start = entry.pointer(common.encoding, 0)?;
    let length = entry.value(common.encoding)?;
    if pc.checked_sub(start)? >= length {
        return None;
    }
    if common.has_augmentation {
        let bytes = entry.unsigned()?;
        entry.part(bytes)?;
    }
    let mut machine = Machine {
        object,
        common: &common,
        pc,
        at: start,
        row: Row::NEW,
        initial: Row::NEW,
        saved: [Row::NEW; 2],
        depth: 0,
    };
    machine.run(common.instructions)?;
    machine.initial = machine.row;
    machine.at = start;
    machine.run(entry)?;
    Some((machine.row, common.is_signal))
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
    row: Row,
    initial: Row,
    saved: [Row; 2],
    depth: usize,
}

impl Machine<'_> {
    /// Runs `code` up to the row for `pc`.
    fn run(&mut self, mut code: Cursor) -> Option<()> {
        while !code.is_done() && self.at <= self.pc {
            let byte = code.u8()?;
            let low = usize::from(byte & 0x3f);
            match byte >> 6 {
                0 => self.step(byte, &mut code)?,
                1 => self.advance(low),
                2 => {
                    let rule = Rule::At(self.distance(code.unsigned()?)?);
                    self.row.set(low, rule);
                }
                _ => self.restore(low),
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
                self.restore(register);
            }
            0x0a => {
                *self.saved.get_mut(self.depth)? = self.row;
                self.depth += 1;
            }
            0x0b => {
                self.depth = self.depth.checked_sub(1)?;
                self.row = *self.saved.get(self.depth)?;
            }
            0x0c..=0x0f | 0x12 | 0x13 => self.row.cfa = self.cfa(code, rest)?,
            0x2e => {
                rest.unsigned()?;
            }
            _ => {
                let register = rest.unsigned()?;
                let rule = self.rule(code, rest)?;
                self.row.set(register, rule);
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

    fn restore(&mut self, register: usize) {
        if let Some(rule) = self.initial.rules.get(register) {
            self.row.set(register, *rule);
        }
    }

    fn distance(&self, factored: usize) -> Option<i32> {
        self.signed_distance(factored.cast_signed())
    }

    fn signed_distance(&self, factored: isize) -> Option<i32> {
        let bytes = factored.checked_mul(self.common.data_align)?;
        i32::try_from(bytes).ok()
    }
}
