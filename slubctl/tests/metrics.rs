//! Metrics: what they say, a parser that was not written here, the server, and the dashboard.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use support::{Target, compile, scratch, slubctl, text};

#[test]
fn metrics_are_complete_lines_of_openmetrics() {
    let target = Target::preloaded(&compile("metrics", &[]), "sleep");
    let all = text(&["prometheus", &target.pid().to_string()]);
    assert!(all.ends_with("# EOF\n"));
    let label = format!("pid=\"{}\"", target.pid());
    for line in all.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once('{').expect("labels");
        let (labels, value) = rest.rsplit_once("} ").expect("a value");
        assert!(
            name.starts_with("slubmalloc_") && labels.contains(&label),
            "{line}"
        );
        value.parse::<u64>().expect("a number");
    }
    let in_use = "class=\"kmalloc-768\",state=\"in_use\"} 700";
    assert!(all.contains(in_use), "{all}");
}

#[test]
fn metrics_are_of_one_several_or_all_processes() {
    let program = compile("several", &[]);
    let [one, other, third] = [(); 3].map(|()| Target::preloaded(&program, "sleep"));
    let [one, other, third] = [&one, &other, &third].map(|it| it.pid().to_string());
    for (pids, known) in [
        (vec![&one], [true, false, false]),
        (vec![&one, &other], [true, true, false]),
        (vec![], [true, true, true]),
    ] {
        let mut arguments = vec!["prometheus"];
        arguments.extend(pids.into_iter().map(String::as_str));
        // Of all: other processes may be told of.
        let output = slubctl(&arguments);
        assert!(output.status.success(), "{output:?}");
        let metrics = String::from_utf8(output.stdout).expect("UTF-8");
        let is_known =
            [&one, &other, &third].map(|pid| metrics.contains(&format!("pid=\"{pid}\"")));
        assert_eq!(is_known, known);
        // Every kind of metric is there once, whatever the number of processes.
        assert_eq!(
            metrics.matches("# TYPE slubmalloc_threads gauge").count(),
            1
        );
    }
    // One that is named twice counts once.
    assert_eq!(
        text(&["prometheus", &one, &other, &one]),
        text(&["prometheus", &one, &other])
    );
}

