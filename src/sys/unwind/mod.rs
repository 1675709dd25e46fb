//! Return addresses of the calls that led here, found as a debugger finds them: by the call frame information that
//! every object carries in `.eh_frame`, and by frame pointers where there is none.
//!
//! # Invariant
//!
//! Nothing is allocated or loaded, and no lock is taken where the C library has `_dl_find_object`; where it has not, see `listed`.
//! No read faults: the stack is read where it is known to be readable (`stack`), call frame information where an object is mapped. A
//! wrong stack is a short one: an unknown rule ends it, a frame that is elsewhere than above the last one counts only if
//! its return address is after a call, and so does one in no object. A stack costs 1.5 KB of stack.
//!
//! Not the C library's backtrace(3): that loads libgcc_s, which may be missing, and each of its calls would try again.

mod cursor;
mod expression;
mod find;
mod listed;
mod object;
mod pointers;
mod registers;
mod rows;
mod stack;
mod table;

use core::ops::Range;

pub use find::know_find_object;

use object::Object;
use registers::{RETURN, Registers, SP};
use rows::Compact;
use stack::Stack;
use table::{Cfa, Row, Rule};

/// Fills `frames` with return addresses of the calls that led here, the innermost first; returns how many.
#[inline(never)]
pub(crate) fn backtrace(frames: &mut [usize]) -> usize {
    // Made in place: a copy of the registers is as large as all else here.
    let mut walk = Walk {
        registers: Registers::NONE,
        object: None,
        stack: Stack::NONE,
        is_exact: false,
    };
    walk.registers.capture();
    // Without assembly there are no registers to begin with.
    if cfg!(simulated) {
        return 0;
    }
    walk.stack.begin(walk.registers.values[SP]);
    walk.object = find::object(walk.registers.pc);
    let mut count = 0;
    while let Some(frame) = frames.get_mut(count)
        && walk.go_to_caller().is_some()
    {
        *frame = walk.registers.pc;
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
struct Walk {
    registers: Registers,
    /// What the instruction is part of.
    object: Option<Object>,
    stack: Stack,
    /// Whether a signal came at the instruction; else it is after the call of another function, which may be the last
    /// instruction of this one.
    is_exact: bool,
}

/// How sure it is that a caller was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The frame lies above the last one.
    Up,
    /// It lies elsewhere, or was found by a frame pointer.
    Doubtful,
    /// It was interrupted by a signal.
    Signal,
}

impl Walk {
    /// Goes on to the caller; `None` at the end of the stack.
    fn go_to_caller(&mut self) -> Option<()> {
        let within = self.within();
        let (registers, stack) = (&mut self.registers, &mut self.stack);
        let step = match &self.object {
            Some(object) => match rows::find(object, within) {
                Some(row) => registers.by_row(stack, &row, self.is_exact)?,
                None => registers.by_table(stack, object, within, self.is_exact)?,
            },
            None if find::is_end(within) => return None,
            None => registers.by_pointer(stack)?,
        };
        if self.registers.pc == 0 {
            return None;
        }
        self.is_exact = step == Step::Signal;
        let within = self.within();
        if !self
            .object
            .as_ref()
            .is_some_and(|it| it.mapped().contains(&within))
        {
            self.object = find::object(within);
        }
        let is_doubtful = match step {
            Step::Up => self.object.is_none(),
            Step::Doubtful => true,
            Step::Signal => false,
        };
        if is_doubtful && !pointers::is_after_call(&mut self.stack, self.registers.pc) {
            return None;
        }
        Some(())
    }

    /// An instruction of the function.
    fn within(&self) -> usize {
        self.registers.pc.wrapping_sub(usize::from(!self.is_exact))
    }
}

impl Stack {
    /// How a frame that begins at `start` lies to the last one; `None` if it cannot.
    fn step(&mut self, last: usize, start: usize, is_exact: bool) -> Option<Step> {
        let is_above = start > last || (is_exact && start == last);
        if is_above && self.leads_to(start) {
            return Some(Step::Up);
        }
        self.jump(start)?;
        Some(Step::Doubtful)
    }
}

impl Registers {
    #[inline(never)]
    fn by_pointer(&mut self, stack: &mut Stack) -> Option<Step> {
        pointers::go_to_caller(self, stack)?;
        Some(Step::Doubtful)
    }

    /// By a row of the usual form.
    fn by_row(&mut self, stack: &mut Stack, row: &Compact, is_exact: bool) -> Option<Step> {
        const WORD: usize = size_of::<usize>();
        let base = *self.values.get(usize::from(row.register))?;
        let start = base.wrapping_add_signed(row.offset as isize);
        let step = stack.step(self.values[SP], start, is_exact)?;
        row.each_saved(|register, distance| {
            let place = start.wrapping_sub(distance * WORD);
            *self.values.get_mut(register)? = stack.read(place)?;
            Some(())
        })?;
        self.values[SP] = start;
        self.pc = registers::without_signature(self.values[RETURN]);
        Some(step)
    }

    /// By the tables of an object; by the frame pointer if the function is in none.
    #[inline(never)]
    fn by_table(
        &mut self,
        stack: &mut Stack,
        object: &Object,
        within: usize,
        is_exact: bool,
    ) -> Option<Step> {
        let mut row = Row::NEW;
        let Some(found) = table::find(object, within, &mut row) else {
            return self.by_pointer(stack);
        };
        if let Some(source) = found.source.filter(|_| !found.is_signal) {
            rows::keep(object, within, &row, source);
        }
        let is_signal = found.is_signal;
        self.by_rules(stack, object, &row, is_signal, is_exact)
    }

    #[inline(never)]
    fn by_rules(
        &mut self,
        stack: &mut Stack,
        object: &Object,
        row: &Row,
        is_signal: bool,
        is_exact: bool,
    ) -> Option<Step> {
        let start = match row.cfa {
            Cfa::Register(register, offset) => {
                let value = self.values.get(usize::from(register))?;
                value.wrapping_add_signed(offset as isize)
            }
            Cfa::Expression(block) => {
                expression::value(object.bytes_of(block)?, self, stack, None)?
            }
        };
        // The handler of a signal may have another stack; its frame has what is read.
        let step = if is_signal {
            Step::Signal
        } else {
            stack.step(self.values[SP], start, is_exact)?
        };
        let mut values = self.values;
        values[SP] = start;
        for (register, rule) in row.rules().enumerate() {
            let mut value =
                |block| expression::value(object.bytes_of(block)?, self, stack, Some(start));
            *values.get_mut(register)? = match rule {
                Rule::Undefined if register == RETURN => return None,
                Rule::Same | Rule::Undefined => continue,
                Rule::At(offset) => stack.read(start.wrapping_add_signed(offset as isize))?,
                Rule::Is(offset) => start.wrapping_add_signed(offset as isize),
                Rule::Register(register) => *self.values.get(usize::from(register))?,
                Rule::AtExpression(block) => {
                    let address = value(block)?;
                    stack.read(address)?
                }
                Rule::IsExpression(block) => value(block)?,
            };
        }
        self.values = values;
        self.pc = registers::without_signature(self.values[RETURN]);
        if is_signal && !stack.leads_to(self.values[SP]) {
            stack.jump(self.values[SP])?;
        }
        Some(step)
    }
}

#[cfg(all(test, not(simulated)))]
mod tests;
