//! glibc's own additions: numbers about the heap, and knobs.

use core::ffi::{c_int, c_void};

use slubmalloc_core::raw::{ClassStats, Line, Stats};

/// malloc_trim(3): gives free memory back to the kernel; 1 if there was any. `_pad` bytes, glibc's
/// reserve at the heap's top, have no meaning here.
#[unsafe(no_mangle)]
extern "C" fn malloc_trim(_pad: usize) -> c_int {
    c_int::from(slubmalloc_core::raw::trim())
}

/// mallopt(3). Answers as glibc does. `M_TRIM_THRESHOLD` is how much unused memory stays, -1 for all of it;
/// blocks from `M_MMAP_THRESHOLD` on are mappings of their own, if they are above 48 KiB. There is one
/// arena for each node whatever `M_ARENA_MAX` says; the others tune what this heap does not have.
#[unsafe(no_mangle)]
extern "C" fn mallopt(parameter: c_int, value: c_int) -> c_int {
    const MAX_FAST: c_int = 80 * size_of::<usize>() as c_int / 4;
    let known = match parameter {
        libc::M_MXFAST => (0..=MAX_FAST).contains(&value),
        libc::M_MMAP_THRESHOLD => {
            slubmalloc_core::raw::map_from(usize::try_from(value).unwrap_or(usize::MAX));
            true
        }
        libc::M_TRIM_THRESHOLD => {
            slubmalloc_core::raw::keep_unused(usize::try_from(value).unwrap_or(usize::MAX));
            true
        }
        libc::M_ARENA_TEST | libc::M_ARENA_MAX => value > 0,
        _ => true,
    };
    c_int::from(known)
}

/// mallinfo(3), with numbers that do not fit cut at the largest that does.
#[unsafe(no_mangle)]
extern "C" fn mallinfo() -> libc::mallinfo {
    let stats = slubmalloc_core::raw::stats();
    let int = |number: usize| c_int::try_from(number).unwrap_or(c_int::MAX);
    libc::mallinfo {
        arena: int(stats.arena),
        ordblks: int(stats.free_blocks),
        smblks: int(stats.cached_objects),
        hblks: int(stats.huge_blocks),
        hblkhd: int(stats.huge),
        usmblks: 0,
        fsmblks: int(stats.cached),
        uordblks: int(stats.in_use),
        fordblks: int(stats.free()),
        keepcost: int(stats.purgeable),
    }
}

/// mallinfo2(3).
#[unsafe(no_mangle)]
extern "C" fn mallinfo2() -> libc::mallinfo2 {
    let stats = slubmalloc_core::raw::stats();
    libc::mallinfo2 {
        arena: stats.arena,
        ordblks: stats.free_blocks,
        smblks: stats.cached_objects,
        hblks: stats.huge_blocks,
        hblkhd: stats.huge,
        usmblks: 0,
        fsmblks: stats.cached,
        uordblks: stats.in_use,
        fordblks: stats.free(),
        keepcost: stats.purgeable,
    }
}

/// malloc_stats(3): prints statistics on standard error.
#[unsafe(no_mangle)]
extern "C" fn malloc_stats() {
    slubmalloc_core::raw::print_stats(|line| {
        let mut text = Line::<200>::new();
        text.raw(line).print_on_stderr();
    });
}

