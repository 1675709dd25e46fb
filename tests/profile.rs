//! The heap profile: its estimates beside exact counts, and what it does while it is switched on and off under way.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::{
    Finished, Heap, compile, compile_with_header, libc_allowed, linked_to, run, scratch, skipped,
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Blocks and bytes in use, and of all time, with the frames that allocated them.
#[derive(Debug)]
struct Stack {
    numbers: [f64; 4],
    frames: Vec<u64>,
}

/// A profile as `slubmalloc_profile_dump` writes it: the sums first.
fn profile(text: &str) -> Vec<Stack> {
    let end = text.find("\nMAPPED_LIBRARIES:\n").expect("mappings");
    let lines = text[..end].lines().filter(|line| !line.is_empty());
    let stacks = lines.map(|line| {
        let line = line.strip_prefix("heap profile: ").unwrap_or(line);
        let (numbers, frames) = line.split_once(" @").expect("frames");
        let numbers: Vec<f64> = numbers
            .split([':', ' ', '[', ']'])
            .filter_map(|it| it.parse().ok())
            .collect();
        let frames = frames.split(' ').filter_map(|it| it.strip_prefix("0x"));
        Stack {
            numbers: numbers.try_into().expect("four numbers"),
            frames: frames
                .map(|it| u64::from_str_radix(it, 16).expect("an address"))
                .collect(),
        }
    });
    stacks.collect()
}

fn read(file: &Path) -> Vec<Stack> {
    profile(&fs::read_to_string(file).expect("a profile"))
}

/// Compares what `estimates.c` has counted with what the profile says; `error` is five standard deviations or more.
fn is_near(what: &str, rate: u32, error: f64) {
    let file = scratch("estimates").join(format!("{what}.heap"));
    let mut command = Command::new(program("estimates"));
    command.args([what, &rate.to_string()]).arg(&file);
    let finished = run(Heap::Libc, &mut command, PATIENCE).succeeded();
    let stacks = read(&file);
    let sums = &stacks[0].numbers;
    for line in finished.stdout.lines() {
        let mut words = line.split(' ');
        let (bytes, blocks) = match words.next().expect("a word") {
            "live" => (sums[1], sums[0]),
            "all" => (sums[3], sums[2]),
            _ => {
                let mut bound = || {
                    let word = words.next().expect("a bound").trim_start_matches("0x");
                    u64::from_str_radix(word, 16).expect("an address")
                };
                let range = bound()..bound();
                let is_in = |it: &&Stack| it.frames.iter().any(|frame| range.contains(frame));
                let of: Vec<&Stack> = stacks[1..].iter().filter(is_in).collect();
                let sum = |place: usize| of.iter().map(|it| it.numbers[place]).sum::<f64>();
                (sum(1), sum(0))
            }
        };
        let right: Vec<f64> = words.map(|it| it.parse().expect("a number")).collect();
        assert!(right.len() == 2, "{finished:?}");
        for (estimate, right) in [(bytes, right[0]), (blocks, right[1])] {
            // Blocks of all sizes are as many as the smallest are, and of those there are few samples.
            let is_count_of_sizes = what == "sizes" && right == blocks;
            let near = (estimate - right).abs() <= right * error + 1.0;
            assert!(
                near || is_count_of_sizes,
                "{what}, {line}: {estimate} for {right}"
            );
        }
    }
}

#[test]
fn a_pair_in_a_loop_is_sampled_in_proportion() {
    // 125,000 samples: 0.28 % is one standard deviation.
    is_near("pairs", 1024, 0.02);
}

#[test]
fn a_leak_beside_deep_bursts_is_sampled_in_proportion() {
    // 8,000,000 bytes leak: 31,250 samples.
    is_near("bursts", 256, 0.04);
}

#[test]
fn blocks_of_all_sizes_are_sampled_in_proportion() {
    // 4,096 samples or more of each size.
    is_near("sizes", 16 << 10, 0.05);
}

#[test]
fn what_grows_by_realloc_has_its_length() {
    is_near("growth", 2048, 0.02);
}

/// Each sample ends once, in its own `free`: nothing is left in the end.
#[test]
fn nothing_is_lost_while_it_is_switched_on_and_off_among_threads_and_forks() {
    let file = scratch("storm").join("storm.heap");
    let mut command = Command::new(program("storm"));
    command.arg("1000").arg(&file);
    run(Heap::Libc, &mut command, PATIENCE).succeeded();
    let stacks = read(&file);
    // What the C library and the loader keep is some small blocks.
    let [blocks, bytes, all_blocks, _] = stacks[0].numbers;
    assert!(all_blocks > 10_000.0, "{all_blocks}");
    let is_theirs = |stack: &Stack| stack.numbers[0] == 0.0 || stack.numbers[1] < 100_000.0;
    assert!(
        stacks.iter().all(is_theirs),
        "{blocks} blocks, {bytes} bytes"
    );
    assert!(bytes < 200_000.0, "{blocks} blocks, {bytes} bytes");
}

#[test]
fn a_profile_is_written_when_the_program_ends_for_its_owner_to_read() {
    if libc_allowed() {
        return skipped("on libc: there is no profile");
    }
    let folder = scratch("at-exit");
    let conf = format!(
        "profile:exit={}/%n.%p.heap,profile_rate:1",
        folder.display()
    );
    let finished = count(&conf);
    assert_eq!(finished.stderr, "");
    let file = fs::read_dir(&folder)
        .expect("a folder")
        .next()
        .expect("a file");
    let path = file.expect("a file").path();
    let name = path.file_name().and_then(|it| it.to_str()).expect("a name");
    assert!(name.contains("closes") && name.ends_with(".heap"), "{name}");
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(read(&path).len() > 1);
}

#[test]
fn a_debug_mode_and_a_profile_are_not_on_at_once() {
    if libc_allowed() {
        return skipped("on libc: there is no profile");
    }
    let finished = count("profile:on,slab_debug:FZ");
    let line = "no heap profile: no memory for it, or a debug mode is on";
    assert!(finished.stderr.contains(line), "{finished:?}");
}

fn count(conf: &str) -> Finished {
    let mut command = Command::new(compile("c/closes.c", &[]));
    command.arg("count").env("SLUBMALLOC_CONF", conf);
    run(Heap::Slubmalloc, &mut command, PATIENCE).succeeded()
}

fn program(name: &str) -> std::path::PathBuf {
    compile_with_header(&format!("profile/{name}.c"), &linked_to())
}
