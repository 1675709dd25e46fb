//! The kernel's formats, read by parsers that follow the kernel's own `printf` formats.

mod support;

use support::{IN_USE, Target, compile, text};

/// Splits off what a `%<width>` conversion wrote: `width` characters, or more where the value is longer, up to a blank.
fn field<'t>(text: &mut &'t str, width: usize) -> &'t str {
    let blanks = text.len() - text.trim_start().len();
    let digits = text[blanks..].find(' ').unwrap_or(text.len() - blanks);
    let end = blanks + digits;
    assert!(
        end == width || end > width && blanks == 0,
        "{width} characters: {text:?}"
    );
    let (found, rest) = text.split_at(end);
    *text = rest;
    found.trim_start()
}

fn literal(text: &mut &str, wanted: &str) {
    *text = text
        .strip_prefix(wanted)
        .unwrap_or_else(|| panic!("{wanted:?} in {text:?}"));
}

fn number(text: &mut &str, width: usize) -> u64 {
    field(text, width).parse().expect("a number")
}

#[test]
fn slabinfo_has_the_kernels_format() {
    let target = Target::preloaded(&compile("slabinfo", &[]), "sleep");
    let all = text(&["slabinfo", &target.pid().to_string()]);
    let mut lines = all.lines();
    assert_eq!(lines.next(), Some("slabinfo - version: 2.1"));
    let head = "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>";
    assert_eq!(lines.next(), Some(head));
    let mut sizes = Vec::new();
    for mut line in lines {
        // "%-17s %6lu %6lu %6u %4u %4d : tunables %4u %4u %4u : slabdata %6lu %6lu %6lu"
        let name = line[..17].trim_end();
        line = &line[17..];
        let mut next = |width| {
            literal(&mut line, " ");
            number(&mut line, width)
        };
        let [active, objects, size, per_slab, pages] = [6, 6, 6, 4, 4].map(&mut next);
        literal(&mut line, " : tunables");
        let mut next = |width| {
            literal(&mut line, " ");
            number(&mut line, width)
        };
        assert_eq!([4, 4, 4].map(&mut next), [0; 3]);
        literal(&mut line, " : slabdata");
        let mut next = |width| {
            literal(&mut line, " ");
            number(&mut line, width)
        };
        let [active_slabs, slabs, shared] = [6, 6, 6].map(&mut next);
        assert_eq!((line, shared), ("", 0));
        assert_eq!(name, format!("kmalloc-{size}"));
        assert!(active <= objects && active_slabs == slabs);
        assert_eq!(objects, slabs * per_slab);
        assert!(per_slab * size <= pages * 4096);
        let known = IN_USE.iter().find(|it| it.0 == size);
        assert!(known.is_none_or(|it| active >= it.1), "{line}");
        sizes.push(size);
    }
    assert!(IN_USE.iter().all(|it| sizes.contains(&it.0)), "{sizes:?}");
}

#[test]
fn buddyinfo_and_extfrag_have_the_kernels_format() {
    let target = Target::preloaded(&compile("buddyinfo", &[]), "sleep");
    let pid = target.pid().to_string();
    for mut line in text(&["buddyinfo", &pid]).lines() {
        literal(&mut line, "Node 0, zone   Normal ");
        for _ in 0..=10 {
            number(&mut line, 6);
            literal(&mut line, " ");
        }
        assert_eq!(line, "");
    }
    for line in text(&["extfrag", &pid]).lines() {
        let values = line.strip_prefix("Node 0, zone   Normal ").expect("a node");
        let values: Vec<f64> = values.split(' ').filter_map(|it| it.parse().ok()).collect();
        assert_eq!(values.len(), 11);
        assert!(values.is_sorted() && values.iter().all(|it| (0.0..=1.0).contains(it)));
    }
}

#[test]
fn pagetypeinfo_has_the_kernels_format() {
    let target = Target::preloaded(&compile("pagetypeinfo", &[]), "sleep");
    let pid = target.pid().to_string();
    let all = text(&["pagetypeinfo", &pid]);
    let mut lines = all.lines();
    assert_eq!(lines.next(), Some("Page block order: 10"));
    assert_eq!(lines.next(), Some("Pages per block:  1024"));
    assert_eq!(lines.next(), Some(""));
    let mut line = lines.next().expect("a head");
    literal(&mut line, "Free pages count per migrate type at order  ");
    assert_eq!(
        (0..11)
            .map(|_| {
                let it = number(&mut line, 6);
                literal(&mut line, " ");
                it
            })
            .sum::<u64>(),
        55
    );
    let mut columns = [0; 11];
    for kind in ["Unmovable", "Movable", "Reclaimable"] {
        let mut line = lines.next().expect("a row");
        literal(
            &mut line,
            &format!("Node    0, zone   Normal, type {kind:>12} "),
        );
        for column in &mut columns {
            *column += number(&mut line, 6);
            literal(&mut line, " ");
        }
    }
    let buddyinfo = text(&["buddyinfo", &pid]);
    let sums: Vec<u64> = buddyinfo
        .split_whitespace()
        .filter_map(|it| it.parse().ok())
        .collect();
    assert_eq!(sums, columns);
    assert_eq!(lines.next(), Some(""));
    assert_eq!(
        lines.next(),
        Some("Number of blocks type     Unmovable      Movable  Reclaimable ")
    );
    assert!(
        lines
            .next()
            .expect("a row")
            .starts_with("Node 0, zone   Normal ")
    );
}