/// malloc_info(3): writes the heap's state to `stream` as XML, in the shape of glibc's. `options`
/// must be 0, else the answer is `EINVAL`, as glibc's is.
///
/// # Safety
///
/// `stream` is an open stream.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_info(options: c_int, stream: *mut libc::FILE) -> c_int {
    if options != 0 {
        return libc::EINVAL;
    }
    let mut failed = false;
    let mut put = |line: &Line<256>| {
        let bytes = line.as_bytes();
        // SAFETY: the caller's stream, and bytes of ours.
        let written =
            unsafe { libc::fwrite(bytes.as_ptr().cast::<c_void>(), 1, bytes.len(), stream) };
        failed |= written != bytes.len();
    };
    // The numbers are taken first: writing to the stream may allocate.
    let stats = slubmalloc_core::raw::stats();
    put(Line::new().text("<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n"));
    slubmalloc_core::raw::class_stats(|class| {
        let free = class.total - class.in_use.min(class.total);
        let mut line = Line::new();
        line.text("  <size from=\"")
            .number(class.size)
            .text("\" to=\"")
            .number(class.size);
        line.text("\" total=\"")
            .number(free * class.size)
            .text("\" count=\"")
            .number(free);
        put(line.text("\"/>\n"));
    });
    put(Line::new().text("</sizes>\n"));
    totals(&stats, &mut put);
    system(&stats, &mut put);
    put(Line::new().text("</heap>\n"));
    totals(&stats, &mut put);
    slubmalloc_core::raw::class_stats(|class| put(used_and_held(&mut Line::new(), &class)));
    slubmalloc_core::raw::node_stats(|node| {
        for (order, (blocks, unusable)) in node.free_blocks.iter().zip(node.unusable).enumerate() {
            let mut line = Line::new();
            line.text("<free node=\"").number(usize::from(node.node));
            line.text("\" order=\"").number(order);
            line.text("\" blocks=\"").number(*blocks as usize);
            line.text("\" unusable=\"").thousandths(unusable);
            put(line.text("\"/>\n"));
        }
    });
    slubmalloc_core::raw::numastat(|node, pages| {
        let mut line = Line::new();
        line.text("<node nr=\"")
            .number(usize::from(node))
            .text("\"");
        for (name, count) in slubmalloc_core::raw::NUMASTAT_NAMES.iter().zip(pages) {
            line.text(" ").text(name).text("=\"");
            line.number(*count as usize).text("\"");
        }
        put(line.text("/>\n"));
    });
    slubmalloc_core::raw::limit_stats(|limit, source| {
        if let Some(bytes) = limit.bytes {
            let mut line = Line::new();
            line.text("<limit size=\"").number(bytes);
            quoted(line.text("\" source=\""), source);
            put(line.text("\"/>\n"));
        }
        for (kind, count) in [
            ("limit", limit.refused),
            ("system", limit.refused_by_system),
        ] {
            let mut line = Line::new();
            line.text("<refused type=\"").text(kind);
            put(line.text("\" count=\"").number(count).text("\"/>\n"));
        }
    });
    put(total(
        &mut Line::new(),
        "mmap",
        stats.huge_blocks,
        stats.huge,
    ));
    system(&stats, &mut put);
    put(Line::new().text("</malloc>\n"));
    if failed { -1 } else { 0 }
}

/// Appends a text to the value of an attribute.
fn quoted(line: &mut Line<256>, text: &[u8]) {
    for byte in text {
        match byte {
            b'&' => line.text("&amp;"),
            b'<' => line.text("&lt;"),
            b'"' => line.text("&quot;"),
            b' '..=b'~' => line.raw(&[*byte]),
            _ => line.text("?"),
        };
    }
}

fn used_and_held<'line>(line: &'line mut Line<256>, class: &ClassStats) -> &'line Line<256> {
    line.text("<class size=\"")
        .number(class.size)
        .text("\" used=\"")
        .number(class.in_use * class.size);
    line.text("\" held=\"")
        .number(class.held)
        .text("\" slabs=\"");
    line.number(class.slabs).text("\"/>\n")
}

fn totals(stats: &Stats, put: &mut impl FnMut(&Line<256>)) {
    put(total(
        &mut Line::new(),
        "fast",
        stats.cached_objects,
        stats.cached,
    ));
    let rest = stats.free().saturating_sub(stats.cached);
    put(total(&mut Line::new(), "rest", stats.free_blocks, rest));
}

fn total<'line>(
    line: &'line mut Line<256>,
    kind: &str,
    count: usize,
    size: usize,
) -> &'line Line<256> {
    line.text("<total type=\"")
        .text(kind)
        .text("\" count=\"")
        .number(count);
    line.text("\" size=\"").number(size).text("\"/>\n")
}

fn system(stats: &Stats, put: &mut impl FnMut(&Line<256>)) {
    for (element, kind) in [
        ("system", "current"),
        ("system", "max"),
        ("aspace", "total"),
        ("aspace", "mprotect"),
    ] {
        let mut line = Line::new();
        line.text("<")
            .text(element)
            .text(" type=\"")
            .text(kind)
            .text("\" size=\"");
        put(line.number(stats.arena).text("\"/>\n"));
    }
}
