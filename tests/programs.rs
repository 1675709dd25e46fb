//! Real programs: whatever they print under the library, they print without it, also while memory is given back
//! all the time.
//!
//! # Invariant
//!
//! Each program's work is deterministic: fixed seeds, dates, hash seeds; so one compare decides.
#![cfg(not(any(miri, loom)))]

#[path = "programs/server.rs"]
mod server;
#[path = "programs/sources.rs"]
mod sources;
mod support;
#[path = "programs/web.rs"]
mod web;

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Finished, Heap, find_tool, libc_allowed, run, scratch, skip_unless};

const PATIENCE: Duration = Duration::from_secs(120);

/// The heaps that every program runs on; the others are compared with the last.
const HEAPS: [Heap; 3] = [Heap::Slubmalloc, Heap::Purging, Heap::Libc];

#[test]
fn python_computes_forks_and_threads() {
    skip_unless!("python3");
    for malloc in ["pymalloc", "malloc"] {
        same_on_all("python3", |command, _| {
            command
                .arg("-c")
                .arg(sources::PYTHON)
                .env("PYTHONHASHSEED", "0")
                .env("PYTHONMALLOC", malloc);
        });
    }
}

#[test]
fn perl_builds_and_sorts() {
    skip_unless!("perl");
    same_on_all("perl", |command, _| {
        command
            .args(["-e", sources::PERL])
            .env("PERL_HASH_SEED", "0");
    });
}

#[test]
fn node_parses_in_worker_threads() {
    skip_unless!("node");
    same_on_all("node", |command, dir| {
        fs::write(dir.join("churn.js"), sources::NODE).expect("a script");
        command.arg("churn.js").current_dir(dir);
    });
}

#[test]
fn java_compiles_and_runs_threads() {
    skip_unless!("java", "javac");
    let dirs = same_on_all("javac", |command, dir| {
        fs::write(dir.join("Churn.java"), sources::JAVA).expect("a source");
        command.arg("Churn.java").current_dir(dir);
    });
    same_files(&dirs, "Churn.class");
    same_on_all("java", |command, dir| {
        fs::copy(dirs[2].join("Churn.class"), dir.join("Churn.class")).expect("javac's work");
        command
            .args(["-Xmx256m", "-XX:-UsePerfData", "Churn"])
            .current_dir(dir);
    });
}

#[test]
fn gcc_makes_the_same_object_file() {
    skip_unless!("g++");
    let dirs = same_on_all("g++", |command, dir| {
        fs::write(dir.join("big.cpp"), sources::generated_cpp()).expect("a source");
        command
            .args(["-std=c++17", "-O2", "-c", "big.cpp", "-o", "big.o"])
            .current_dir(dir);
    });
    same_files(&dirs, "big.o");
}

#[test]
fn rustc_compiles_and_complains_the_same() {
    skip_unless!("rustc");
    let dirs = same_on_all("rustc", |command, dir| {
        fs::write(dir.join("good.rs"), sources::RUST).expect("a source");
        command
            .args([
                "--edition=2021",
                "-O",
                "--crate-type=lib",
                "--emit=obj,metadata",
                "good.rs",
            ])
            .current_dir(dir);
    });
    same_files(&dirs, "good.o");

    let bad = sources::RUST.replace("-> u64 {", "-> String {");
    let ([ours, ..], _) = run_on_all("rustc", |command, dir| {
        fs::write(dir.join("bad.rs"), &bad).expect("a source");
        command
            .args(["--edition=2021", "--crate-type=lib", "bad.rs"])
            .current_dir(dir);
    });
    assert_eq!(ours.status.code(), Some(1), "{}", ours.stderr);
    assert!(ours.stderr.contains("E0308"), "{}", ours.stderr);
}

#[test]
fn sqlite_answers_a_long_script() {
    skip_unless!("sqlite3");
    same_on_all("sqlite3", |command, dir| {
        fs::write(dir.join("script.sql"), sources::generated_sql()).expect("a script");
        command
            .args(["-batch", "new.db", ".read script.sql"])
            .current_dir(dir);
    });
}