#[test]
fn numastat_and_vmstat_have_a_value_for_each_name() {
    let target = Target::preloaded(&compile("numastat", &[]), "sleep");
    let pid = target.pid().to_string();
    let all = text(&["numastat", &pid]);
    let mut lines = all.lines();
    assert_eq!(
        lines.next(),
        Some(format!("{:16}{:>16}", "", "node0").as_str())
    );
    for name in [
        "numa_hit",
        "numa_miss",
        "numa_foreign",
        "interleave_hit",
        "local_node",
        "other_node",
    ] {
        let line = lines.next().expect("a row");
        assert_eq!(line.len(), 32);
        assert_eq!(line[..16].trim_end(), name);
    }
    for line in text(&["vmstat", &pid]).lines() {
        let (_, value) = line.split_once(' ').expect("a name and a value");
        value.parse::<u64>().expect("a number");
    }
}

#[test]
fn slabtop_reads_slabinfo_and_top_adds_up_as_it_does() {
    let target = Target::preloaded(&compile("slabtop", &[]), "sleep");
    let pid = target.pid().to_string();
    let file = support::scratch().join("slabinfo");
    std::fs::write(&file, text(&["slabinfo", &pid])).expect("a file");
    // In a mount namespace of its own the file stands in for the kernel's.
    let mut shell = std::process::Command::new("unshare");
    shell.args([
        "-m",
        "sh",
        "-c",
        "mount --bind \"$1\" /proc/slabinfo && exec slabtop -o",
        "sh",
    ]);
    let Ok(output) = shell.arg(&file).output() else {
        return support::skipped("no unshare here");
    };
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return support::skipped(&format!("no slabtop, or no mount namespace here: {errors}"));
    }
    let theirs = String::from_utf8(output.stdout).expect("UTF-8");
    let ours = text(&["top", "--batch", "-n", "1", &pid]);
    let ours: Vec<_> = ours.lines().skip(1).take(5).map(str::trim_end).collect();
    let head: Vec<_> = theirs.lines().take(5).map(str::trim_end).collect();
    assert_eq!(head, ours);
    for (size, in_use) in IN_USE {
        let name = format!("kmalloc-{size}");
        let line = theirs
            .lines()
            .find(|line| line.trim_end().ends_with(&name))
            .expect("a row");
        let active = line
            .split_whitespace()
            .nth(1)
            .and_then(|it| it.parse::<u64>().ok());
        assert!(active.is_some_and(|it| it >= in_use), "{line}");
    }
}

#[test]
fn completions_and_the_man_page_name_every_command() {
    let help = text(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() >= 15, "{help}");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("slubctl.1");
    let man = std::fs::read_to_string(path).expect("the man page");
    let completions = text(&["completions", "bash"]);
    for command in commands {
        let starts = |line: &str| {
            let words = line.strip_prefix(".B").unwrap_or_default();
            let words = words.trim_start_matches(['I', 'R']).trim_start();
            words.split([' ', '"']).find(|it| !it.is_empty()) == Some(command)
        };
        assert!(man.lines().any(starts), "{command} is not in the man page");
        assert!(completions.contains(command), "{command} has no completion");
    }
}

#[test]
fn completions_say_in_one_line_that_a_disk_is_full_and_nothing_to_a_closed_pipe() {
    use std::process::{Command, Stdio};
    let full = std::fs::File::options().write(true).open("/dev/full");
    let (reader, closed) = std::io::pipe().expect("a pipe");
    drop(reader);
    let outputs = [Stdio::from(full.expect("/dev/full")), Stdio::from(closed)];
    for (output, code) in outputs.into_iter().zip([1, 0]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slubctl"));
        command.args(["completions", "bash"]).stdout(output);
        let ended = command.output().expect("slubctl");
        let errors = String::from_utf8(ended.stderr).expect("UTF-8");
        assert_eq!(ended.status.code(), Some(code), "{errors}");
        assert_eq!(errors.lines().count(), code as usize, "{errors}");
    }
}

