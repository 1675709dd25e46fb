//! Formats: what is written is what was read, and other programs read it.

use std::fs;
use std::process::Command;

use slubctl::memory::Bytes;
use slubctl::profile::{self, Amount, Label, Names, Profile, Trace, Values};

use crate::made::{IMAGE, Made};
use crate::reader::known;
use crate::support::{scratch, skipped};

fn profile_of(made: &Made) -> (Profile, Vec<Trace>) {
    let memory: Bytes = made.memory();
    let profile = profile::of_target(&memory, Some(4_000), "it").expect("a profile");
    let traces = profile::traces(&profile, &Names::default());
    (profile, traces)
}

/// Known stacks in a module: two of a function each, of which the outer is the same.
fn in_module() -> Made {
    let mut made = known();
    for stack in &mut made.stacks {
        for frame in &mut stack.frames {
            // As of a program: what is in the library is left out.
            *frame += IMAGE + 0x1_0000;
        }
    }
    made
}

#[test]
fn what_pprof_gets_is_read_again_with_the_same_stacks_and_numbers() {
    let (profile, traces) = profile_of(&known());
    for values in [Values::Live, Values::Peak] {
        let file = profile::pprof(&profile, &Names::default(), values, "a test").expect("a file");
        assert!(file.starts_with(&[0x1f, 0x8b]));
        let stored = profile::stored(file.as_slice()).expect("a profile");
        assert_eq!(stored.rate, 512 << 10);
        assert!(stored.time_nanos > 1_000_000_000);
        assert_eq!(stored.traces.len(), traces.len());
        for (read, written) in stored.traces.iter().zip(&traces) {
            assert_eq!((read.live, read.all), (written.live, written.all));
            assert_eq!(read.label, written.label);
            assert_eq!(read.frames.len(), written.frames.len());
            let peak = match values {
                // Whole blocks.
                Values::Peak => Amount {
                    count: written.peak.count.round(),
                    ..written.peak
                },
                _ => Amount::default(),
            };
            assert_eq!(read.peak, peak);
        }
    }
}

#[test]
fn a_file_that_is_no_heap_profile_is_an_error_of_one_line() {
    for bytes in [&b"text"[..], &[0x1f, 0x8b, 0, 0], &[]] {
        let error = profile::stored(bytes).expect_err("an error");
        assert_eq!(format!("{error:#}").lines().count(), 1);
    }
}

#[test]
fn folded_stacks_begin_with_the_outermost_function_and_end_with_the_owner() {
    let (_, traces) = profile_of(&known());
    assert_eq!(
        profile::folded(&traces, Values::Live),
        "0x1001;[cache inode_cache] 128\n0x1001;[pool request] 64\n0x2001;0x1001 640\n0x3001 320\n"
    );
    let peak = profile::folded(&traces, Values::Peak);
    assert!(peak.contains("0x2001;0x1001 1312\n"), "{peak}");
}

#[test]
fn the_flame_graph_has_all_functions_and_stands_without_samples_too() {
    let (_, traces) = profile_of(&known());
    let picture = profile::flame_graph(&traces, Values::Live, "a <test>", "notes");
    let picture = picture.expect("a picture");
    for words in [
        "0x2001",
        "[pool request]",
        "a &lt;test&gt;",
        "notes",
        "</svg>",
    ] {
        assert!(picture.contains(words), "{words}");
    }
    let empty = profile::flame_graph(&[], Values::Live, "a test", "").expect("a picture");
    assert!(empty.contains("nothing was sampled"));
}

#[test]
fn the_table_has_sites_stacks_and_lifetimes_the_largest_first() {
    let (profile, traces) = profile_of(&known());
    let text = profile::text(&profile, &traces, Values::Live, "heap profile of a test");
    let expected = "\
# heap profile of a test
# 1.1 KiB in 18 blocks in use: estimates of what was allocated while it was sampled, one block for 512.0 KiB in the mean
# 3 samples had no room in the tables and are in no number
# 4 stacks had no room in the tables and are [unknown]
#
#         bytes      calls function file:line
            640         10 0x1001
            320          5 0x3001
            128          2 0x1001 [cache inode_cache]
             64          1 0x1001 [pool request]

# stacks, the largest first
            640         10
                           0x1001
                           0x2001
            320          5
                           0x3001
            128          2 [cache inode_cache]
                           0x1001
             64          1 [pool request]
                           0x1001

# freed blocks by age
         < 1 ms          0
         < 2 ms          2
         < 4 ms          1
";
    assert_eq!(text, expected);
}

#[test]
fn the_site_is_the_first_call_that_is_no_allocators_or_containers() {
    let location = |function: &str| profile::Location {
        function: function.to_owned(),
        file: format!("{function}.c"),
        line: 3,
    };
    let site = |frames: &[&str]| {
        let trace = Trace {
            frames: frames.iter().map(|it| location(it)).collect(),
            label: Some(Label::Pool("a".to_owned())),
            ..Trace::default()
        };
        trace.title()
    };
    for frames in [
        &[
            "malloc",
            "operator new",
            "std::vector<int>::push_back",
            "fill",
            "main",
        ][..],
        // Inlined functions without the names of what they are in.
        &[
            "slubmalloc::sample",
            "alloc",
            "__rustc::__rust_alloc",
            "alloc::vec::from_iter",
            "fill",
        ],
    ] {
        assert_eq!(site(frames), "fill at fill.c:3 [pool a]");
    }
    assert_eq!(site(&["malloc"]), "malloc at malloc.c:3 [pool a]");
    let inlined = profile::Location {
        file: "/rustc/0123/library/alloc/src/boxed.rs".to_owned(),
        ..location("new<[u8; 384]>")
    };
    let trace = Trace {
        frames: vec![inlined, location("fill")],
        ..Trace::default()
    };
    assert_eq!(trace.site().function, "fill");
}

/// Go's own pprof reads the file, and its sums are those of the tables.
#[test]
fn go_reads_the_file() {
    let (profile, _) = profile_of(&in_module());
    let path = scratch().join("go.pb.gz");
    let file = profile::pprof(&profile, &Names::default(), Values::Live, "a test");
    fs::write(&path, file.expect("a file")).expect("a file");
    let go = |arguments: &[&str]| {
        let mut command = Command::new("go");
        command
            .args(["tool", "pprof", "-symbolize=none"])
            .args(arguments);
        let output = command
            .arg(&path)
            .env("PPROF_TMPDIR", scratch())
            .output()
            .ok()?;
        assert!(output.status.success(), "{output:?}");
        Some(String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let Some(raw) = go(&["-raw"]) else {
        return skipped("no go (Debian package golang-go)");
    };
    for words in [
        "PeriodType: space bytes",
        "Period: 524288",
        "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes[dflt]",
        "         30       1920         10        640: ",
        "cache:[inode_cache]",
        "pool:[request]",
        "/usr/lib/libslubmalloc.so",
    ] {
        assert!(raw.contains(words), "{words}: {raw}");
    }
    let top = go(&["-top", "-unit=B", "-sample_index=alloc_space"]).expect("a table");
    assert!(top.contains("of 3456B total"), "{top}");
}
