//! Objects without `_dl_find_object`, as before glibc 2.35 and in other C libraries.
//!
//! # Invariant
//!
//! This library and the program are found by their headers, without a lock. Others are found by `dl_iterate_phdr`, whose
//! lock the loader may hold: a stack that leads through the loader, which in musl is the C library, ends there before
//! anything is asked. Nobody may call this with a lock that is needed for memory: another thread's visitor may allocate.

use core::ffi::{c_int, c_void};
use core::ops::Range;

use super::object::Object;
use crate::sys::weak::function_at;

/// What is looked for in the loader's list, and what was found.
struct Search {
    address: usize,
    object: Option<Object>,
}

/// The object that `address` lies in.
pub(super) fn listed(address: usize) -> Option<Object> {
    // SAFETY: getauxval(3) reads memory that the kernel filled before the first instruction.
    let header = |name| unsafe { libc::getauxval(name) } as usize;
    let (place, count) = (header(libc::AT_PHDR), header(libc::AT_PHNUM));
    // SAFETY: the program's, as the kernel has told.
    let program = unsafe { headers_at(place, count) };
    let start = program.iter().find(|it| it.p_type == libc::PT_PHDR);
    let base = start.map_or(0, |it| place.wrapping_sub(it.p_vaddr as usize));
    if let Some(object) = object_of(base, program, address) {
        return object;
    }
    let own = weak!("__ehdr_start");
    if let Some(object) = object_of(own, headers_of(own), address) {
        return object;
    }
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
    let headers = unsafe { headers_at(info.dlpi_phdr as usize, info.dlpi_phnum.into()) };
    let Some(object) = object_of(info.dlpi_addr as usize, headers, search.address) else {
        return 0;
    };
    search.object = object;
    1
}

/// Whether `address` lies in the loader.
pub(super) fn is_in_loader(address: usize) -> bool {
    // SAFETY: getauxval(3) reads memory that the kernel filled before the first instruction.
    let base = unsafe { libc::getauxval(libc::AT_BASE) } as usize;
    object_of(base, headers_of(base), address).is_some()
}

/// The program headers of what begins with an ELF header at `base`; none for 0.
fn headers_of(base: usize) -> &'static [libc::Elf64_Phdr] {
    if base == 0 {
        return &[];
    }
    let header = core::ptr::with_exposed_provenance::<libc::Elf64_Ehdr>(base);
    // SAFETY: the linker's symbol for it, or the kernel's.
    let header = unsafe { &*header };
    // SAFETY: the headers are on the same page, and as many as it tells.
    unsafe { headers_at(base + header.e_phoff as usize, header.e_phnum.into()) }
}

/// The program headers at an address; none for 0.
///
/// # Safety
///
/// They stay there, and are as many, as long as they are looked at.
unsafe fn headers_at(address: usize, count: usize) -> &'static [libc::Elf64_Phdr] {
    if address == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(address), count) }
}

/// The object with these headers, if `address` lies in it; without call frame information there is none to use.
fn object_of(base: usize, headers: &[libc::Elf64_Phdr], address: usize) -> Option<Option<Object>> {
    let range = |header: &libc::Elf64_Phdr| -> Range<usize> {
        let start = base.wrapping_add(header.p_vaddr as usize);
        start..start.wrapping_add(header.p_memsz as usize)
    };
    let loaded = headers.iter().filter(|it| it.p_type == libc::PT_LOAD);
    let ranges = loaded.map(range);
    if !ranges.clone().any(|range| range.contains(&address)) {
        return None;
    }
    let start = ranges.clone().map(|it| it.start).min()?;
    let end = ranges.map(|it| it.end).max()?;
    let header = headers.iter().find(|it| it.p_type == libc::PT_GNU_EH_FRAME);
    Some(header.and_then(|header| Object::new(start..end, range(header).start)))
}
