//! The rule and the parser on made-up sources.

use crate::parser::blank;
use crate::rule::{line_of_word, upward_references};
use crate::{declared_modules, is_above_unsafe};

fn faults(name: &str, text: &str) -> usize {
    let plan = ["units", "sys", "arena", "heap"].map(str::to_owned);
    upward_references(&plan, name, text).len()
}

#[test]
fn an_upward_import_is_found() {
    assert_eq!(faults("arena/buddy.rs", "use crate::heap::Heap;"), 1);
    assert_eq!(faults("arena.rs", "fn f() { crate::heap::g() }"), 1);
    assert_eq!(
        faults(
            "sys/mod.rs",
            "use crate::{units::Order, arena::{Arena, Span}, heap};"
        ),
        2
    );
    assert_eq!(
        faults("arena/buddy.rs", "use crate::Heap;"),
        1,
        "a re-export of the roof"
    );
    assert_eq!(faults("arena/buddy.rs", "use crate::*;"), 1);
}

#[test]
fn downward_and_sideways_imports_are_fine() {
    assert_eq!(
        faults(
            "arena/buddy.rs",
            "use crate::units::Order;\nuse crate::arena::span::Span;"
        ),
        0
    );
    assert_eq!(
        faults(
            "heap/mod.rs",
            "use crate::{\n    arena::{Arena, Span},\n    units,\n};\npub(crate) fn f() {}"
        ),
        0
    );
    assert_eq!(faults("lib.rs", "pub use crate::heap::Heap;"), 0);
}

#[test]
fn super_may_not_escape_upwards() {
    assert_eq!(
        faults(
            "arena/buddy.rs",
            "use super::span::Span; pub(super) fn f() {}"
        ),
        0
    );
    assert_eq!(faults("arena/buddy.rs", "use super::super::heap::Heap;"), 1);
    assert_eq!(
        faults("arena/buddy.rs", "use super::super::units::Order;"),
        0
    );
    assert_eq!(faults("arena/mod.rs", "use super::heap::Heap;"), 1);
    assert_eq!(
        faults(
            "arena.rs",
            "mod tests { use super::*; use super::super::units; }"
        ),
        0
    );
    assert_eq!(
        faults(
            "arena.rs",
            "mod tests { use super::super::heap; } use super::heap::Heap;"
        ),
        2
    );
}

#[test]
fn comments_and_literals_are_not_code() {
    assert_eq!(
        faults(
            "arena.rs",
            "/// See [`crate::heap`].\n//! crate::heap\n/* /* */ crate::heap::x */"
        ),
        0
    );
    assert_eq!(
        faults(
            "arena.rs",
            r####"const A: &str = "\"crate::heap"; const B: &str = r#"" crate::heap::x"#;"####
        ),
        0
    );
    assert_eq!(
        faults(
            "arena.rs",
            "fn f<'a>(x: &'a u8) { let c = '\"'; crate::heap::x(); let d = b'\\''; }"
        ),
        1
    );
    assert_eq!(
        line_of_word(
            &blank("// unsafe\n\"unsafe\\\n unsafe\"\nforbid(unsafe_code);\nunsafe {}"),
            "unsafe"
        ),
        Some(5)
    );
    assert_eq!(
        line_of_word(
            &blank("br#\"unsafe\"# c\"unsafe\" libr\"unsafe\""),
            "unsafe"
        ),
        None
    );
}

#[test]
fn module_lines_are_read_in_order() {
    let text = "//! mod no;\nmod units;\n#[cfg(loom)]\npub(crate) mod sys;\nmod inline { }\npub mod heap;\nmod units;";
    assert_eq!(declared_modules(text), ["units", "sys", "heap"]);
}

#[test]
fn a_directory_above_unsafe_is_known() {
    assert!(
        is_above_unsafe("lib.rs")
            && is_above_unsafe("sys/mod.rs")
            && is_above_unsafe("sys/tls/mod.rs")
    );
    assert!(is_above_unsafe("sys.rs") && !is_above_unsafe("units.rs") && !is_above_unsafe("sy.rs"));
    assert!(!is_above_unsafe("numa/mod.rs") && !is_above_unsafe("sys/tls/x86.rs"));
}