#[test]
fn json_has_names_for_all_and_null_for_no_limit() {
    let mut command = std::process::Command::new(support::compile_linked("pools.c", "json"));
    command.env("SLUBMALLOC_CONF", "limit:off");
    let target = Target::start(&mut command);
    let json = text(&["show", "--json", &target.pid().to_string()]);
    let all: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let heap = &all["heaps"][0];
    assert!(heap["settings"]["limit_bytes"].is_null(), "{json}");
    assert!(heap["settings"]["has_purge_thread"].is_boolean());
    let pools = heap["pools"].as_array().expect("pools");
    let limits = pools.iter().map(|it| &it["limit_bytes"]);
    assert_eq!(limits.filter(|it| it.is_null()).count(), 2);
    let classes = heap["classes"].as_array().expect("classes");
    let is_whole = |it: &&serde_json::Value| {
        let name = it["name"].as_str();
        name.is_some_and(|it| !it.is_empty()) && it["size"].as_u64() > Some(0)
    };
    assert_eq!(classes.iter().filter(is_whole).count(), classes.len());
    let node = &heap["nodes"][0];
    assert!(node["numastat"]["numa_hit"].is_u64(), "{node}");
    assert!(node["pageblocks"]["reclaimable"].is_u64(), "{node}");
    assert!(node["free_blocks"]["movable"].is_array(), "{node}");
    // What objects are of is a class that is listed.
    let ids: Vec<_> = classes.iter().map(|it| &it["id"]).collect();
    let cache = &heap["caches"][0];
    for count in cache["objects"].as_array().expect("objects") {
        assert!(
            ids.contains(&&count["class"]) && count["objects"].is_u64(),
            "{count}"
        );
    }
    // And what was written is read again as it was.
    let read: slubctl::snapshot::Snapshot = serde_json::from_str(&json).expect("a snapshot");
    let written = serde_json::to_string_pretty(&read).expect("JSON");
    assert_eq!(written + "\n", json);
}

/// A process with an arena of node 0, one more that is spread over nodes and has that number, and a full node 1.
fn spread() -> slubctl::snapshot::Snapshot {
    use slubctl::snapshot::{Heap, Node, Snapshot};
    let node = |id, movable: u64| Node {
        id,
        committed_bytes: 1 << 30,
        used_bytes: 1 << 29,
        free_blocks: vec![vec![movable, 0], vec![movable * 2, 0], vec![movable * 3, 0]],
        pageblocks: vec![5, 6, 7],
        numastat: vec![100, 10, 1, 0, 100, 0],
        ..Node::default()
    };
    let heap = Heap {
        is_made: true,
        nodes: vec![node(0, 1), node(1, 0), node(0, 1)],
        ..Heap::default()
    };
    Snapshot {
        heaps: vec![heap],
        ..Snapshot::default()
    }
}

#[test]
fn kinds_of_pageblocks_are_in_the_kernels_order_and_a_full_node_has_nothing_usable() {
    let snapshot = spread();
    let all = slubctl::view::pagetypeinfo(&snapshot);
    for line in [
        "Node    0, zone   Normal, type    Unmovable      4      0 \n",
        "Node    0, zone   Normal, type      Movable      2      0 \n",
        "Node    0, zone   Normal, type  Reclaimable      6      0 \n",
        "Number of blocks type     Unmovable      Movable  Reclaimable \n\
         Node 0, zone   Normal           12           10           14 \n\
         Node 1, zone   Normal            6            5            7 \n",
    ] {
        assert!(all.contains(line), "{line}: {all}");
    }
    let unusable = "Node 0, zone   Normal 0.000 1.000 \nNode 1, zone   Normal 1.000 1.000 \n";
    assert_eq!(slubctl::view::extfrag(&snapshot), unusable);
}

#[test]
fn a_node_with_a_second_arena_is_one_node_and_counts_once() {
    let snapshot = spread();
    let all = slubctl::view::vmstat(&snapshot);
    assert!(all.contains("numa_hit 200\nnuma_miss 20\n"), "{all}");
    let rows = slubctl::view::top::nodes(&snapshot);
    let words = |row: &String| {
        row.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let [zero, one] = [words(&rows[0]), words(&rows[1])];
    assert_eq!(rows.len(), 2);
    assert_eq!(zero[..3], ["0", "2.0", "GiB"]);
    assert_eq!(zero[zero.len() - 3..], ["100", "10", "1"]);
    assert_eq!(one[..3], ["1", "1.0", "GiB"]);
    assert!(rows[1].contains(" 100.0%"), "{}", rows[1]);
}
