//! What is resident: the sum of what `show` names is what the kernel says of the same mappings.

mod support;

use std::process::Command;

use slubctl::read::{self, Depth};
use support::{Target, built, compile, compile_source};

/// Resident bytes of our mappings by `/proc/PID/smaps`: of what lies in a node's reservation, or is a huge block's mapping.
/// Mappings of ours and of others' that the kernel has made one are none of the sum; their bytes of ours come second.
fn resident_by_kernel(pid: i32, heap: &slubctl::snapshot::Heap) -> (u64, u64) {
    let maps = procfs::process::Process::new(pid)
        .and_then(|it| it.smaps())
        .expect("smaps");
    let nodes = heap
        .nodes
        .iter()
        .map(|it| it.start..it.base + it.reserved_bytes);
    let extents = heap.huge.extents.iter();
    let ours: Vec<_> = nodes
        .chain(extents.map(|it| it.start..it.start + it.bytes))
        .collect();
    let (mut resident, mut shared) = (0, 0);
    for it in &maps.0 {
        let (start, end) = it.address;
        let covered = ours
            .iter()
            .map(|range| range.end.min(end).saturating_sub(range.start.max(start)));
        match covered.sum::<u64>() {
            0 => {}
            covered if covered == end - start => {
                resident += it.extension.map.get("Rss").copied().unwrap_or_default();
            }
            covered => shared += covered,
        }
    }
    (resident, shared)
}

#[test]
fn what_is_named_is_what_is_resident() {
    let program = compile("resident", &[]);
    let mut targets: Vec<_> = ["sleep", "threads"]
        .map(|end| Target::preloaded(&program, end))
        .into_iter()
        .collect();
    let library = built().join("libslubmalloc.so");
    targets.push(Target::start(&mut Command::new(support::example())));
    let python =
        "x = [str(i) * 9 for i in range(100000)]; del x[::3]; print('ready', flush=True); input()";
    let perl = "$| = 1; @x = map { 'x' x ($_ % 500) } 1 .. 50000; print \"ready\\n\"; <STDIN>";
    for (program, option, text) in [("python3", "-c", python), ("perl", "-e", perl)] {
        let mut command = Command::new(program);
        command.args([option, text]).env("LD_PRELOAD", &library);
        targets.push(Target::start(command.stdin(std::process::Stdio::piped())));
    }
    for target in targets {
        let it = slubctl::read::process(target.pid(), slubctl::read::Depth::Resident);
        let it = it.expect("a snapshot");
        let heap = &it.heaps[0];
        let resident = heap.resident.as_ref().expect("what is resident");
        let named = resident.sum();
        let (kernel, shared) = resident_by_kernel(target.pid(), heap);
        assert_eq!(
            shared, 0,
            "the kernel has made mappings of ours and of others' one"
        );
        let difference = named.abs_diff(kernel);
        assert!(
            difference * 50 <= kernel,
            "{named} named, {kernel} resident"
        );
    }
}

/// The sum of a field of smaps over what lies in huge blocks.
fn of_huge_blocks(pid: i32, heap: &slubctl::snapshot::Heap, field: &str) -> u64 {
    let maps = procfs::process::Process::new(pid).and_then(|it| it.smaps());
    let is_ours = |it: &&procfs::process::MemoryMap| {
        let mut extents = heap.huge.extents.iter();
        extents.any(|extent| (it.address.0..it.address.1).contains(&extent.start))
    };
    let maps = maps.expect("smaps").0;
    let ours = maps.iter().filter(is_ours);
    ours.map(|it| it.extension.map.get(field).copied().unwrap_or_default())
        .sum()
}

#[test]
fn what_was_only_read_or_swapped_out_is_not_resident() {
    let program = compile_source("zeroes.c", "zeroes", &[]);
    let library = built().join("libslubmalloc.so");
    let target = Target::start(Command::new(program).env("LD_PRELOAD", library));
    let it = read::process(target.pid(), Depth::Resident).expect("a snapshot");
    let heap = &it.heaps[0];
    assert_eq!(heap.huge.blocks, 3);
    let resident = heap.resident.as_ref().expect("what is resident");
    // The block that was only read has nothing: 64 MiB of the others would be 104.
    assert!(resident.huge + resident.swapped >= 40 << 20, "{resident:?}");
    assert!(resident.sum() < 60 << 20, "{resident:?}");
    let of_kernel = |field: &str| of_huge_blocks(target.pid(), heap, field);
    let by_kernel = of_kernel("Rss");
    assert!(
        resident.huge.abs_diff(by_kernel) * 50 <= by_kernel,
        "{resident:?}: {by_kernel}"
    );
    let swapped = of_kernel("Swap");
    assert!(
        resident.swapped.abs_diff(swapped) * 50 <= swapped,
        "{resident:?}: {swapped}"
    );
    let shown = support::text(&["show", &target.pid().to_string()]);
    assert_eq!(shown.contains("\nswapped "), swapped > 0, "{shown}");
}
