//! What `slubctl` says of programs whose heaps are known, equals what they know.

mod support;

use std::fs;
use std::process::Command;

use support::{
    Target, assert_known, assert_known_but, built, class, compile, compile_named, failure, scratch,
    slubctl, snapshot, text,
};

#[test]
fn a_preloaded_program_that_sleeps_stops_or_loops_is_known() {
    let program = compile("preloaded", &[]);
    for end in ["sleep", "stop", "loop"] {
        let target = Target::preloaded(&program, end);
        assert_known(&snapshot(target.pid()));
    }
}

#[test]
fn a_program_that_hangs_with_a_lock_of_the_allocators_held_is_known() {
    let target = Target::preloaded(&compile("deadlock", &[]), "deadlock");
    let it = snapshot(target.pid());
    let heap = &it.heaps[0];
    assert!(!heap.is_approximate && heap.threads == 3);
    for (size, in_use) in support::IN_USE {
        // A thread's own memory of libc's is among these sizes.
        let known = class(&it, size).in_use;
        assert!((in_use..=in_use + 8).contains(&known), "{size}: {known}");
    }
    assert_eq!(heap.huge.blocks, 2);
    let pid = target.pid().to_string();
    for view in ["show", "slabinfo", "buddyinfo", "vmstat", "threads", "map"] {
        assert!(!text(&[view, &pid]).is_empty());
    }
    // What the thread was changing may contradict itself, and stays so.
    let checked = slubctl(&["check", "--stop", &pid]);
    assert!(matches!(checked.status.code(), Some(0 | 3)), "{checked:?}");
    // Perhaps nobody answers, and nobody waits for ever.
    let asked = slubctl(&["trim", &pid, "--wait", "0.1"]);
    assert!(matches!(asked.status.code(), Some(0 | 3)), "{asked:?}");
}

#[test]
fn a_program_in_another_mount_namespace_is_known() {
    let folder = scratch().join("hidden");
    fs::create_dir_all(&folder).expect("a folder");
    let script = "mount -t tmpfs none \"$1\" && cp \"$2\" \"$1/it.so\" && cp \"$3\" \"$1/known\" && \
        LD_PRELOAD=\"$1/it.so\" exec \"$1/known\" sleep";
    let mut unshare = Command::new("unshare");
    unshare.args(["-m", "sh", "-c", script, "sh"]).arg(&folder);
    unshare
        .arg(built().join("libslubmalloc.so"))
        .arg(compile("namespace", &[]));
    let can_mount = Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "none"])
        .arg(&folder)
        .status();
    if !can_mount.is_ok_and(|it| it.success()) {
        return support::skipped("no mount namespace here");
    }
    let target = Target::start(&mut unshare);
    assert!(!folder.join("it.so").exists());
    assert_known(&snapshot(target.pid()));
}

#[test]
fn cache_nodes_of_several_clusters_of_processors_are_added_up() {
    let program = compile("clusters", &[]);
    let mut command = Command::new(program);
    command.arg("threads").env("SLUBMALLOC_CONF", "clusters:2");
    let target = Target::start(command.env("LD_PRELOAD", built().join("libslubmalloc.so")));
    // A thread's own memory of libc's is among these sizes.
    assert_known_but(&snapshot(target.pid()), 8);
    let checked = text(&["check", &target.pid().to_string()]);
    assert!(checked.contains("the tables agree"), "{checked}");
}

#[test]
fn a_program_that_was_linked_statically_and_stripped_is_known() {
    let archive = built().join("libslubmalloc.a");
    let archive = archive.to_str().expect("UTF-8");
    let program = compile("static", &["-static", "-s", archive]);
    let target = Target::start(&mut Command::new(&program));
    assert_known_but(&snapshot(target.pid()), 4);
    let program = compile("static-pie", &["-static-pie", "-s", archive]);
    let target = Target::start(&mut Command::new(&program));
    assert_known_but(&snapshot(target.pid()), 4);
}

