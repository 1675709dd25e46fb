//! What the dynamic loader has loaded: definitions, looked up in the objects' own tables.
//!
//! [`next`] finds the function that one of ours stands in front of: a preloaded wrapper of `name` calls what it
//! returns. [`in_library`] finds a symbol of a library that was loaded without being made global.
//!
//! # Invariant
//!
//! Both hold the lock on the loader's list for some microseconds (dl_iterate_phdr(3)), so no way of `malloc` or `free`
//! comes by. They need no memory, no `dlsym` and no constructor of ours, and leave dlerror(3) as it is.

use core::ffi::{CStr, c_int, c_void};

use slubmalloc_core::weak;

// Tags of the dynamic section, see elf(5).
const HASH: u64 = 4;
const STRINGS: u64 = 5;
const SYMBOLS: u64 = 6;
const GNU_HASH: u64 = 0x6fff_fef5;
const VERSIONS: u64 = 0x6fff_fff0;

/// Bit of a symbol's version: not the default one, only programs that name it get it.
const HIDDEN: u16 = 0x8000;
/// A symbol's type, and those of plain functions and objects.
const TYPE: u8 = 15;
const NO_TYPE: u8 = 0;
const OBJECT: u8 = 1;
const FUNCTION: u8 = 2;

/// Returns the address of the definition of `name` that comes after this library's in the loader's list, whose order
/// is that of the search for all that was there at the start; 0 if there is none.
#[cfg(any(preload, api))]
#[unsafe(link_section = ".text.hot.life")]
pub(crate) fn next(name: &CStr) -> usize {
    let mut search = Search {
        name,
        file: None,
        is_past_us: false,
        found: 0,
    };
    search.run();
    if search.found == 0 {
        // We were loaded late.
        search.is_past_us = true;
        search.run();
    }
    search.found
}

/// Returns the address of `name` in the loaded library whose file is called `file`; 0 if there is none.
#[cfg(not(api))]
pub(crate) fn in_library(file: &CStr, name: &CStr) -> usize {
    let mut search = Search {
        name,
        file: Some(file),
        is_past_us: true,
        found: 0,
    };
    search.run();
    search.found
}

struct Search<'text> {
    name: &'text CStr,
    /// Look only into this library.
    file: Option<&'text CStr>,
    /// Whether the list has come by this library.
    is_past_us: bool,
    found: usize,
}

impl Search<'_> {
    fn run(&mut self) {
        type Visit = unsafe extern "C" fn(*mut libc::dl_phdr_info, usize, *mut c_void) -> c_int;
        type Iterate = unsafe extern "C" fn(Visit, *mut c_void) -> c_int;
        let iterate = weak!("dl_iterate_phdr");
        // SAFETY: 0 is `None`, anything else is the function.
        let iterate = unsafe { core::mem::transmute::<usize, Option<Iterate>>(iterate) };
        // A static program may have no loader.
        if let Some(iterate) = iterate {
            // SAFETY: calls `visit` for each object with this search, one after the other.
            unsafe { iterate(visit, (&raw mut *self).cast()) };
        }
    }

    /// Looks at one object; `true` ends the search.
    #[unsafe(link_section = ".text.hot.life")]
    fn visit(&mut self, info: &libc::dl_phdr_info) -> bool {
        let count = usize::from(info.dlpi_phnum);
        // SAFETY: the object's own program headers, which stay while it is loaded.
        let headers = unsafe { core::slice::from_raw_parts(info.dlpi_phdr, count) };
        let base = info.dlpi_addr as usize;
        if holds(headers, base, visit as *const () as usize) {
            self.is_past_us = true;
            return false;
        }
        if !self.is_past_us || !self.file.is_none_or(|file| is_called(info, file)) {
            return false;
        }
        let Some(dynamic) = headers.iter().find(|it| it.p_type == libc::PT_DYNAMIC) else {
            return false;
        };
        self.found = Tables::read(base, base + dynamic.p_vaddr as usize).find(self.name);
        self.found != 0
    }
}

#[unsafe(link_section = ".text.hot.life")]
unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: the search that `run` passed on, which waits for this.
    let search = unsafe { &mut *search.cast::<Search<'_>>() };
    // SAFETY: the loader's description of an object.
    let info = unsafe { &*info };
    c_int::from(search.visit(info))
}

/// Whether an address lies in one of the segments.
fn holds(headers: &[libc::Elf64_Phdr], base: usize, address: usize) -> bool {
    headers.iter().any(|header| {
        let start = base + header.p_vaddr as usize;
        header.p_type == libc::PT_LOAD
            && (start..start + header.p_memsz as usize).contains(&address)
    })
}