#[test]
fn git_makes_the_same_history() {
    skip_unless!("git");
    same_on_all("sh", |command, dir| {
        command
            .args(["-euc", sources::GIT])
            .current_dir(dir)
            .env("HOME", dir)
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "A Name")
                .env(format!("GIT_{role}_EMAIL"), "a@example.org");
        }
    });
}

#[test]
fn tar_and_threaded_xz_make_the_same_bytes() {
    skip_unless!("tar", "xz");
    same_on_all("sh", |command, dir| {
        let files = dir.join("files");
        fs::create_dir_all(&files).expect("a directory");
        for number in 0..40_u64 {
            let words: String = (0..30_000)
                .map(|i| format!("{:x} ", (i * i + number) * 2_654_435_761 % 65_537))
                .collect();
            fs::write(files.join(format!("{number}.txt")), words).expect("a file");
        }
        command.args(["-euc", sources::TAR_AND_XZ]).current_dir(dir);
    });
}

#[test]
fn redis_serves_saves_and_loads_the_others_dump() {
    skip_unless!("redis-server", "redis-cli", "redis-benchmark");
    let digests = [
        (Heap::Slubmalloc, Heap::Libc),
        (Heap::Libc, Heap::Purging),
        (Heap::Purging, Heap::Slubmalloc),
    ]
    .map(|(saver, loader)| {
        let dir = scratch(&format!("redis-{saver:?}"));
        fs::write(dir.join("load"), sources::generated_redis()).expect("a file of commands");
        let redis = server::Redis::start(saver, &dir);
        let mut load = Command::new("sh");
        load.args(["-c", "redis-cli -s redis.sock --pipe < load"])
            .current_dir(&dir);
        let loaded = run(Heap::Libc, &mut load, PATIENCE).succeeded();
        assert!(loaded.stdout.contains("errors: 0"), "{}", loaded.stdout);
        let digest = redis.ask(&["debug", "digest"]);
        redis.saves_in_the_background();

        let mut benchmark = Command::new("redis-benchmark");
        benchmark.args([
            "-s",
            "redis.sock",
            "-q",
            "-n",
            "20000",
            "-c",
            "20",
            "-P",
            "8",
            "-r",
            "5000",
            "-d",
            "300",
        ]);
        benchmark
            .args(["-t", "set,get,incr,lpush,lpop,sadd,hset,zadd,mset"])
            .current_dir(&dir);
        run(saver, &mut benchmark, PATIENCE).succeeded();
        redis.saves_in_the_background();
        redis.ask(&["flushall"]);
        assert_eq!(redis.ask(&["dbsize"]), "0");
        // The dump of before the benchmark is gone by now: load and save again, as one would after a flush.
        run(Heap::Libc, &mut load, PATIENCE).succeeded();
        assert_eq!(redis.ask(&["debug", "digest"]), digest);
        redis.saves_in_the_background();
        drop(redis);

        let other = server::Redis::start(loader, &dir);
        assert_eq!(
            other.ask(&["debug", "digest"]),
            digest,
            "{saver:?}'s dump read by {loader:?}"
        );
        digest
    });
    assert!(
        digests.iter().all(|digest| *digest == digests[0]),
        "{digests:?}"
    );
}

#[test]
fn php_works_with_plug_ins_that_are_bound_deeply() {
    skip_unless!("php");
    for (own_heap, opcache) in [("1", "0"), ("0", "0"), ("0", "1")] {
        same_on_all("php", |command, dir| {
            // By -r, and without the line that only a file needs.
            let source = sources::PHP.trim_start_matches("<?php");
            command
                .args(["-d", &format!("opcache.enable_cli={opcache}"), "-r", source])
                .env("USE_ZEND_ALLOC", own_heap)
                .env("TMPDIR", dir);
        });
    }
}

#[test]
fn php_serves_pages() {
    skip_unless!("php", "ab");
    let pages = HEAPS.map(|heap| {
        let dir = scratch(&format!("php-{heap:?}"));
        let web = web::Web::php(heap, &dir, sources::PHP);
        benchmarked(&web, 150);
        let page = web.page().expect("a page");
        let said = web.ends();
        assert!(!said.contains("slubmalloc:"), "{heap:?}: {said}");
        page
    });
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
}

