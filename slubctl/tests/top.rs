//! `top`: as text, and on a pseudo terminal with keys and other sizes.

mod support;

use support::{IN_USE, Target, compile, text};

#[test]
fn top_prints_as_often_as_it_is_told() {
    let target = Target::preloaded(&compile("top", &[]), "sleep");
    let pid = target.pid().to_string();
    let all = text(&[
        "top", "--batch", "-d", "0.1", "-n", "3", "--sort", "n", &pid,
    ]);
    let once = text(&["top", "-o", &pid]);
    let columns = "  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE  ALLOC/s   FREE/s NAME";
    assert_eq!(all.lines().filter(|line| *line == columns).count(), 3);
    // As slabtop, with an empty line after the sums.
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines[6..8], ["", columns], "{all}");
    let names = lines.iter().skip_while(|line| **line != columns).skip(1);
    let names = names.take_while(|line| !line.is_empty());
    let sizes = names.filter_map(|line| line.rsplit_once('-')?.1.parse::<u64>().ok());
    let sizes: Vec<u64> = sizes.collect();
    assert_eq!(once.lines().filter(|line| *line == columns).count(), 1);
    assert!(
        sizes.is_sorted() && sizes.len() >= IN_USE.len(),
        "{sizes:?}"
    );
}

#[test]
fn top_on_a_terminal_draws_takes_keys_follows_its_size_and_ends() {
    let target = Target::preloaded(&compile("screen", &[]), "sleep");
    let programs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    // A pseudo terminal of 30 lines, which gets 45 after some keys.
    let mut terminal = std::process::Command::new("python3");
    terminal
        .arg(programs.join("terminal.py"))
        .args([env!("CARGO_BIN_EXE_slubctl"), &target.pid().to_string()]);
    let output = terminal.output().expect("python3");
    assert!(output.status.success(), "{output:?}");
    let all = String::from_utf8(output.stdout).expect("UTF-8");
    let shown: Vec<&str> = all.split("\u{1}").collect();
    let [
        first,
        sorted,
        cache_nodes,
        nodes,
        pools,
        caches,
        larger,
        usual,
        small,
        smaller,
        least,
        end,
    ] = shown[..]
    else {
        panic!("{} pieces: {all:?}", shown.len());
    };
    // It left the screen as it was.
    assert!(first.contains("\u{1b}[?1049h") && end.contains("\u{1b}[?1049l"));
    let mut terminal = vt100::Parser::new(30, 130, 0);
    let mut after = |text: &str| {
        terminal.process(text.as_bytes());
        terminal.screen().contents()
    };
    let names = |screen: &str| -> Vec<u64> {
        let rows = screen
            .lines()
            .filter_map(|line| line.rsplit_once("kmalloc-"));
        rows.filter_map(|(_, size)| size.trim().parse().ok())
            .collect()
    };
    let screen = after(first);
    assert!(screen.contains("in use: ") && screen.contains('\u{2588}'));
    assert!(screen.contains("ALLOC/s") && names(&screen).len() >= IN_USE.len());
    assert_eq!(screen.lines().count(), 30, "{screen}");
    assert!(
        screen
            .lines()
            .last()
            .is_some_and(|it| it.starts_with("q quit"))
    );
    // By the size of objects, the largest first.
    let sizes = names(&after(sorted));
    assert!(
        sizes.is_sorted_by(|a, b| a >= b) && sizes[0] == 40960,
        "{sizes:?}"
    );
    let screen = after(cache_nodes);
    assert!(screen.contains("kmalloc-40960 node0 cluster0"), "{screen}");
    let screen = after(nodes);
    assert!(
        screen.contains("COMMITTED") && !screen.contains("kmalloc-"),
        "{screen}"
    );
    let screen = after(pools);
    assert!(
        screen.contains("AT HAND") && screen.contains("u use of the limit"),
        "{screen}"
    );
    assert_eq!(names(&after(caches)), sizes);
    terminal.set_size(45, 130);
    terminal.process(larger.as_bytes());
    let screen = terminal.screen().contents();
    assert_eq!(screen.lines().count(), 45, "{screen}");
    assert!(
        screen
            .lines()
            .last()
            .is_some_and(|it| it.starts_with("q quit"))
    );
    // The table has what there is of a small terminal.
    for (drawn, lines, columns, most) in [
        (usual, 24, 80, 6),
        (small, 12, 40, 6),
        (smaller, 5, 40, 2),
        (least, 1, 1, 0),
    ] {
        terminal.set_size(lines, columns);
        terminal.process(drawn.as_bytes());
        let screen = terminal.screen().contents();
        let is_row = |line: &&str| {
            line.split_whitespace()
                .nth(2)
                .is_some_and(|it| it.ends_with('%'))
        };
        let rows = screen.lines().filter(is_row).count();
        // Eighty columns have room for names.
        assert!(
            columns != 80 || names(&screen).first() == Some(&40960) && !screen.contains("ALLOC/s"),
            "{screen}"
        );
        assert!(rows >= most, "{lines} lines: {screen}");
        assert_eq!(
            screen.contains("rate"),
            columns == 80,
            "{columns} columns: {screen}"
        );
    }
}

#[test]
fn top_that_is_ended_by_a_signal_leaves_the_terminal_as_it_was() {
    on_a_terminal("ended");
}

#[test]
fn top_that_is_stopped_leaves_the_terminal_as_it_was_and_takes_it_again() {
    on_a_terminal("stopped");
}

