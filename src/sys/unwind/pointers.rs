//! Frame pointers: how a stack goes on where there is no call frame information, as in code that was made at run time
//! and in hand-written assembly.
//!
//! # Invariant
//!
//! A step goes up in the stack, to a return address with a call before it. A register that is no frame pointer
//! ends the stack.
#![forbid(unsafe_code)]

use super::registers::{self, FP, RETURN, Registers, SP};
use super::stack::Stack;

/// Goes on to the caller by the frame pointer.
pub(super) fn go_to_caller(registers: &mut Registers, stack: &mut Stack) -> Option<()> {
    const WORD: usize = size_of::<usize>();
    let frame = registers.values[FP];
    if frame < registers.values[SP] || !stack.leads_to(frame) {
        return None;
    }
    let above = stack.read(frame)?;
    let pc = registers::without_signature(stack.read(frame.checked_add(WORD)?)?);
    let end = frame.checked_add(2 * WORD)?;
    // Where the record is at the end of a frame, the caller's is at its stack pointer.
    let has_record_below = cfg!(target_arch = "aarch64") && above > frame && stack.leads_to(above);
    registers.values[SP] = if has_record_below { above } else { end };
    registers.values[FP] = above;
    registers.values[RETURN] = pc;
    registers.pc = pc;
    Some(())
}

/// Whether the instruction before `pc` is a call.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
pub(super) fn is_after_call(stack: &mut Stack, pc: usize) -> bool {
    const RELATIVE: u8 = 0xe8;
    const INDIRECT: u8 = 0xff;
    let Some(code) = stack.code_before(pc) else {
        return false;
    };
    let byte = |before: usize| code.len().checked_sub(before).and_then(|at| code.get(at));
    let is_indirect = |bytes: usize| {
        byte(bytes) == Some(&INDIRECT)
            && byte(bytes - 1).is_some_and(|mode| length_of_call(*mode) == Some(bytes))
    };
    byte(5) == Some(&RELATIVE) || [2, 3, 4, 6, 7].into_iter().any(is_indirect)
}

/// The bytes of an indirect call by the byte that tells its operand; `None` if that is no call's. See "ModR/M and SIB
/// Bytes" in Intel's manual.
#[cfg(target_arch = "x86_64")]
fn length_of_call(mode: u8) -> Option<usize> {
    const CALL: u8 = 2;
    let has_index = mode & 7 == 4;
    let displacement = match mode >> 6 {
        0 if mode & 7 == 5 => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    let is_register = mode >> 6 == 3;
    (mode >> 3 & 7 == CALL).then_some(2 + displacement + usize::from(has_index && !is_register))
}

/// Whether the instruction before `pc` is a call.
#[cfg(target_arch = "aarch64")]
#[inline(never)]
pub(super) fn is_after_call(stack: &mut Stack, pc: usize) -> bool {
    let Some([.., one, two, three, four]) = stack.code_before(pc) else {
        return false;
    };
    let code = u32::from_le_bytes([one, two, three, four]);
    // BL; BLR; BLRAA and its kin.
    code >> 26 == 0x25 || code & 0xffff_fc1f == 0xd63f_0000 || code & 0xfeff_f800 == 0xd63f_0800
}
