//! Return addresses of the calls that led here, found as a debugger finds them: by the call frame information that
//! every object carries in `.eh_frame`.
//!
//! # Invariant
//!
//! Nothing is allocated, loaded or locked, and a stack costs a kilobyte of stack: the C library's backtrace(3) loads
//! libgcc_s, which may be missing, and each of its calls would try again. An unknown rule ends the stack.

mod cursor;
mod expression;
mod find;
mod registers;
mod table;

use core::ops::Range;

pub use find::know_find_object;

use find::Object;
use registers::{RETURN, Registers, SP};
use table::{Cfa, Row, Rule};

/// Fills `frames` with return addresses of the calls that led here, the innermost first; returns how many.
#[inline(never)]
pub(crate) fn backtrace(frames: &mut [usize]) -> usize {
    let mut place = Place {
        registers: Registers::here(),
        is_exact: false,
    };
    let mut count = 0;
    while let Some(frame) = frames.get_mut(count)
        && place.go_to_caller().is_some()
    {
        *frame = place.registers.pc;
        count += 1;
    }
    count
}

/// Where the object is mapped that this code is in; nowhere if that is the program itself.
pub(crate) fn own_code() -> Range<usize> {
    // SAFETY: getauxval(3) reads memory that the kernel filled before the first instruction.
    let headers = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    find::object(own_code as *const () as usize)
        .map(|own| own.mapped())
        .filter(|own| !own.contains(&headers))
        .unwrap_or_default()
}

/// A call on the stack.
struct Place {
    registers: Registers,
    /// Whether a signal came at the instruction; else it is after the call of another function, which may be the last
    /// instruction of this one.
    is_exact: bool,
}

impl Place {
    /// Goes on to the caller; `None` at the end of the stack.
    fn go_to_caller(&mut self) -> Option<()> {
        let within = self.registers.pc.wrapping_sub(usize::from(!self.is_exact));
        let object = find::object(within)?;
        let (row, is_signal) = table::row(&object, within)?;
        let caller = self.registers.caller(&object, &row)?;
        // A stack that does not end would go round; only a handler may have another one.
        let is_above = caller.values[SP] > self.registers.values[SP];
        if !is_above && !is_signal && !self.is_exact {
            return None;
        }
        self.registers = caller;
        self.is_exact = is_signal;
        Some(())
    }
}

impl Registers {
    /// The registers of the caller, as they are after the call; `None` at the end of the stack.
    fn caller(&self, object: &Object, row: &Row) -> Option<Self> {
        let value = |block, first| expression::value(object.bytes_of(block)?, self, first);
        let cfa = match row.cfa {
            Cfa::Register(register, offset) => {
                let value = self.values.get(usize::from(register))?;
                value.wrapping_add_signed(offset as isize)
            }
            Cfa::Expression(block) => value(block, None)?,
        };
        if row.rules[RETURN] == Rule::Undefined {
            return None;
        }
        let mut caller = self.clone();
        caller.values[SP] = cfa;
        for (place, rule) in caller.values.iter_mut().zip(&row.rules) {
            *place = match *rule {
                Rule::Same | Rule::Undefined => continue,
                Rule::At(offset) => read(cfa.wrapping_add_signed(offset as isize))?,
                Rule::Is(offset) => cfa.wrapping_add_signed(offset as isize),
                Rule::Register(register) => *self.values.get(usize::from(register))?,
                Rule::AtExpression(block) => read(value(block, Some(cfa))?)?,
                Rule::IsExpression(block) => value(block, Some(cfa))?,
            };
        }
        caller.pc = registers::without_signature(caller.values[RETURN]);
        Some(caller).filter(|caller| caller.pc != 0)
    }
}

/// The word at an address that the call frame information names.
fn read(address: usize) -> Option<usize> {
    const LOWEST: usize = 1 << 16;
    if address < LOWEST {
        return None;
    }
    let word = core::ptr::with_exposed_provenance::<usize>(address);
    // SAFETY: a place on the stack of a caller, which is not changed by others as long as this thread is here.
    Some(unsafe { word.read_unaligned() })
}

#[cfg(all(test, not(simulated)))]
mod tests;