#[test]
fn a_stripped_library_is_known_also_when_its_file_is_gone() {
    let library = scratch().join("stripped.so");
    let strip = |it: &mut Command| assert!(it.status().expect("strip").success());
    strip(
        Command::new("strip")
            .arg("-o")
            .arg(&library)
            .arg(built().join("libslubmalloc.so")),
    );
    let program = compile("stripped", &[]);
    let target = Target::start(Command::new(program).env("LD_PRELOAD", &library));
    fs::remove_file(&library).expect("the library");
    assert_known(&snapshot(target.pid()));
}

#[test]
fn a_rust_program_with_the_global_allocator_is_known() {
    let program = support::example();
    let target = Target::start(&mut Command::new(program));
    assert_eq!(class(&snapshot(target.pid()), 384).in_use, 2000);
    let library = built().join("libslubmalloc.so");
    let target = Target::start(Command::new(program).env("LD_PRELOAD", library));
    let both = snapshot(target.pid());
    // A copy in the program, and one under its libc.
    assert_eq!(both.heaps.len(), 2);
    assert!(
        text(&["show", &target.pid().to_string()])
            .matches("slubmalloc ")
            .count()
            >= 2
    );
}

#[test]
fn each_thread_shows_what_it_has_cached() {
    let target = Target::preloaded(&compile("threads", &[]), "threads");
    let it = snapshot(target.pid());
    assert_eq!(it.heaps[0].threads, 4);
    let class = it.heaps[0]
        .classes
        .iter()
        .position(|it| it.size == 2048)
        .expect("a class") as u64;
    let cached = |cache: &&slubctl::snapshot::Cache| {
        cache
            .objects
            .iter()
            .any(|(id, count)| *id == class && *count >= 50)
    };
    // What does not fit into two sheaves goes to the barn.
    assert!(it.heaps[0].caches.iter().filter(cached).count() <= 3);
    let known = &it.heaps[0].classes[class as usize];
    assert_eq!(known.in_use, 0);
    assert!(known.in_sheaves + known.in_barns > 0);
    let lines = text(&["threads", &target.pid().to_string()]);
    assert_eq!(lines.lines().count(), 5, "{lines}");
    // Each cache is known to be one thread's.
    let tasks = procfs::process::Process::new(target.pid()).and_then(|it| it.tasks());
    let mut threads: Vec<_> = tasks.expect("threads").flatten().map(|it| it.tid).collect();
    let mut owners: Vec<_> = it.heaps[0].caches.iter().map(|it| it.tid).collect();
    threads.sort_unstable();
    owners.sort_unstable();
    assert_eq!(owners, threads);
    assert!(
        threads
            .iter()
            .all(|it| lines.contains(&format!("{it} known-threads "))),
        "{lines}"
    );
}

#[test]
fn named_caches_are_known_by_name() {
    let target = Target::start(&mut Command::new(compile_named()));
    let it = snapshot(target.pid());
    let named = |name: &str| {
        let mut classes = it.heaps[0].classes.iter();
        classes.find(|class| class.name == name).expect("a cache")
    };
    let inode = named("inode_cache");
    assert_eq!((inode.in_use, inode.size), (700, 208));
    assert_eq!(named("dentry").in_use, 50);
    assert_eq!(named("unused").slabs, 0);
    // What was destroyed waits for the end of a grace period.
    assert!(named("(destroyed)").slabs > 0);
    for class in [inode, named("dentry"), named("kmem_store-64")] {
        let cached = class.in_sheaves + class.in_barns;
        let empty = class.empty_slabs * class.slab_objects;
        let all = class.in_use + cached + class.in_partial + empty;
        assert_eq!(all, class.slabs * class.slab_objects, "{class:?}");
    }
    // Nothing of them is taken for large blocks.
    let totals = slubctl::totals::Totals::of(&it.heaps[0]);
    assert_eq!(totals.large, 0);
    let resident = it.heaps[0].resident.as_ref().expect("residents");
    assert!(
        resident.large == 0 && resident.slabs > 200 * 700,
        "{resident:?}"
    );
    let pid = &target.pid().to_string();
    let checked = text(&["check", pid]);
    assert!(checked.contains("the tables agree"), "{checked}");
    for view in [
        &["slabinfo", pid][..],
        &["show", pid],
        &["top", "--batch", "--iterations", "1", pid],
    ] {
        let shown = text(view);
        let line = shown.lines().find(|line| line.contains("inode_cache"));
        assert!(line.is_some() && shown.contains("dentry"), "{shown}");
    }
    let threads = text(&["threads", pid]);
    // The first thread's, and the one that freed all it had.
    assert_eq!(threads.matches(" of inode_cache").count(), 2, "{threads}");
    assert!(text(&["slabinfo", pid]).contains("inode_cache       "));
}

