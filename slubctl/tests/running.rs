//! Views of running processes, and what looking at them costs them.

mod support;

use std::fs;
use std::process::Command;

use support::{Target, built, compile, compile_source, scratch, slubctl, snapshot, text};

#[test]
fn a_heap_that_is_well_passes_the_check_and_one_that_runs_is_read_until_it_agrees() {
    let program = compile("check", &[]);
    for end in ["sleep", "loop", "threads"] {
        let target = Target::preloaded(&program, end);
        let said = text(&["check", &target.pid().to_string()]);
        assert!(said.ends_with("the tables agree\n"), "{said}");
    }
}

#[test]
fn a_page_says_where_memory_is_what_could_go_and_what_is_fragmented_and_why() {
    let target = Target::preloaded(&compile("page", &[]), "holes");
    let page = text(&["show", &target.pid().to_string()]);
    let has = |start: &str, parts: &[&str]| {
        let is_it =
            |line: &str| line.starts_with(start) && parts.iter().all(|it| line.contains(it));
        assert!(page.lines().any(is_it), "{start}: {page}");
    };
    has("in use   small objects", &["MiB"]);
    has("         large blocks", &["2.2 MiB"]);
    has("         huge blocks", &["16.0 MiB"]);
    has("cached   in threads' sheaves", &["KiB"]);
    has("free     in partial slabs", &["MiB"]);
    has("resident slabs", &["MiB"]);
    has("         metadata", &["KiB"]);
    has("         all of it", &["MiB"]);
    has("could be given back: ", &["malloc_trim"]);
    has(
        "fragmented: ",
        &["kmalloc-768", "each kept by objects in use"],
    );
    assert!(page.contains("1 thread, 1 node\n"), "{page}");
}

#[test]
fn a_map_is_a_picture_with_a_square_for_each_piece() {
    let target = Target::preloaded(&compile("map", &[]), "sleep");
    let path = scratch().join("map.svg");
    let file = path.to_str().expect("UTF-8");
    text(&["map", &target.pid().to_string(), "--output", file]);
    let map = fs::read_to_string(&path).expect("a picture");
    let committed = snapshot(target.pid()).heaps[0].nodes[0].committed_bytes;
    assert!(map.starts_with("<svg") && map.trim_end().ends_with("</svg>"));
    let squares = map.matches("<title>").count();
    assert_eq!(squares as u64, committed.div_ceil(2 << 20));
}

#[test]
fn a_look_leaves_the_targets_memory_as_it_is() {
    let target = Target::preloaded(&compile("untouched", &[]), "sleep");
    let pid = target.pid().to_string();
    let process = procfs::process::Process::new(target.pid()).expect("a process");
    let state = || {
        let rollup = process
            .smaps_rollup()
            .expect("a rollup")
            .memory_map_rollup
            .0;
        // Not what is dirty: of a library that was built a moment ago that is more when other programs with it end.
        let memory = ["Rss", "Anonymous"].map(|name| rollup[0].extension.map[name]);
        (memory, process.stat().expect("a state").minflt)
    };
    let before = state();
    let path = scratch().join("untouched.svg");
    let file = path.to_str().expect("UTF-8");
    for arguments in [
        &["show", &pid][..],
        &["show", "--json", &pid],
        &["slabinfo", &pid],
        &["pagetypeinfo", &pid],
        &["threads", &pid],
        &["check", &pid],
        &["map", &pid, "-o", file],
    ] {
        text(arguments);
    }
    assert_eq!(before, state());
}

#[test]
fn a_process_that_ends_meanwhile_is_a_page_or_one_line() {
    let program = compile("ends", &[]);
    for delay in [0, 1, 2, 4, 8, 16] {
        let target = Target::preloaded(&program, "loop");
        let pid = target.pid().to_string();
        let ends = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(delay));
            drop(target);
        });
        for command in ["show", "check", "map", "threads", "show"] {
            let output = slubctl(&[command, &pid]);
            let errors = String::from_utf8(output.stderr).expect("UTF-8");
            assert!(
                output.status.code().is_some_and(|code| code < 2),
                "{errors}"
            );
            assert_eq!(
                errors.lines().count(),
                usize::from(!output.status.success())
            );
            assert!(!errors.contains("damaged"), "{errors}");
        }
        ends.join().expect("a thread");
    }
}

#[test]
fn a_heap_that_moves_is_shown_as_far_as_it_can_be() {
    let target = Target::preloaded(&compile("moves", &[]), "churn");
    let pid = target.pid().to_string();
    for _ in 0..20 {
        let it = snapshot(target.pid());
        let heap = &it.heaps[0];
        assert_eq!(heap.threads, 4);
        // These nobody touches.
        for size in [192, 768, 1280, 5120] {
            let mut classes = heap.classes.iter();
            let class = classes.find(|it| it.size == size).expect("a class");
            let known = support::IN_USE
                .iter()
                .find(|it| it.0 == size)
                .expect("a count")
                .1;
            assert!(class.in_use >= known, "{size}: {}", class.in_use);
        }
        text(&["check", &pid]);
        text(&["threads", &pid]);
    }
    let page = text(&["show", &pid]);
    assert!(page.contains("kmalloc-5120"), "{page}");
}

