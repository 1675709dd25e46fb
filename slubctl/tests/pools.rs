//! Pools: what every view says of them equals what the program knows.

mod support;

use std::process::Command;

use slubctl::snapshot::Pool;
use slubctl::totals::Totals;
use support::{Target, class, slubctl, snapshot, text};

const SMALL: u64 = 192;
const MIDDLE: u64 = 5120;

fn start(name: &str) -> Target {
    Target::start(&mut Command::new(support::compile_linked("pools.c", name)))
}

#[test]
fn pools_are_known_by_name_with_what_they_have() {
    let target = start("known");
    let it = snapshot(target.pid());
    let pools = &it.heaps[0].pools;
    let named = |name: &str| pools.iter().find(|pool| pool.name == name).expect(name);
    let objects = |pool: &Pool| -> Vec<(u64, u64)> {
        let mut all: Vec<_> = pool.classes.iter().map(|it| (it.size, it.in_use)).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(pools.len(), 4);
    let (request, parser, gone) = (named("request \"1\""), named("parser"), named("gone"));
    assert_eq!(objects(parser), [(SMALL, 700), (MIDDLE, 40)]);
    assert_eq!(parser.own_bytes, 700 * SMALL + 40 * MIDDLE);
    assert_eq!(
        (parser.parent, parser.limit_bytes),
        (request.address, u64::MAX)
    );
    assert_eq!((gone.is_closed, objects(gone)), (true, vec![(768, 5)]));
    assert_eq!((request.limit_bytes, request.blocks), (64 << 20, 4));
    assert_eq!(request.block_bytes, 3 * (300 << 10) + (8 << 20));
    assert_eq!(
        (request.own_bytes, request.is_closed),
        (request.block_bytes, false)
    );
    // Those below have some at hand, which counts as used above them.
    let below = parser.own_bytes + gone.own_bytes;
    assert!(
        request.used_bytes >= request.own_bytes + below,
        "{request:?}"
    );
    assert!(
        request.used_bytes <= request.own_bytes + below + (128 << 10),
        "{request:?}"
    );
    assert_eq!(
        (named("empty").used_bytes, named("empty").limit_bytes),
        (0, 1 << 20)
    );
    // Of all pools together.
    let all = it.heaps[0]
        .classes
        .iter()
        .find(|it| it.is_pools && it.size == SMALL);
    let all = all.expect("a class");
    assert_eq!((all.in_use, all.name.as_str()), (700, "pools-192"));
    let room = all.slabs * all.slab_objects;
    assert_eq!(
        all.in_use + all.in_sheaves + all.in_partial + all.empty_slabs * all.slab_objects,
        room
    );
    assert_eq!(class(&it, SMALL).in_use, 0);
    let totals = Totals::of(&it.heaps[0]);
    assert_eq!(totals.in_pools, 700 * SMALL + 40 * MIDDLE + 5 * 768);
    // Their blocks that are no objects are large and huge ones as all others.
    assert_eq!(
        (totals.large, it.heaps[0].huge.blocks),
        (3 * (300 << 10), 1)
    );
    let resident = it.heaps[0].resident.as_ref().expect("residents");
    assert!(
        resident.large >= totals.large && resident.large < totals.large + 4096,
        "{resident:?}"
    );
}

#[test]
fn every_view_has_pools() {
    let target = start("viewed");
    let pid = target.pid().to_string();
    let shown = text(&["show", &pid]);
    let at = |name: &str| shown.lines().position(|line| line.starts_with(name));
    assert!(at("POOL ").is_some(), "{shown}");
    // What is below a pool comes after it.
    assert_eq!(
        at("  parser"),
        at("request \"1\"").map(|it| it + 1),
        "{shown}"
    );
    let line = &shown
        .lines()
        .nth(at("  parser").expect("a line"))
        .expect("a line");
    assert!(
        line.contains("40 of 5120, 700 of 192") && line.contains(" none "),
        "{line}"
    );
    assert!(
        shown.contains("  gone (released)") && shown.contains("objects of pools"),
        "{shown}"
    );
    let top = text(&["top", "--batch", "-n", "1", "--by", "pool", "-s", "n", &pid]);
    let names = ["empty", "request \"1\"", "  gone (released)", "  parser"];
    let rows: Vec<_> = top
        .lines()
        .skip_while(|it| !it.starts_with("POOL "))
        .skip(1)
        .collect();
    assert!(
        rows.len() == 4
            && rows
                .iter()
                .zip(names)
                .all(|(row, name)| row.starts_with(name)),
        "{top}"
    );
    let metrics = text(&["prometheus", &pid]);
    let sample = |labels: &str| {
        let line = metrics
            .lines()
            .find(|it| it.contains(labels) && it.contains("pool=\"parser\""));
        line.and_then(|it| it.rsplit_once(' '))
            .map(|it| it.1.to_owned())
    };
    assert_eq!(
        sample("class=\"kmalloc-192\",state=\"in_use\""),
        Some("700".to_owned()),
        "{metrics}"
    );
    assert!(
        metrics.contains("pool=\"request \\\"1\\\"\"")
            && metrics.contains("slubmalloc_pool_limit_bytes{")
    );
    assert!(text(&["slabinfo", &pid]).contains("pools-5120 "));
    let all = slubctl(&["ps"]).stdout;
    let all = String::from_utf8(all).expect("UTF-8");
    let line = all
        .lines()
        .find(|it| it.split_whitespace().next() == Some(&pid));
    assert!(
        line.is_some_and(|it| it.ends_with(" 4 pools-viewed")),
        "{all}"
    );
    assert_eq!(slubctl(&["check", &pid]).status.code(), Some(0));
}