#[test]
fn what_changed_is_what_diff_says() {
    let target = Target::preloaded(&compile("diff", &[]), "sleep");
    let json = text(&["show", "--json", &target.pid().to_string()]);
    let [before, after] = ["before.json", "after.json"].map(|name| scratch().join(name));
    fs::write(&before, &json).expect("a file");
    let mut changed: slubctl::snapshot::Snapshot = serde_json::from_str(&json).expect("JSON");
    let class = changed.heaps[0]
        .classes
        .iter_mut()
        .find(|it| it.size == 768);
    class.expect("a class").in_use += 5;
    let heap = &mut changed.heaps[0];
    heap.resident.as_mut().expect("residents").metadata += 4096;
    heap.births += 1;
    (heap.settings.purge_ms, heap.settings.limit_bytes) = (7, 1 << 30);
    let pool = |address: u64, name: &str, parent| slubctl::snapshot::Pool {
        address,
        name: name.to_owned(),
        parent,
        own_bytes: 1000,
        ..Default::default()
    };
    heap.pools = vec![pool(16, "outer", 0), pool(32, "inner", 16)];
    fs::write(&after, serde_json::to_string(&changed).expect("JSON")).expect("a file");
    let paths = [&before, &after].map(|path| path.to_str().expect("UTF-8"));
    let head = format!(
        "before: {0} (known-diff)\nafter:  {0} (known-diff)\n",
        target.pid()
    );
    let same = slubctl(&["diff", paths[0], paths[0]]);
    assert_eq!(
        String::from_utf8_lossy(&same.stdout),
        head.clone() + "no difference\n"
    );
    let text = text(&["diff", paths[0], paths[1]]);
    assert!(text.starts_with(&head), "{text}");
    for line in [
        "resident: metadata ",
        "resident: all of it ",
        "setting: limit ",
        "setting: purge_ms ",
        "threads that ever had one ",
        "pool outer/inner: own ",
    ] {
        assert!(
            text.lines().any(|it| it.starts_with(line)),
            "{line}: {text}"
        );
    }
    let line = text
        .lines()
        .find(|line| line.starts_with("kmalloc-768: objects in use"));
    let words: Vec<_> = line
        .expect("a line")
        .split_whitespace()
        .rev()
        .take(3)
        .collect();
    assert_eq!(words, ["+5", "705", "700"]);
    changed.command = "other".to_owned();
    fs::write(&after, serde_json::to_string(&changed).expect("JSON")).expect("a file");
    let output = slubctl(&["diff", paths[0], paths[1]]);
    let warning = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && warning.contains("two programs") && warning.contains("(other)"),
        "{warning}"
    );
}

#[test]
fn what_cannot_be_looked_at_is_one_line() {
    assert!(failure(&["show", "2000000000"]).contains("does not exist"));
    let own = std::process::id().to_string();
    assert!(failure(&["slabinfo", &own]).contains("does not use slubmalloc"));
    assert!(failure(&["core", "/dev/null"]).contains("no core file"));
    assert!(failure(&["diff", "/dev/null", "/dev/null"]).contains("no snapshot"));
    assert_eq!(slubctl(&["show", "-1"]).status.code(), Some(2));
}