#[test]
fn a_program_that_was_stopped_in_the_middle_of_calls_is_shown_exactly() {
    let target = Target::preloaded(&compile("stopped", &[]), "churn");
    let pid = target.pid().to_string();
    let signal = |name: &str| {
        let kill = Command::new("kill").args([name, &pid]).status();
        assert!(kill.expect("kill").success());
    };
    let is_stopped = || {
        let tasks = procfs::process::Process::new(target.pid()).and_then(|it| it.tasks());
        let mut tasks = tasks.expect("threads");
        tasks.all(|it| it.and_then(|it| it.stat()).is_ok_and(|it| it.state == 'T'))
    };
    for _ in 0..10 {
        signal("-STOP");
        while !is_stopped() {
            std::thread::yield_now();
        }
        let [first, second] = [(); 2].map(|()| snapshot(target.pid()));
        assert!(!first.heaps[0].is_approximate);
        assert_eq!(first, second);
        signal("-CONT");
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
}

#[test]
fn a_list_of_processes_has_what_a_page_says_of_each() {
    let targets = [
        Target::preloaded(&compile("list", &[]), "sleep"),
        Target::start(&mut Command::new(support::compile_named())),
    ];
    // Other processes may be told of.
    let list = String::from_utf8(slubctl(&["ps"]).stdout).expect("UTF-8");
    let mut lines = list.lines();
    assert!(
        lines
            .next()
            .is_some_and(|it| it.contains("HELD") && it.contains("CACHE-NODES"))
    );
    let lines: Vec<_> = lines.collect();
    for target in targets {
        let seen = snapshot(target.pid());
        let pid = target.pid().to_string();
        let own: Vec<_> = lines
            .iter()
            .filter(|line| line.split_whitespace().next() == Some(&pid))
            .collect();
        assert_eq!(own.len(), seen.heaps.len(), "{list}");
        for (line, heap) in own.into_iter().zip(&seen.heaps) {
            let totals = slubctl::totals::Totals::of(heap);
            // Sizes are two words each: a number and its unit.
            let sizes = [
                totals.in_use(),
                totals.cached(),
                totals.free(),
                totals.held(),
            ];
            let sizes = sizes.map(slubctl::view::human).join(" ");
            let words: Vec<_> = line.split_whitespace().collect();
            let line = words.join(" ");
            assert!(
                line.contains(&format!(" {} {sizes} ", heap.release)),
                "{sizes}: {line}"
            );
            let counts = format!(
                " {} {} {} ",
                heap.threads,
                heap.cache_nodes.len(),
                heap.nodes.len()
            );
            assert!(line.contains(&counts), "{counts}: {line}");
        }
    }
}

#[test]
fn a_name_that_would_steer_a_terminal_is_harmless() {
    let program = scratch().join("bad\u{1b}[2Jname");
    fs::copy(compile("name", &[]), &program).expect("a copy");
    let target = Target::preloaded(&program, "sleep");
    let pid = &target.pid().to_string();
    for arguments in [
        &["show", pid][..],
        &["ps"],
        &["threads", pid],
        &["map", pid],
        &["top", "--batch", "-n", "1", pid],
        &["prometheus", pid],
    ] {
        let shown = slubctl(arguments);
        let shown = String::from_utf8(shown.stdout).expect("UTF-8");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        assert!(shown.contains("bad?[2Jname"), "{arguments:?}: {shown}");
    }
}

#[test]
fn what_has_gone_back_inside_of_partial_slabs_is_not_free_memory() {
    let library = built().join("libslubmalloc.so");
    let program = compile_source("sparse.c", "sparse", &[]);
    let target = Target::start(Command::new(program).env("LD_PRELOAD", library));
    let seen = snapshot(target.pid());
    let heap = &seen.heaps[0];
    let class = support::class(&seen, 1024);
    assert!(class.in_partial > 180_000, "{class:?}");
    let resident = class.resident_bytes.expect("a pagemap");
    assert!(resident < 40 << 20, "{resident}");
    let totals = slubctl::totals::Totals::of(heap);
    let sum = heap.resident.as_ref().expect("a pagemap").sum();
    assert!(
        totals.in_partial < resident && totals.free() < sum,
        "{totals:?}"
    );
    assert!(totals.slabs_clean > 150 << 20, "{totals:?}");
    let page = text(&["show", &target.pid().to_string()]);
    let fragmented = page.lines().find(|it| it.starts_with("fragmented: "));
    let in_partial = slubctl::view::human(totals.in_partial);
    assert!(
        fragmented.is_none_or(|it| it.contains(&in_partial)),
        "{page}"
    );
    // Without a look at pages nothing is known of that.
    let page = text(&["show", "--no-resident", &target.pid().to_string()]);
    assert!(!page.contains("in slabs, without memory"), "{page}");
}