/// Runs a script that has `top` on a pseudo terminal.
fn on_a_terminal(script: &str) {
    let target = Target::preloaded(&compile(script, &[]), "sleep");
    let programs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut terminal = std::process::Command::new("python3");
    terminal
        .arg(programs.join(script).with_extension("py"))
        .args([env!("CARGO_BIN_EXE_slubctl"), &target.pid().to_string()]);
    let output = terminal.output().expect("python3");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn processes_are_sorted_by_the_columns_of_ps() {
    let targets = ["sort-b", "sort-a"].map(|name| {
        let target = Target::preloaded(&compile(name, &[]), "sleep");
        (format!("top-{name}"), target)
    });
    let larger = Target::preloaded(&compile("sort-c", &[]), "holes");
    let commands = |letter: &str| {
        let output = support::slubctl(&["top", "--batch", "-n", "1", "-s", letter]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let last = |line: &str| line.rsplit_once(' ').map(|it| it.1.to_owned());
        let all = text.lines().filter_map(last);
        all.filter(|it| it.starts_with("top-sort-"))
            .collect::<Vec<_>>()
    };
    assert_eq!(commands("n"), ["top-sort-a", "top-sort-b", "top-sort-c"]);
    for letter in ["a", "c", "o", "s", "r"] {
        let first = commands(letter).first().cloned();
        assert!(first.is_some(), "{letter}");
        // It holds more than the others, of which two thirds are free.
        assert!(
            first.as_deref() == Some("top-sort-c") || letter == "o",
            "{letter}: {first:?}"
        );
    }
    let least = |letter: &str| commands(letter).last().cloned();
    assert_eq!(least("u").as_deref(), Some("top-sort-c"));
    drop((targets, larger));
}

/// The rows of the last look of `top --batch`.
fn rows(arguments: &[&str]) -> Vec<Vec<f64>> {
    let all = text(&[&["top", "--batch"], arguments].concat());
    let last = all.rsplit("NAME\n").next().expect("a look");
    let number = |word: &str| {
        let digits = word.trim_start_matches("kmalloc-");
        digits
            .trim_end_matches(['K', '%'])
            .parse()
            .expect("a number")
    };
    let row = |line: &str| line.split_whitespace().map(number).collect();
    last.lines().map(row).collect()
}

#[test]
fn top_sorts_by_every_column() {
    let target = Target::preloaded(&compile("sorted", &[]), "sleep");
    let pid = target.pid().to_string();
    for (letter, column) in [
        ("o", 0),
        ("a", 1),
        ("v", 1),
        ("u", 2),
        ("s", 3),
        ("l", 4),
        ("b", 5),
        ("p", 5),
        ("c", 6),
    ] {
        let rows = rows(&["-n", "1", "-s", letter, &pid]);
        assert!(rows.len() >= IN_USE.len());
        let values: Vec<f64> = rows.iter().map(|row| row[column]).collect();
        assert!(values.is_sorted_by(|a, b| a >= b), "{letter}: {values:?}");
    }
}

#[test]
fn top_shows_how_much_is_taken_and_given_back() {
    let target = Target::preloaded(&compile("rates", &[]), "churn");
    let pid = target.pid().to_string();
    let busy = rows(&["-n", "2", "-d", "0.5", "-s", "r", &pid]);
    assert!(busy[0][7] > 0.0 && busy[0][8] > 0.0, "{:?}", busy[0]);
    let sums: Vec<f64> = busy.iter().map(|row| row[7] + row[8]).collect();
    assert!(sums.is_sorted_by(|a, b| a >= b), "{sums:?}");
    // Of a size that nobody takes.
    let quiet = busy.iter().find(|row| row[9] == 768.0).expect("a row");
    assert_eq!([quiet[7], quiet[8]], [0.0; 2]);
}

#[test]
fn top_show_and_ps_have_the_same_sums_of_one_process() {
    let target = Target::preloaded(&compile("sums", &[]), "threads");
    let pid = target.pid().to_string();
    let top = text(&["top", "--once", &pid]);
    let title = top.lines().next().expect("a title");
    let shown = text(&["show", &pid]);
    let (sums, threads) = shown
        .lines()
        .nth(1)
        .and_then(|it| it.split_once("; "))
        .expect("a line with sums");
    assert!(
        title.contains(sums) && title.contains(threads.split(',').next().expect("threads")),
        "{title}: {shown}"
    );
    let listed = support::slubctl(&["ps"]);
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let line = listed.lines().find(|it| it.trim_start().starts_with(&pid));
    let line = line.expect("a line");
    for column in title.split(": ").nth(2).expect("sums").split(", ").take(5) {
        let words: Vec<_> = column.split(' ').take(2).collect();
        let bytes = words.join(" ");
        assert!(line.contains(&format!(" {bytes} ")), "{column}: {line}");
    }
}

#[test]
fn processes_of_a_narrow_terminal_have_their_names() {
    let it = slubctl::snapshot::Snapshot {
        pid: 4_194_304,
        command: "fifteen-letters".to_owned(),
        heaps: vec![Default::default()],
        ..Default::default()
    };
    let all = slubctl::view::ps_within(&[it], 80);
    assert!(
        all.lines()
            .all(|line| line.len() <= 80 && !line.contains("POOLS"))
    );
    assert!(all.ends_with(" fifteen-letters\n"), "{all}");
}

#[test]
fn a_grouping_of_no_process_is_a_wrong_argument() {
    let output = support::slubctl(&["top", "--once", "--by", "pool"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn top_without_a_terminal_says_what_to_do() {
    let target = Target::preloaded(&compile("pipe", &[]), "sleep");
    let line = support::failure(&["top", &target.pid().to_string()]);
    assert!(line.contains("--batch"), "{line}");
}
