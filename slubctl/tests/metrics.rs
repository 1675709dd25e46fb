//! Metrics: what they say, a parser that was not written here, the server, and the dashboard.

mod support;

use std::fs;
use std::process::Command;

use support::{Target, compile, scratch, text};

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
        let metrics = text(&arguments);
        let is_known =
            [&one, &other, &third].map(|pid| metrics.contains(&format!("pid=\"{pid}\"")));
        assert_eq!(is_known, known);
        // Every kind of metric is there once, whatever the number of processes.
        assert_eq!(
            metrics.matches("# TYPE slubmalloc_threads gauge").count(),
            1
        );
    }
}

#[test]
fn metrics_are_read_by_a_parser_that_was_not_written_here() {
    let python = "/usr/bin/python3";
    let module = "import prometheus_client.openmetrics.parser";
    let has_parser = Command::new(python).args(["-c", module]).output();
    if !has_parser.is_ok_and(|it| it.status.success()) {
        return support::skipped("no python3-prometheus-client here");
    }
    let target = Target::preloaded(&compile("parsed", &[]), "threads");
    let file = scratch().join("metrics.txt");
    let all = text(&["prometheus", &target.pid().to_string()]);
    fs::write(&file, &all).expect("a file");
    let parse = "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(open(sys.argv[1]).read()):
    for it in family.samples:
        print(family.name, family.type, family.unit, it.value, *(k + '=' + v for k, v in sorted(it.labels.items())), sep='|')";
    let mut parser = Command::new(python);
    let output = parser.args(["-c", parse]).arg(&file).output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{output:?}");
    let samples = String::from_utf8(output.stdout).expect("UTF-8");
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
    // What the dashboard shows is there.
    let dashboard = fs::read_to_string(support::root().join("slubctl/grafana.json"));
    let dashboard: serde_json::Value =
        serde_json::from_str(&dashboard.expect("a file")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(panels.len() >= 8);
    for target in panels
        .iter()
        .flat_map(|it| it["targets"].as_array().expect("targets"))
    {
        let query = target["expr"].as_str().expect("a query");
        let name = &query[query.find("slubmalloc_").expect("a metric")..];
        let name = &name[..name.find('{').expect("labels")];
        assert!(all.contains(&format!("\n{name}{{")), "{query}");
    }
}

#[test]
fn metrics_are_served_under_their_path() {
    use std::io::{BufRead, BufReader, Read, Write};
    let target = Target::preloaded(&compile("served", &[]), "sleep");
    let mut server = Command::new(env!("CARGO_BIN_EXE_slubctl"));
    server.args([
        "prometheus",
        "--listen",
        "127.0.0.1:0",
        &target.pid().to_string(),
    ]);
    let mut server = server
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("slubctl");
    let mut line = String::new();
    let errors = server.stderr.take().expect("a pipe");
    BufReader::new(errors).read_line(&mut line).expect("a line");
    let address = line
        .trim_end()
        .rsplit_once("http://")
        .expect("an address")
        .1;
    let address = address.trim_end_matches("/metrics");
    let get = |path: &str| {
        let mut stream = std::net::TcpStream::connect(address).expect("a connection");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n"
        )
        .expect("a server");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let (metrics, other) = (get("/metrics"), get("/"));
    let _ = server.kill();
    let _ = server.wait();
    assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
    assert!(metrics.contains("application/openmetrics-text") && metrics.contains("# EOF"));
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
}