/// Whether an object's file has that name, in whatever directory.
fn is_called(info: &libc::dl_phdr_info, file: &CStr) -> bool {
    if info.dlpi_name.is_null() {
        return false;
    }
    // SAFETY: the path that it was loaded from.
    let path = unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes();
    path.rsplit(|byte| *byte == b'/').next() == Some(file.to_bytes())
}

/// The addresses of an object's tables, 0 for those that it does not have.
#[derive(Default)]
struct Tables {
    base: usize,
    hash: usize,
    gnu_hash: usize,
    symbols: usize,
    strings: usize,
    versions: usize,
}

impl Tables {
    /// The tables of the object at `base` that its dynamic section names.
    fn read(base: usize, dynamic: usize) -> Self {
        let mut tables = Self {
            base,
            ..Self::default()
        };
        for place in 0.. {
            let [tag, value] = at::<[u64; 2]>(dynamic, place);
            let table = match tag {
                0 => break,
                HASH => &mut tables.hash,
                STRINGS => &mut tables.strings,
                SYMBOLS => &mut tables.symbols,
                GNU_HASH => &mut tables.gnu_hash,
                VERSIONS => &mut tables.versions,
                _ => continue,
            };
            // glibc has made addresses of them; where it could not, and in musl, they count from the base.
            let value = value as usize;
            *table = if value < base { base + value } else { value };
        }
        tables
    }

    /// The address of `name`'s default version; of any, where there is no default; 0 if it is not defined here.
    fn find(&self, name: &CStr) -> usize {
        let mut found = 0;
        let mut consider = |index: u32| {
            let symbol: libc::Elf64_Sym = at(self.symbols, index as usize);
            let is_plain = matches!(symbol.st_info & TYPE, NO_TYPE | OBJECT | FUNCTION);
            if symbol.st_shndx == 0 || symbol.st_value == 0 || !is_plain {
                return false;
            }
            let text = core::ptr::with_exposed_provenance(self.strings + symbol.st_name as usize);
            // SAFETY: a name in the object's table of strings.
            if unsafe { CStr::from_ptr(text) } != name {
                return false;
            }
            let is_default =
                self.versions == 0 || at::<u16>(self.versions, index as usize) & HIDDEN == 0;
            if is_default || found == 0 {
                found = self.base + symbol.st_value as usize;
            }
            is_default
        };
        if self.symbols == 0 || self.strings == 0 {
            return 0;
        }
        if self.gnu_hash != 0 {
            self.walk_gnu_hash(name, &mut consider);
        } else if self.hash != 0 {
            self.walk_hash(name, &mut consider);
        }
        found
    }

    /// Calls `consider` for the symbols that may have the name, until it is satisfied.
    fn walk_gnu_hash(&self, name: &CStr, consider: &mut dyn FnMut(u32) -> bool) {
        let hash = name.to_bytes().iter().fold(5381_u32, |hash, byte| {
            hash.wrapping_mul(33).wrapping_add(u32::from(*byte))
        });
        let [buckets, first, filter_words, _] = at::<[u32; 4]>(self.gnu_hash, 0);
        let bucket_table = self.gnu_hash + 16 + filter_words as usize * size_of::<u64>();
        let chain_table = bucket_table + buckets as usize * size_of::<u32>();
        let Some(bucket) = hash.checked_rem(buckets) else {
            return;
        };
        let mut index: u32 = at(bucket_table, bucket as usize);
        while let Some(place) = index.checked_sub(first) {
            let entry: u32 = at(chain_table, place as usize);
            // The last bit marks a chain's end.
            if (entry | 1) == (hash | 1) && consider(index) || entry & 1 != 0 {
                return;
            }
            index += 1;
        }
    }

    /// As [`Self::walk_gnu_hash`], with the table that every object once had.
    fn walk_hash(&self, name: &CStr, consider: &mut dyn FnMut(u32) -> bool) {
        let hash = name.to_bytes().iter().fold(0_u32, |hash, byte| {
            let hash = (hash << 4).wrapping_add(u32::from(*byte));
            let high = hash & 0xf000_0000;
            (hash ^ (high >> 24)) & !high
        });
        let [buckets, _] = at::<[u32; 2]>(self.hash, 0);
        let Some(bucket) = hash.checked_rem(buckets) else {
            return;
        };
        let bucket_table = self.hash + 8;
        let chain_table = bucket_table + buckets as usize * size_of::<u32>();
        let mut index: u32 = at(bucket_table, bucket as usize);
        while index != 0 && !consider(index) {
            index = at(chain_table, index as usize);
        }
    }
}

/// An entry of one of an object's tables.
fn at<T: Copy>(table: usize, index: usize) -> T {
    let entry = core::ptr::with_exposed_provenance::<T>(table).wrapping_add(index);
    // SAFETY: only called for tables of an object that is loaded and stays during the search, with indices that
    // its tables hold.
    unsafe { entry.read_unaligned() }
}
