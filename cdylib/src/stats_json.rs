//! `slubmalloc_stats_json`: the numbers that `malloc_stats` and `malloc_info` give, as JSON.

use core::ffi::{c_char, c_void};

use slubmalloc_core::raw::{ClassStats, Line};

/// What the caller has its text written by.
type Write = unsafe extern "C" fn(*mut c_void, *const c_char, usize);
/// Room for a piece of text.
const PIECE: usize = 208;

/// Where the text goes.
struct Output {
    write: Write,
    context: *mut c_void,
}

impl Output {
    /// The only place that calls the program.
    #[inline(never)]
    fn put(&self, line: &mut Line<PIECE>) {
        let text = line.as_bytes();
        // SAFETY: the caller's function, with its context and text that stays until it returns.
        unsafe { (self.write)(self.context, text.as_ptr().cast(), text.len()) };
    }
}

/// See the header.
///
/// # Safety
///
/// `write` may be called with `context` and text of any length.
#[unsafe(no_mangle)]
unsafe extern "C" fn slubmalloc_stats_json(write: Option<Write>, context: *mut c_void) {
    let Some(write) = write else {
        return;
    };
    let out = Output { write, context };
    sums(&out);
    limit(&out);
    out.put(Line::new().text("\"classes\":["));
    let mut is_first = true;
    slubmalloc_core::raw::class_stats(|found| {
        let mut line = Line::new();
        begin(&mut line, &mut is_first);
        class(&mut line, &found);
        out.put(line.text("}"));
    });
    named(&out);
    out.put(Line::new().text("],\"nodes\":["));
    is_first = true;
    slubmalloc_core::raw::node_stats(|node| {
        let mut line = Line::new();
        begin(&mut line, &mut is_first);
        numbers(&mut line, &[("node", usize::from(node.node))]);
        list(
            line.text(",\"free_blocks\":["),
            &node.free_blocks.map(|it| it as usize),
        );
        list(line.text(",\"unusable\":["), &node.unusable);
        out.put(line.text("}"));
    });
    out.put(Line::new().text("],\"numastat\":["));
    is_first = true;
    slubmalloc_core::raw::numastat(|node, pages| {
        let mut line = Line::new();
        begin(&mut line, &mut is_first);
        numbers(&mut line, &[("node", usize::from(node))]);
        for (name, count) in slubmalloc_core::raw::NUMASTAT_NAMES.iter().zip(pages) {
            numbers(line.text(","), &[(name, *count as usize)]);
        }
        out.put(line.text("}"));
    });
    out.put(Line::new().text("]}\n"));
}

/// The beginning of the object, with the sums.
#[inline(never)]
fn sums(out: &Output) {
    let stats = slubmalloc_core::raw::stats();
    let mut line = Line::new();
    line.text("{\"version\":\"").text(env!("CARGO_PKG_VERSION"));
    out.put(line.text("\","));
    for (name, number) in [
        ("in_use", stats.in_use + stats.huge),
        ("arenas", stats.arena),
        ("cached", stats.cached),
        ("free_with_memory", stats.purgeable),
        ("huge_blocks", stats.huge_blocks),
        ("huge", stats.huge),
        ("huge_kept", stats.huge_kept),
        ("lost", stats.lost),
        ("tables", stats.tables),
        ("threads", stats.threads),
    ] {
        let mut line = Line::new();
        numbers(&mut line, &[(name, number)]);
        out.put(line.text(","));
    }
}

/// The members about the limit.
#[inline(never)]
fn limit(out: &Output) {
    slubmalloc_core::raw::limit_stats(|limit, source| {
        let mut line = Line::new();
        numbers(
            &mut line,
            &[
                ("refused_by_limit", limit.refused),
                ("refused_by_system", limit.refused_by_system),
            ],
        );
        out.put(line.text(",\"limit\":"));
        let mut line = Line::new();
        match limit.bytes {
            Some(bytes) => {
                line.text("{");
                numbers(&mut line, &[("bytes", bytes)]);
                text(line.text(","), "source", source);
                line.text("}")
            }
            None => line.text("null"),
        };
        out.put(line.text(","));
    });
}

/// The lists of named caches and of pools.
#[inline(never)]
fn named(out: &Output) {
    out.put(Line::new().text("],\"caches\":["));
    let mut is_first = true;
    slubmalloc_core::raw::cache_stats(|name, cache| {
        title(out, name, &mut is_first);
        let mut line = Line::new();
        class(&mut line, &cache);
        out.put(line.text("}"));
    });
    out.put(Line::new().text("],\"pools\":["));
    is_first = true;
    slubmalloc_core::raw::pool_stats(|name, used, limit| {
        title(out, name, &mut is_first);
        let mut line = Line::new();
        numbers(&mut line, &[("used", used)]);
        line.text(",\"limit\":");
        match limit {
            usize::MAX => line.text("null"),
            limit => line.number(limit),
        };
        out.put(line.text("}"));
    });
}

/// The beginning of an object with a name.
fn title(out: &Output, name: &[u8], is_first: &mut bool) {
    let mut line = Line::new();
    begin(&mut line, is_first);
    out.put(line.text("\"name\":\""));
    let name = name.split(|byte| *byte == 0).next().unwrap_or(name);
    for part in name.utf8_chunks() {
        let bytes = part.valid().as_bytes();
        // The longest form of a byte, `\u001f`, has 6.
        for piece in bytes.chunks(PIECE / 6) {
            let mut line = Line::new();
            escaped(&mut line, piece);
            out.put(&mut line);
        }
        if !part.invalid().is_empty() {
            // JSON is UTF-8: what is not has no better form.
            out.put(Line::new().text("\u{fffd}"));
        }
    }
    out.put(Line::new().text("\","));
}

/// A member with text.
#[inline(never)]
fn text(line: &mut Line<PIECE>, name: &str, value: &[u8]) {
    line.text("\"").text(name).text("\":\"");
    escaped(line, value);
    line.text("\"");
}

/// Text as it stands in a string of JSON (RFC 8259, section 7).
#[inline(never)]
fn escaped(line: &mut Line<PIECE>, value: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in value {
        match byte {
            b'"' => line.text("\\\""),
            b'\\' => line.text("\\\\"),
            0..=31 => {
                let low = DIGITS.get(usize::from(byte & 15)).unwrap_or(&b'0');
                line.text(if *byte < 16 { "\\u000" } else { "\\u001" });
                line.raw(core::slice::from_ref(low))
            }
            _ => line.raw(core::slice::from_ref(byte)),
        };
    }
}

/// The numbers of a class.
fn class(line: &mut Line<PIECE>, class: &ClassStats) {
    numbers(
        line,
        &[
            ("size", class.size),
            ("in_use", class.in_use),
            ("cached", class.cached),
            ("total", class.total),
            ("slabs", class.slabs),
            ("held", class.held),
        ],
    );
}

/// The beginning of a list's object.
fn begin(line: &mut Line<PIECE>, is_first: &mut bool) {
    line.text(if core::mem::take(is_first) { "{" } else { ",{" });
}

/// Members with numbers.
#[inline(never)]
fn numbers(line: &mut Line<PIECE>, members: &[(&str, usize)]) {
    let mut comma = "";
    for (name, number) in members {
        line.text(comma).text("\"").text(name).text("\":");
        line.number(*number);
        comma = ",";
    }
}

/// The numbers of a list, and its end.
#[inline(never)]
fn list(line: &mut Line<PIECE>, all: &[usize]) {
    let mut comma = "";
    for number in all {
        line.text(comma).number(*number);
        comma = ",";
    }
    line.text("]");
}