#[test]
fn apache_serves_pages_of_php() {
    skip_unless!("apache2", "ab");
    if web::php_module().is_none() {
        return support::skipped("no mod_php here");
    }
    let pages = HEAPS.map(|heap| {
        // Children without rights must get through, whatever the repository's owner.
        let dir = std::env::temp_dir().join(format!("slubmalloc-{}-{heap:?}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        let web = web::Web::apache(heap, &dir, sources::PHP);
        benchmarked(&web, 200);
        // Every plug-in is closed and opened again.
        web.restarts();
        benchmarked(&web, 100);
        let page = web.page().expect("a page");
        let said = web.ends();
        for bad in ["slubmalloc:", "exit signal", "free():", "corrupt"] {
            assert!(!said.contains(bad), "{heap:?}: {said}");
        }
        assert!(said.contains("caught SIGTERM"), "{heap:?}: {said}");
        let _ = fs::remove_dir_all(&dir);
        page
    });
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
}

/// Has many clients ask for the page; each must get it.
fn benchmarked(web: &web::Web, requests: usize) {
    let mut benchmark = Command::new("ab");
    benchmark
        .args(["-q", "-l", "-c", "6", "-s", "60", "-n"])
        .args([requests.to_string(), web.address()]);
    let told = run(Heap::Libc, &mut benchmark, PATIENCE).succeeded().stdout;
    let number = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().parse::<usize>().ok())
    };
    assert_eq!(number("Complete requests:"), Some(requests), "{told}");
    assert_eq!(number("Failed requests:"), Some(0), "{told}");
    assert_eq!(number("Non-2xx responses:"), None, "{told}");
}

/// As [`run_on_all`], and all must succeed; returns the directories they worked in.
fn same_on_all(tool: &str, prepare: impl Fn(&mut Command, &Path)) -> [PathBuf; HEAPS.len()] {
    let (runs, dirs) = run_on_all(tool, prepare);
    for run in runs {
        run.succeeded();
    }
    dirs
}

/// Runs a tool on each heap in a fresh directory; all must end alike. `prepare` adds the arguments.
fn run_on_all(
    tool: &str,
    prepare: impl Fn(&mut Command, &Path),
) -> ([Finished; HEAPS.len()], [PathBuf; HEAPS.len()]) {
    preload_reaches(tool);
    let test = std::thread::current().name().unwrap_or(tool).to_owned();
    let dirs = HEAPS.map(|heap| scratch(&format!("{test}-{tool}-{heap:?}")));
    let mut place = 0;
    let runs = HEAPS.map(|heap| {
        let mut command = Command::new(tool);
        prepare(&mut command, &dirs[place]);
        place += 1;
        run(heap, &mut command, PATIENCE)
    });
    let [others @ .., libcs] = &runs;
    for (heap, ours) in HEAPS.iter().zip(others) {
        let all = format!(
            "{tool} on {heap:?}: {}\n{}\nlibc's: {}\n{}",
            ours.status, ours.stderr, libcs.status, libcs.stderr
        );
        assert_eq!(ours.status.code(), libcs.status.code(), "{all}");
        assert_eq!(ours.stderr, libcs.stderr, "{all}");
        assert!(
            ours.raw == libcs.raw,
            "{tool} prints something else on {heap:?}\nours:\n{}\nlibc's:\n{}",
            ours.stdout,
            libcs.stdout
        );
    }
    (runs, dirs)
}

/// What a tool has made in its directory is the same in all.
fn same_files(dirs: &[PathBuf], name: &str) {
    let content = |dir: &PathBuf| fs::read(dir.join(name)).expect("the tool's work");
    let same = dirs.iter().all(|dir| content(dir) == content(&dirs[0]));
    assert!(same, "{name} differs");
}

/// A static tool would pass every comparison: the loader must say that the library is among its objects.
fn preload_reaches(tool: &str) {
    let path = find_tool(tool).expect("the test has looked for it");
    let loaded = run(
        Heap::Slubmalloc,
        Command::new(path).env("LD_TRACE_LOADED_OBJECTS", "1"),
        PATIENCE,
    );
    assert!(
        libc_allowed() || loaded.stdout.contains("libslubmalloc"),
        "{tool} does not load the library: {}",
        loaded.stdout
    );
}
