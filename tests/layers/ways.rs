//! The ways of calls through the files: how many files a reader opens who follows one.
//!
//! A step is a function that an earlier step of the way names, so no way has a call that is not made. A figure is
//! today's: a way that crosses more files fails, and one that crosses fewer says so.

use std::collections::BTreeSet;

use crate::parser::blank;

/// A way: its name, the files that it crosses, and its steps as file and function.
type Way = (&'static str, usize, &'static [(&'static str, &'static str)]);

const WAYS: &[Way] = &[
    (
        "malloc, fast",
        7,
        &[
            ("global/malloc.rs", "malloc_fast"),
            ("global/threads.rs", "here"),
            ("sys/tls/x86_64.rs", "read"),
            ("cache/mod.rs", "pop_fine"),
            ("cache/mod.rs", "fine_bin"),
            ("cache/bin.rs", "pop"),
            ("cache/bounds.rs", "take"),
            ("cache/bin.rs", "object_at"),
            ("sys/prefetch.rs", "prefetch"),
        ],
    ),
    (
        "refill",
        19,
        &[
            ("global/malloc.rs", "malloc_slow"),
            ("cache/exchange.rs", "exchange_empty"),
            ("global/malloc.rs", "allocate_uncounted"),
            ("global/malloc.rs", "allocate_beside"),
            ("global/malloc.rs", "take"),
            ("global/service.rs", "service"),
            ("global/birth.rs", "alive"),
            ("global/malloc.rs", "take_cached"),
            ("cache/slow.rs", "alloc_slow"),
            ("cache/rehome.rs", "rehome"),
            ("cache/shared.rs", "serving"),
            ("cache/slow.rs", "refill_or_drain"),
            ("heap/limits.rs", "take_within"),
            ("cache/slow.rs", "refill"),
            ("cache/idle.rs", "reattach"),
            ("cache/bin.rs", "swap_for_objects"),
            ("cache/sizing.rs", "refill"),
            ("cache/room.rs", "most"),
            ("cache/slow.rs", "take_full"),
            ("slab/barn.rs", "take_full"),
            ("cache/slow.rs", "fetch"),
            ("heap/refill.rs", "fill_from"),
            ("slab/cache_node.rs", "fill"),
            ("slab/record/objects.rs", "take"),
            ("slab/sheaf.rs", "grow"),
            ("heap/numa.rs", "note_slabs"),
            ("cache/binding.rs", "refresh_home"),
        ],
    ),
    (
        "flush",
        18,
        &[
            ("global/malloc.rs", "free_slow_as"),
            ("cache/exchange.rs", "exchange_full"),
            ("cache/alien.rs", "push_alien"),
            ("global/malloc.rs", "give"),
            ("global/early.rs", "find"),
            ("global/service.rs", "service"),
            ("global/birth.rs", "alive"),
            ("cache/slow.rs", "free_slow"),
            ("cache/rehome.rs", "check_cluster"),
            ("heap/locate.rs", "locate"),
            ("cache/idle.rs", "reattach"),
            ("cache/binding.rs", "refresh_home"),
            ("cache/slow.rs", "make_room"),
            ("cache/bin.rs", "swap_for_room"),
            ("cache/rehome.rs", "origin"),
            ("cache/room.rs", "may_have_spare"),
            ("slab/barn.rs", "put_full"),
            ("slab/purge.rs", "is_nearly_free"),
            ("heap/flush.rs", "flush_with"),
            ("slab/flush.rs", "take_back"),
            ("slab/record/objects.rs", "give"),
        ],
    ),
    (
        "a thread's exit",
        10,
        &[
            ("global/thread_exit.rs", "exit"),
            ("global/threads.rs", "own"),
            ("cache/registry.rs", "leave"),
            ("cache/drain.rs", "drain_remote"),
            ("cache/idle.rs", "reattach"),
            ("cache/drain.rs", "close_small"),
            ("cache/bin.rs", "close"),
            ("heap/flush.rs", "flush"),
            ("cache/alien.rs", "drain_aliens"),
            ("cache/lists.rs", "put_warm"),
            ("global/process.rs", "note_exit"),
        ],
    ),
    (
        "malloc, debugged",
        13,
        &[
            ("global/malloc.rs", "allocate"),
            ("global/malloc.rs", "allocate_uncounted"),
            ("global/malloc.rs", "allocate_beside"),
            ("global/malloc.rs", "take"),
            ("global/service.rs", "service"),
            ("global/debugged.rs", "allocate"),
            ("global/debugged.rs", "attempt"),
            ("modes/clearing.rs", "request"),
            ("modes/sort.rs", "of_request"),
            ("modes/mod.rs", "take_debugged"),
            ("modes/slab_debug/mod.rs", "take"),
            ("modes/trace.rs", "take"),
            ("modes/slab_debug/memory.rs", "take_small"),
            ("modes/slab_debug/store.rs", "take_free"),
            ("modes/records.rs", "pop"),
            ("modes/record.rs", "begin"),
            ("modes/zone.rs", "activate"),
        ],
    ),
];

/// What is wrong with the list, where `text_of` tells a file's text.
pub(crate) fn faults(text_of: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (way, known, steps) in WAYS {
        let mut bodies = String::new();
        for (number, (file, function)) in steps.iter().enumerate() {
            let Some(body) = text_of(file).and_then(|text| body(&blank(&text), function)) else {
                faults.push(format!("{way}: src/{file} has no function `{function}`"));
                continue;
            };
            if number > 0 && !is_named(&bodies, function) {
                faults.push(format!(
                    "{way}: no step before names `{function}` of {file}"
                ));
            }
            bodies.push_str(&body);
        }
        let files: BTreeSet<_> = steps.iter().map(|(file, _)| file).collect();
        if files.len() != *known {
            faults.push(format!("{way}: {} files, {known} are known", files.len()));
        }
    }
    faults
}

/// What stands between the braces of a function.
fn body(code: &str, function: &str) -> Option<String> {
    let head = format!("fn {function}");
    let starts = code.match_indices(&head);
    let mut starts = starts.filter(|(at, name)| {
        let after = code[at + name.len()..].chars().next();
        after.is_some_and(|it| it == '(' || it == '<')
    });
    let code = &code[starts.next()?.0..];
    let mut depth = 0;
    for (at, letter) in code.char_indices().skip(code.find('{')?) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(code[..=at].to_owned());
        }
    }
    None
}

fn is_named(code: &str, function: &str) -> bool {
    let mut words = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.any(|word| word == function)
}

#[test]
fn a_function_ends_at_its_last_brace_and_a_name_is_a_whole_word() {
    let code = "fn one() { if two() { three() } }\nfn four() {}";
    assert_eq!(
        body(code, "one").as_deref(),
        Some("fn one() { if two() { three() } }")
    );
    assert!(is_named(code, "two") && !is_named(code, "tw") && body(code, "fou").is_none());
}