/// The samples that Python's parser reads, a line each; nothing where there is no such parser.
fn parsed(all: &str, name: &str) -> Option<String> {
    let python = "/usr/bin/python3";
    let module = "import prometheus_client.openmetrics.parser";
    let has_parser = Command::new(python).args(["-c", module]).output();
    if !has_parser.is_ok_and(|it| it.status.success()) {
        support::skipped("no python3-prometheus-client here");
        return None;
    }
    let file = scratch().join(name);
    fs::write(&file, all).expect("a file");
    let parse = "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(open(sys.argv[1]).read()):
    for it in family.samples:
        print(family.name, family.type, family.unit, it.value, *(k + '=' + v for k, v in sorted(it.labels.items())), sep='|')";
    let mut parser = Command::new(python);
    let output = parser.args(["-c", parse]).arg(&file).output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn what_a_program_and_a_cache_are_called_stays_inside_of_their_labels() {
    let target = Target::preloaded(&compile("a\"b\\c", &[]), "sleep");
    let pid = target.pid();
    let mut snapshot = support::snapshot(pid);
    snapshot.command = "a\"b".to_owned();
    let name = "a_b\"c\\\",x=\"\nslubmalloc_threads 7";
    let mut classes = snapshot.heaps[0].classes.iter_mut();
    let class = classes.find(|it| it.size == 768).expect("a class");
    class.name = name.to_owned();
    let process = slubctl::view::Process {
        pid,
        command: snapshot.command.clone(),
        cgroup: "/\\x2d\"\n".to_owned(),
    };
    let all = slubctl::view::prometheus(&[(process, snapshot)]);
    let Some(samples) = parsed(&all, "escaped.txt") else {
        return;
    };
    let labels = format!("|cgroup=/\\x2d\"\n|class={name}|");
    assert!(samples.contains(&labels), "{samples}");
    assert!(samples.contains("|command=a\"b|"), "{samples}");
    let served = parsed(&text(&["prometheus", &pid.to_string()]), "served.txt");
    let command = "|command=metrics-a\"b\\c|";
    assert!(served.is_some_and(|it| it.contains(command)));
}

#[test]
fn metrics_are_read_by_a_parser_that_was_not_written_here() {
    let target = Target::preloaded(&compile("parsed", &[]), "threads");
    let all = text(&["prometheus", &target.pid().to_string()]);
    let Some(samples) = parsed(&all, "metrics.txt") else {
        return;
    };
    let is_there = |parts: &[&str]| {
        let mut lines = samples.lines();
        lines.any(|line| parts.iter().all(|part| line.contains(part)))
    };
    let pid = format!("pid={}", target.pid());
    for (name, kind, value, labels) in [
        (
            "slubmalloc_memory_bytes",
            "gauge|bytes",
            "|16777216|",
            &["kind=huge blocks", "cgroup=", "command="][..],
        ),
        (
            "slubmalloc_objects",
            "gauge|",
            "|700|",
            &["class=kmalloc-768", "state=in_use"],
        ),
        (
            "slubmalloc_cache_node_objects",
            "gauge|",
            "|700|",
            &["class=kmalloc-768", "node=0", "cluster=0", "state=out"],
        ),
        ("slubmalloc_threads", "gauge|", "|4|", &[]),
    ] {
        let start = format!("{name}|{kind}");
        let parts = [&[start.as_str(), value, &pid], labels].concat();
        assert!(is_there(&parts), "{parts:?}: {samples}");
    }
    // Taken: 5,000 at least.
    let taken = samples.lines().find(|line| {
        line.starts_with("slubmalloc_cache_node_taken|counter|")
            && line.contains("class=kmalloc-192|")
    });
    let taken = taken.and_then(|line| line.split('|').nth(3)?.parse::<f64>().ok());
    assert!(taken.is_some_and(|it| it >= 5000.0), "{taken:?}");
    // What the dashboard shows is there; of pools see `twins.rs`.
    let names = support::shown_by_dashboard();
    assert!(names.len() >= 8, "{names:?}");
    for name in names
        .iter()
        .filter(|it| !it.starts_with("slubmalloc_pool_"))
    {
        assert!(all.contains(&format!("\n{name}{{")), "{name}");
    }
}

/// `slubctl prometheus --listen`.
struct Server {
    child: std::process::Child,
    errors: BufReader<std::process::ChildStderr>,
    address: String,
}

impl Server {
    fn start(pids: &[i32]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slubctl"));
        command.args(["prometheus", "--listen", "localhost:0"]);
        command.args(pids.iter().map(i32::to_string));
        let command = command.stderr(std::process::Stdio::piped());
        let mut child = command.spawn().expect("slubctl");
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        errors.read_line(&mut line).expect("a line");
        let address = line.trim_end().rsplit_once("http://");
        let address = address.expect("an address").1;
        let address = address.trim_end_matches("/metrics").to_owned();
        Self {
            child,
            errors,
            address,
        }
    }

    fn connection(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("a connection");
        let some = Some(std::time::Duration::from_secs(30));
        stream.set_read_timeout(some).expect("a limit");
        stream.set_write_timeout(some).expect("a limit");
        stream
    }

    fn get(&self, path: &str) -> String {
        let mut stream = self.connection();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n"
        )
        .expect("a server");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn metrics_are_served_under_their_path() {
    let target = Target::preloaded(&compile("served", &[]), "sleep");
    let server = Server::start(&[target.pid()]);
    for path in ["/metrics", "/metrics?x=1"] {
        let metrics = server.get(path);
        assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
        assert!(metrics.contains("application/openmetrics-text") && metrics.ends_with("# EOF\n"));
    }
    let other = server.get("/");
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
}

#[test]
fn a_process_that_has_ended_is_left_out_and_told_of_once() {
    let program = compile("ended", &[]);
    let target = Target::preloaded(&program, "sleep");
    let other = Target::preloaded(&program, "sleep");
    let pids = [other.pid(), target.pid()];
    let mut server = Server::start(&pids);
    drop(other);
    for _ in 0..2 {
        let metrics = server.get("/metrics");
        assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
        assert!(metrics.contains(&format!("pid=\"{}\"", pids[1])));
    }
    let texts = pids.map(|it| it.to_string());
    let output = slubctl(&["prometheus", &texts[0], &texts[1]]);
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success() && output.stdout.ends_with(b"# EOF\n"));
    assert_eq!(
        errors,
        format!("slubctl: process {} does not exist\n", pids[0])
    );
    drop(target);
    assert!(server.get("/metrics").starts_with("HTTP/1.1 503 "));
    assert!(
        !slubctl(&["prometheus", &texts[0], &texts[1]])
            .status
            .success()
    );
    let _ = server.child.kill();
    let mut told = String::new();
    server.errors.read_to_string(&mut told).expect("lines");
    assert_eq!(told, errors);
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody_else() {
    let target = Target::preloaded(&compile("client", &[]), "sleep");
    let server = Server::start(&[target.pid()]);
    let requests = "GET /metrics HTTP/1.1\r\nHost: it\r\n\r\n".repeat(2000);
    let mut silent: Vec<_> = (0..3).map(|_| server.connection()).collect();
    for stream in &mut silent {
        // The server takes as many as it likes.
        let _ = stream.write_all(requests.as_bytes());
    }
    std::thread::sleep(std::time::Duration::from_secs(1));
    let metrics = server.get("/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
}
