//! Expressions of the call frame information: how signal frames and the linker's stubs tell where registers are.
//! See chapter 2.5 of DWARF 5; what call frames do not use ends the stack.
#![forbid(unsafe_code)]

use super::cursor::Cursor;
use super::registers::Registers;
use super::stack::Stack;

/// Values that wait at most.
const DEPTH: usize = 8;

/// The stack of an expression.
struct Values {
    values: [usize; DEPTH],
    count: usize,
}

impl Values {
    fn push(&mut self, value: usize) -> Option<()> {
        *self.values.get_mut(self.count)? = value;
        self.count += 1;
        Some(())
    }

    fn pop(&mut self) -> Option<usize> {
        self.count = self.count.checked_sub(1)?;
        self.values.get(self.count).copied()
    }

    /// Replaces the upper two by what they make.
    fn merge(&mut self, make: impl FnOnce(usize, usize) -> usize) -> Option<()> {
        let (second, first) = (self.pop()?, self.pop()?);
        self.push(make(first, second))
    }
}

/// What the expression in `block` gives, with `first` on its stack at the beginning.
#[inline(never)]
pub(super) fn value(
    block: Cursor,
    registers: &Registers,
    stack: &mut Stack,
    first: Option<usize>,
) -> Option<usize> {
    let mut code = block;
    let mut values = Values {
        values: [0; DEPTH],
        count: 0,
    };
    if let Some(first) = first {
        values.push(first)?;
    }
    while !code.is_done() {
        step(code.u8()?, &mut code, (registers, stack), &mut values)?;
    }
    values.pop()
}

fn step(
    code: u8,
    rest: &mut Cursor,
    (registers, stack): (&Registers, &mut Stack),
    values: &mut Values,
) -> Option<()> {
    let of = |register: usize, offset: isize| {
        let value = registers.values.get(register)?;
        Some(value.wrapping_add_signed(offset))
    };
    let signed = usize::cast_signed;
    match code {
        0x06 => {
            let address = values.pop()?;
            values.push(stack.read(address)?)
        }
        0x08 => values.push(usize::from(rest.u8()?)),
        0x09 => values.push((rest.u8()?.cast_signed() as isize).cast_unsigned()),
        0x0a => values.push(usize::from(rest.u16()?)),
        0x0b => values.push((rest.u16()?.cast_signed() as isize).cast_unsigned()),
        0x0c => values.push(rest.u32()? as usize),
        0x0d => values.push((rest.u32()?.cast_signed() as isize).cast_unsigned()),
        0x0e | 0x0f => values.push(rest.u64()? as usize),
        0x10 => values.push(rest.unsigned()?),
        0x11 => values.push(rest.signed()?.cast_unsigned()),
        0x12 => {
            let top = values.pop()?;
            values.push(top)?;
            values.push(top)
        }
        0x13 => values.pop().map(|_| ()),
        0x1a => values.merge(|one, two| one & two),
        0x1c => values.merge(usize::wrapping_sub),
        0x1e => values.merge(usize::wrapping_mul),
        0x21 => values.merge(|one, two| one | two),
        0x22 => values.merge(usize::wrapping_add),
        0x23 => {
            let number = rest.unsigned()?;
            let top = values.pop()?;
            values.push(top.wrapping_add(number))
        }
        0x24 => values.merge(|one, two| one.checked_shl(two as u32).unwrap_or(0)),
        0x25 => values.merge(|one, two| one.checked_shr(two as u32).unwrap_or(0)),
        0x27 => values.merge(|one, two| one ^ two),
        0x29 => values.merge(|one, two| usize::from(one == two)),
        0x2a => values.merge(|one, two| usize::from(signed(one) >= signed(two))),
        0x2b => values.merge(|one, two| usize::from(signed(one) > signed(two))),
        0x2c => values.merge(|one, two| usize::from(signed(one) <= signed(two))),
        0x2d => values.merge(|one, two| usize::from(signed(one) < signed(two))),
        0x2e => values.merge(|one, two| usize::from(one != two)),
        0x30..=0x4f => values.push(usize::from(code - 0x30)),
        0x50..=0x6f => values.push(of(usize::from(code - 0x50), 0)?),
        0x70..=0x8f => {
            let offset = rest.signed()?;
            values.push(of(usize::from(code - 0x70), offset)?)
        }
        0x92 => {
            let register = rest.unsigned()?;
            let offset = rest.signed()?;
            values.push(of(register, offset)?)
        }
        0x96 => Some(()),
        _ => None,
    }
}
