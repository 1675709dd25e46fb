//! Pools and caches of one name: each is told apart, sums are right, and many are a few lines.

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use slubctl::snapshot::Pool;
use support::{Target, compile_linked, snapshot, text};

const SIZE: u64 = 192;

/// The values of the samples of a metric that have all these labels.
fn samples(metrics: &str, name: &str, labels: &[&str]) -> Vec<u64> {
    let start = format!("{name}{{");
    let lines = metrics.lines().filter(|line| line.starts_with(&start));
    let lines = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
    let value = |line: &str| line.rsplit_once(' ').and_then(|it| it.1.parse().ok());
    lines.map(|line| value(line).expect("a number")).collect()
}

#[test]
fn pools_of_one_name_are_series_of_their_own_and_sums_count_nothing_twice() {
    let target = Target::start(&mut Command::new(compile_linked("twins.c", "twins")));
    let metrics = text(&["prometheus", &target.pid().to_string()]);
    let twin = "pool=\"twin\"";
    let mut limits = samples(&metrics, "slubmalloc_pool_limit_bytes", &[twin]);
    limits.sort_unstable();
    assert_eq!(limits, [1 << 20, 1 << 20, 2 << 20], "{metrics}");
    // The parent's objects are not those of its child.
    let own = samples(
        &metrics,
        "slubmalloc_pool_memory_bytes",
        &[twin, "kind=\"own\""],
    );
    assert_eq!(own.iter().sum::<u64>(), 1750 * SIZE, "{metrics}");
    let objects = samples(
        &metrics,
        "slubmalloc_pool_objects",
        &[twin, "state=\"in_use\""],
    );
    assert_eq!(objects.iter().sum::<u64>(), 1750);
    let used = samples(&metrics, "slubmalloc_pool_used_bytes", &[twin]);
    assert!(used.iter().max() >= Some(&(1500 * SIZE)), "{used:?}");
    // The child says which one is its parent.
    let it = snapshot(target.pid());
    let parent = it.heaps[0]
        .pools
        .iter()
        .find(|it| it.limit_bytes == 2 << 20);
    let parent = format!("parent=\"{:#x}\"", parent.expect("a parent").address);
    let below = samples(&metrics, "slubmalloc_pool_limit_bytes", &[&parent]);
    assert_eq!(below, [1 << 20], "{metrics}");
    let names = support::shown_by_dashboard();
    let of_pools = names.iter().filter(|it| it.starts_with("slubmalloc_pool_"));
    let of_pools: Vec<_> = of_pools.collect();
    assert!(of_pools.len() >= 3, "{names:?}");
    for name in of_pools {
        assert!(!samples(&metrics, name, &[]).is_empty(), "{name}");
    }
    let again = text(&["prometheus", &target.pid().to_string()]);
    assert_eq!(again, metrics, "samples change their order");
}

#[test]
fn many_pools_are_a_few_lines_and_series_with_the_sums_of_all() {
    let program = compile_linked("twins.c", "many");
    let target = Target::start(Command::new(program).arg("300"));
    let pid = target.pid().to_string();
    let it = snapshot(target.pid());
    let pools = &it.heaps[0].pools;
    assert_eq!(pools.len(), 303);
    let sum = |of: fn(&Pool) -> u64| pools.iter().map(of).sum::<u64>();
    let metrics = text(&["prometheus", &pid]);
    for (kind, bytes) in [
        ("kind=\"own\"", sum(|it| it.own_bytes)),
        ("kind=\"at_hand\"", sum(|it| it.at_hand_bytes)),
    ] {
        let values = samples(&metrics, "slubmalloc_pool_memory_bytes", &[kind]);
        assert_eq!(values.len(), 101);
        assert_eq!(values.iter().sum::<u64>(), bytes, "{kind}");
    }
    assert_eq!(samples(&metrics, "slubmalloc_pools", &[]), [303]);
    assert_eq!(
        samples(&metrics, "slubmalloc_pool_used_bytes", &[]).len(),
        100
    );
    let shown = text(&["show", &pid]);
    let lines = shown.lines().skip_while(|it| !it.starts_with("POOL "));
    let lines: Vec<_> = lines.skip(1).take_while(|it| !it.is_empty()).collect();
    assert_eq!(lines.len(), 101, "{shown}");
    // Those that use most are there, each with what is below it.
    assert!(lines[0].starts_with("twin ") && lines[1].starts_with("  twin "));
    assert!(
        lines[100].starts_with("(203 more)") && lines[100].contains("203 of 192"),
        "{shown}"
    );
    let top = text(&["top", "--once", "--by", "pool", &pid]);
    let rows = top
        .lines()
        .skip_while(|it| !it.starts_with("POOL "))
        .skip(1);
    assert_eq!(rows.count(), 303);
}

#[test]
fn a_cache_with_the_name_of_a_class_is_told_apart_from_it() {
    let target = Target::start(&mut Command::new(compile_linked("named.c", "alike")));
    let pid = target.pid().to_string();
    let it = snapshot(target.pid());
    let classes = it.heaps[0].classes.iter().filter(|it| it.size > 0);
    let names: Vec<_> = classes.map(|it| it.name.as_str()).collect();
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "{names:?}");
    let metrics = text(&["prometheus", &pid]);
    let labels = ["class=\"kmalloc-64#2\"", "state=\"in_use\""];
    assert_eq!(samples(&metrics, "slubmalloc_objects", &labels), [7]);
    let slabinfo = text(&["slabinfo", &pid]);
    let rows = slabinfo.lines().filter_map(|it| it.split(' ').next());
    let rows: Vec<_> = rows.collect();
    let different: BTreeSet<_> = rows.iter().collect();
    assert!(
        different.len() == rows.len() && rows.contains(&"kmalloc-64#2"),
        "{slabinfo}"
    );
}
