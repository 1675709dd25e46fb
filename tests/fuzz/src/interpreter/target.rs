//! What the interpreter asks of an allocator.
#![forbid(unsafe_code)]

use super::block::Block;
use super::operation::{Refusal, Release, Resize, Take};

/// What is wrong, in words. The allocator's own complaints end the process instead.
pub(crate) type Fault = &'static str;

/// An allocator as one thread sees it. Its answers are addresses; 0 is null.
///
/// A target checks itself what the interpreter does not know of, such as `errno`.
pub(crate) trait Target {
    /// Takes a block of `bytes` at a multiple of `align`; 0 if there is no memory, or if the target has no such way.
    fn take(&mut self, how: Take, bytes: usize, align: usize) -> Result<usize, Fault>;

    /// Gives a block back; `None` is null.
    fn release(&mut self, how: Release, block: Option<Block>) -> Result<(), Fault>;

    /// Changes a block's size to `bytes`, at least 1; 0 if that is refused, and the block is as it was.
    fn resize(&mut self, how: Resize, block: Block, bytes: usize) -> Result<usize, Fault>;

    /// How many bytes of a block may be used.
    fn usable(&mut self, start: usize) -> usize;

    /// Asks for what must be refused; `block` is as it was.
    fn refuse(&mut self, what: Refusal, block: Option<Block>) -> Result<(), Fault>;

    /// Something about the heap as a whole.
    fn tend(&mut self, what: [u8; 2]) -> Result<(), Fault>;

    /// Takes as many objects of a cache as `starts` has places, or none.
    fn take_many(&mut self, _cache: u8, _starts: &mut [usize]) -> Result<bool, Fault> {
        Ok(false)
    }

    /// Gives objects of a cache back.
    fn release_many(&mut self, _cache: u8, blocks: &[Block]) -> Result<(), Fault> {
        let mut blocks = blocks.iter();
        blocks.try_for_each(|block| self.release(Release::Kernel, Some(*block)))
    }

    /// Something about named caches.
    fn tend_caches(&mut self, _what: [u8; 2]) -> Result<(), Fault> {
        Ok(())
    }
}
