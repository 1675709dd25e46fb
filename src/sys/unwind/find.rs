//! The object that an address lies in, and the entry of its function in the sorted table that comes with the call
//! frame information (`.eh_frame_hdr`).

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::cursor::{Cursor, Encoding};
use crate::sys::syscall::ask;
use crate::sys::weak::function_at;

/// No call frame information is longer, in bytes.
const LONGEST: usize = 256 << 20;
/// Bytes of the header before its sorted table, as far as they are looked at.
const HEADER: usize = 12;

/// A program or library in memory, with call frame information.
pub(super) struct Object {
    /// What is mapped around the address that was asked for.
    mapped: Range<usize>,
    /// That and the call frame information.
    readable: Range<usize>,
    header: usize,
}

/// Bytes with their length before them, by their place in an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Block(u32);

/// `struct dl_find_object` of glibc 2.35, see `<dlfcn.h>`.
#[repr(C)]
struct Found {
    flags: u64,
    start: usize,
    end: usize,
    link_map: usize,
    header: usize,
    reserved: [u64; 7],
}

/// That function, where it had to be looked up.
static KNOWN: AtomicUsize = AtomicUsize::new(0);

/// Tells the address of `_dl_find_object`, 0 for none, where it could not be imported.
#[doc(hidden)]
pub fn know_find_object(address: usize) {
    // ORDERING: relaxed, as where it is read.
    KNOWN.store(address, Relaxed);
}

/// The object that `address` lies in; `None` where there is none, or it has no table.
pub(super) fn object(address: usize) -> Option<Object> {
    type FindObject = unsafe extern "C" fn(*mut c_void, *mut Found) -> c_int;
    let imported = weak!("_dl_find_object");
    // ORDERING: relaxed, the function was there before this library.
    let function = if imported == 0 {
        KNOWN.load(Relaxed)
    } else {
        imported
    };
    // SAFETY: the function of that name has this type.
    let Some(find) = (unsafe { function_at::<FindObject>(function) }) else {
        return listed(address);
    };
    let mut found = MaybeUninit::<Found>::uninit();
    let address = core::ptr::without_provenance_mut(address);
    // SAFETY: it takes no lock, and fills the structure if it answers 0.
    if ask(|| unsafe { find(address, found.as_mut_ptr()) }) != 0 {
        return None;
    }
    // SAFETY: filled by the call.
    let found = unsafe { found.assume_init() };
    Object::new(found.start..found.end, found.header)
}

/// What is looked for in the loader's list, and what was found.
struct Search {
    address: usize,
    object: Option<Object>,
}

/// The same where the C library has no lock-free way: the list is locked meanwhile.
fn listed(address: usize) -> Option<Object> {
    type Visit = unsafe extern "C" fn(*mut libc::dl_phdr_info, usize, *mut c_void) -> c_int;
    type Iterate = unsafe extern "C" fn(Visit, *mut c_void) -> c_int;
    let function = weak!("dl_iterate_phdr");
    // SAFETY: the function of that name has this type.
    let iterate = unsafe { function_at::<Iterate>(function) }?;
    let mut search = Search {
        address,
        object: None,
    };
    // SAFETY: calls `visit` for each object, with the structure that it expects.
    unsafe { iterate(visit, core::ptr::from_mut(&mut search).cast()) };
    search.object
}

unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> c_int {
    // SAFETY: what `listed` handed in.
    let search = unsafe { &mut *data.cast::<Search>() };
    // SAFETY: the loader's, for the time of this call.
    let info = unsafe { &*info };
    // SAFETY: the object's program headers, as many as are told.
    let headers = unsafe { core::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let range = |header: &libc::Elf64_Phdr| {
        let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
        start..start.wrapping_add(header.p_memsz as usize)
    };
    let loaded = headers.iter().filter(|it| it.p_type == libc::PT_LOAD);
    let ranges = loaded.map(range);
    if !ranges.clone().any(|range| range.contains(&search.address)) {
        return 0;
    }
    let start = ranges.clone().map(|it| it.start).min();
    let end = ranges.map(|it| it.end).max();
    let header = headers.iter().find(|it| it.p_type == libc::PT_GNU_EH_FRAME);
    if let (Some(start), Some(end), Some(header)) = (start, end, header) {
        search.object = Object::new(start..end, range(header).start);
    }
    1
}

impl Object {
    /// What is mapped around the address that was asked for.
    pub(super) fn mapped(&self) -> Range<usize> {
        self.mapped.clone()
    }

    fn new(mapped: Range<usize>, header: usize) -> Option<Self> {
        if header == 0 {
            return None;
        }
        let mut object = Self {
            readable: header..header.checked_add(HEADER)?,
            mapped,
            header,
        };
        let mut start = object.cursor(header)?;
        let (_version, frame) = (start.u8()?, Encoding(start.u8()?));
        start.part(2)?;
        let frames = start.pointer(frame, header)?;
        // If the segments of a program do not adjoin, the C library returns only the one that the address is in.
        let first = object.mapped.start.min(header).min(frames);
        let end = match header.max(frames) {
            last if last < object.mapped.end => object.mapped.end,
            last => last.checked_add(LONGEST)?,
        };
        object.readable = first..end;
        Some(object)
    }

    /// A place in the object.
    pub(super) fn cursor(&self, address: usize) -> Option<Cursor> {
        Cursor::new(address, &self.readable)
    }

    /// Takes a length and as many bytes.
    pub(super) fn block(&self, cursor: &mut Cursor) -> Option<Block> {
        let place = cursor.address().checked_sub(self.readable.start)?;
        let bytes = cursor.unsigned()?;
        cursor.part(bytes)?;
        u32::try_from(place).ok().map(Block)
    }

    /// The bytes of a block.
    pub(super) fn bytes_of(&self, block: Block) -> Option<Cursor> {
        let mut cursor = self.cursor(self.readable.start + block.0 as usize)?;
        let bytes = cursor.unsigned()?;
        cursor.part(bytes)
    }

    /// The address of the entry for the function that `pc` may lie in: the last that begins no later.
    pub(super) fn entry(&self, pc: usize) -> Option<usize> {
        const PAIR: usize = 8;
        let mut header = self.cursor(self.header)?;
        let version = header.u8()?;
        let [frame, count, table] = [header.u8()?, header.u8()?, header.u8()?].map(Encoding);
        if version != 1 || table != Encoding::TABLE {
            return None;
        }
        header.pointer(frame, self.header)?;
        let count = header.value(count)?;
        let pairs = header.part(count.checked_mul(PAIR)?)?.address();
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut pair = self.cursor(pairs + middle * PAIR)?;
            if pair.pointer(table, self.header)? <= pc {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut pair = self.cursor(pairs + low.checked_sub(1)? * PAIR)?;
        pair.pointer(table, self.header)?;
        pair.pointer(table, self.header)
    }
}
