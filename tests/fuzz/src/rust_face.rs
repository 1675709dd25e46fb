//! The functions of the crate itself, linked into this program, with its own check of its tables.

use core::ptr::without_provenance_mut as address;

use crate::face::Face;
use crate::interpreter::{Block, Fault, Origin, Refusal, Release, Resize, Take, Target};

const TOO_MUCH: usize = isize::MAX as usize + 1;

/// The crate's functions.
#[derive(Clone, Copy)]
pub(crate) struct RustFace;

impl Target for RustFace {
    fn take(&mut self, how: Take, bytes: usize, align: usize) -> Result<usize, Fault> {
        let page = slubmalloc::raw::page_size();
        let block = match how {
            Take::Malloc | Take::Realloc => slubmalloc::raw::malloc(bytes),
            Take::Calloc => slubmalloc::raw::calloc(1, bytes),
            Take::New(_) if align == 1 => slubmalloc::raw::malloc(bytes),
            Take::Memalign | Take::AlignedAlloc | Take::PosixMemalign | Take::New(_) => {
                slubmalloc::raw::memalign(align, bytes)
            }
            Take::Valloc | Take::Pvalloc => slubmalloc::raw::memalign(page, bytes),
            // What is of the kernel's interface belongs to C here.
            Take::Kernel(_) => return Ok(0),
            Take::OnNode(node) => {
                slubmalloc::raw::alloc_onnode(bytes, node).unwrap_or(core::ptr::null_mut())
            }
        };
        Ok(block as usize)
    }

    fn release(&mut self, how: Release, block: Option<Block>) -> Result<(), Fault> {
        let start = address(block.map_or(0, |block| block.start));
        if let (Release::Sized, Some(block)) = (how, block) {
            let align = match block.origin {
                Origin::Aligned(align) | Origin::New(_, align) => align,
                Origin::Plain | Origin::Other | Origin::Kernel(_) => 1,
            };
            // SAFETY: the player gives the block up.
            unsafe { slubmalloc::raw::free_sized(start, block.bytes, align) };
            return Ok(());
        }
        if how == Release::Realloc {
            // SAFETY: the player gives the block up.
            let none = unsafe { slubmalloc::raw::realloc(start, 0) };
            if start.is_null() {
                // SAFETY: a new block, of which nobody else knows.
                unsafe { slubmalloc::raw::free(none) };
            } else if !none.is_null() {
                return Err("realloc to nothing gave a block");
            }
            return Ok(());
        }
        // SAFETY: the player gives the block up.
        unsafe { slubmalloc::raw::free(start) };
        Ok(())
    }

    fn resize(&mut self, _: Resize, block: Block, bytes: usize) -> Result<usize, Fault> {
        // SAFETY: the player uses the answer from now on.
        Ok(unsafe { slubmalloc::raw::realloc(address(block.start), bytes) } as usize)
    }

    fn usable(&mut self, start: usize) -> usize {
        slubmalloc::raw::usable_size(address(start))
    }

    fn refuse(&mut self, what: Refusal, block: Option<Block>) -> Result<(), Fault> {
        let answer = match (what, block) {
            (Refusal::Calloc, _) => slubmalloc::raw::calloc(usize::MAX / 5, 7),
            // SAFETY: a refusal leaves the block to the player.
            (Refusal::Realloc, Some(block)) => unsafe {
                slubmalloc::raw::realloc(address(block.start), TOO_MUCH)
            },
            (Refusal::Memalign, _) => slubmalloc::raw::memalign(4_096, usize::MAX - 100),
            (Refusal::AlignedAlloc, _) => slubmalloc::raw::memalign(1 << 63, 1),
            (Refusal::OnNode, _) if slubmalloc::raw::alloc_onnode(100, 255).is_some() => {
                return Err("there is a node 255");
            }
            _ => slubmalloc::raw::malloc(TOO_MUCH),
        };
        if answer.is_null() {
            Ok(())
        } else {
            Err("what must be refused was not")
        }
    }

    fn tend(&mut self, what: [u8; 2]) -> Result<(), Fault> {
        let [what, how] = what;
        match what {
            0..=15 => drop(slubmalloc::trim()),
            16..=79 => slubmalloc::raw::validate(),
            80..=99 => slubmalloc::print_stats(|_| {}),
            100..=109 => slubmalloc::raw::map_from(32 << (10 + how % 11)),
            110..=119 => slubmalloc::raw::keep_unused(usize::from(how) << 16),
            120..=129 => {
                slubmalloc::raw::map_from(usize::MAX);
                slubmalloc::raw::keep_unused(0);
            }
            _ => {
                let stats = slubmalloc::stats();
                if stats.in_use > stats.arena {
                    return Err("more is in use than there is");
                }
            }
        }
        Ok(())
    }
}

impl Face for RustFace {
    fn held(&self) -> [usize; 4] {
        slubmalloc::raw::validate();
        let stats = slubmalloc::stats();
        [stats.in_use, stats.huge_blocks, stats.huge, 0]
    }
}
