//! The contract of malloc, as glibc keeps it: one program per promise, run under the built library.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::process::Command;
use support::{
    Heap, compile, compile_with_header, fully_static, keeps_promise, libc_allowed, run, scratch,
    skip_unless, skipped,
};

#[test]
fn zero_sizes_and_null_pointers_are_answered_as_glibc_does() {
    keeps_promise("c/zero_and_null.c", &[]);
}

#[test]
fn a_core_file_holds_what_is_used_and_not_what_is_reserved() {
    keeps_promise("c/dumps.c", &[]);
}

#[test]
fn impossible_sizes_are_refused_with_enomem() {
    keeps_promise("c/too_large.c", &[]);
}

#[test]
fn every_alignment_up_to_64_mib_is_kept() {
    keeps_promise("c/aligned.c", &[]);
}

#[test]
fn free_preserves_errno() {
    keeps_promise("c/errno_kept.c", &[]);
}

#[test]
fn the_usable_size_is_the_callers_and_constant() {
    keeps_promise("c/usable_size.c", &[]);
}

#[test]
fn calloc_is_zero_on_used_memory_too() {
    keeps_promise("c/calloc_zeroed.c", &[]);
}

#[test]
fn realloc_keeps_the_contents_between_all_regimes() {
    keeps_promise("c/realloc_model.c", &[]);
}

#[test]
fn sized_frees_free() {
    keeps_promise("c/sized_free.c", &[]);
}

#[test]
fn all_sizes_up_to_256_mib_are_whole_and_aligned() {
    keeps_promise("c/sizes.c", &[]);
}

#[test]
fn mallopt_answers_and_trim_gives_back() {
    keeps_promise("c/mallopt_and_trim.c", &[]);
}

#[test]
fn a_refused_request_leaves_the_heap_warm() {
    keeps_promise("c/refused.c", &[]);
}

#[test]
fn numbers_taken_beside_a_busy_thread_are_possible() {
    keeps_promise("c/debugged.c", &[]);
}

#[test]
fn mallinfo_tells_the_truth() {
    keeps_promise("c/mallinfo.c", &[]);
}

#[test]
fn malloc_info_is_well_formed_and_malloc_stats_speaks() {
    skip_unless!("python3");
    let program = compile("c/reports.c", &[]);
    let finished = run(
        Heap::Slubmalloc,
        &mut Command::new(program),
        Duration::from_secs(10),
    )
    .succeeded();
    assert!(
        !finished.stderr.trim().is_empty(),
        "malloc_stats wrote nothing"
    );

    let xml = scratch("malloc_info").join("info.xml");
    fs::write(&xml, finished.raw).expect("a file for python");
    let parse = "import sys, xml.etree.ElementTree as t; e = t.parse(sys.argv[1]).getroot(); print(e.tag, e.get('version'))";
    let parsed = run(
        Heap::Libc,
        Command::new("python3").args(["-c", parse]).arg(xml),
        Duration::from_secs(30),
    );
    assert_eq!(parsed.succeeded().stdout, "malloc 1\n");
}

#[test]
fn statistics_as_json_count_what_the_program_has() {
    skip_unless!("python3");
    let program = compile("c/stats_json.c", &[]);
    let finished = run(
        Heap::Slubmalloc,
        Command::new(program).env("SLUBMALLOC_CONF", "limit:1g"),
        Duration::from_secs(10),
    )
    .succeeded();
    let json = scratch("stats_json").join("stats.json");
    fs::write(&json, finished.raw).expect("a file for python");
    // In use: 700 objects of 768 bytes; the rest is libc's.
    let look = "import sys, json; it = json.load(open(sys.argv[1])); \
        own = [c for c in it['classes'] if c['size'] == 768][0]; \
        print(own['in_use'], own['in_use'] + own['cached'] <= own['total'], it['huge_blocks'], it['huge'], \
        it['in_use'] >= 700 * 768 + it['huge'], it['limit']['bytes'], it['limit']['source'], \
        len(it['nodes'][0]['free_blocks']), len(it['nodes'][0]['unusable']), it['numastat'], it['threads'], \
        [(c['name'], c['size'], c['in_use']) for c in it['caches']], it['pools'])";
    let parsed = run(
        Heap::Libc,
        Command::new("python3").args(["-c", look]).arg(json),
        Duration::from_secs(30),
    );
    let expected = "700 True 1 8388608 True 1073741824 SLUBMALLOC_CONF 11 11 [] 1 \
        [('a cache', 112, 50)] [{'name': 'a \"pool\"', 'used': 1024, 'limit': 1048576}]\n";
    assert_eq!(parsed.succeeded().stdout, expected);
}

#[test]
fn tracepoints_record_their_events_with_all_arguments() {
    if libc_allowed() {
        return skipped("on libc: there are none");
    }
    let patience = Duration::from_secs(60);
    let program = compile_with_header("c/traced.c", &[]);
    run(Heap::Slubmalloc, &mut Command::new(&program), patience).is_ok();
    for (what, conf) in [
        ("limited", "limit:64m"),
        ("profiled", "profile:on,profile_rate:1"),
    ] {
        let mut command = Command::new(&program);
        command.arg(what).env("SLUBMALLOC_CONF", conf);
        run(Heap::Slubmalloc, &mut command, patience).is_ok();
    }
    let program = compile_with_header("c/traced.c", &fully_static());
    run(Heap::Libc, &mut Command::new(program), patience).is_ok();
}

#[test]
fn every_operator_new_and_delete_is_replaced() {
    keeps_promise("cxx/operators.cpp", &[]);
}

#[test]
fn the_new_handler_is_asked_and_heard() {
    keeps_promise("cxx/new_handler.cpp", &[]);
}

#[test]
fn containers_strings_and_threads_work() {
    keeps_promise("cxx/containers.cpp", &[]);
}

#[test]
fn thread_local_and_static_destructors_may_allocate() {
    keeps_promise("cxx/destructors.cpp", &[]);
}

#[test]
fn a_cxx_library_in_a_c_program_throws_bad_alloc() {
    let plugin = compile("cxx/plugin.cpp", &["-shared", "-fPIC"]);
    keeps_promise("c/open_cxx.c", &[plugin.to_str().expect("a plain path")]);
}
