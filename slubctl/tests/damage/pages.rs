use crate::support::slubctl;
use crate::{first, stopped};

#[test]
fn damaged_page_maps_are_found() {
    let (target, it) = stopped("pages");
    let node = it.heap.nodes[0].start;
    let arena = it.at(node, &["node.arena"]);
    let record = it.pointer(arena, &["arena.map", "page_map.records"]);
    let [free, dirty, heads] =
        ["free", "dirty", "heads"].map(|it_is| it.at(record, &[&format!("block_record.{it_is}")]));
    // Single pages have the first 16 words, pairs the next eight, and so on.
    let first_word = |order: u64| {
        (0..order)
            .map(|order| (16_u64 >> order).max(1))
            .sum::<u64>()
    };
    let head = first(&it, heads, 2, 1024, |it| it != 0);
    let used_page = (head - heads) / 2;
    it.damage(
        "a span",
        &[(head, &[0, 0])],
        &format!("page {used_page}: is neither free nor in use"),
    );
    it.damage("a span", &[(head, &[1, 0])], "another span in the page map");
    let bit = |order: u64, block: u64| {
        let address = free + 8 * (first_word(order) + block / 64);
        (address, it.number(address, 8) ^ 1 << (block % 64))
    };
    let (address, word) = bit(0, used_page);
    it.damage(
        "a page",
        &[(address, &word.to_le_bytes())],
        &format!("page {used_page}: is free and in use"),
    );
    // A free block of any order from 1 on, and its two halves.
    let orders = it.value("orders");
    let (order, block) = (1..orders)
        .find_map(|order| {
            let word = it.number(free + 8 * first_word(order), 8);
            (word != 0).then(|| (order, u64::from(word.trailing_zeros())))
        })
        .expect("a free block");
    let page = block << order;
    let (address, word) = bit(order, block);
    it.damage(
        "a free block",
        &[(address, &word.to_le_bytes())],
        &format!("page {page}: is neither free nor in use"),
    );
    let (halves, of_halves) = bit(order - 1, 2 * block);
    let both = of_halves | 3 << (2 * block % 64);
    it.damage(
        "free buddies",
        &[
            (address, &word.to_le_bytes()),
            (halves, &both.to_le_bytes()),
        ],
        &format!("page {page}: free buddies of order {}", order - 1),
    );
    let kind = it.at(record, &["block_record.kind"]);
    it.raise("a pageblock's kind", kind, 1, "is listed and not there");
    let counts = it.at(
        arena,
        &["arena.state", "arena_state.buddy", "buddy.free_blocks"],
    );
    it.raise(
        "the buddies' count",
        counts,
        4,
        "free blocks of order 0 and kind 0 in the page map",
    );
    it.raise(
        "pages in use",
        it.at(arena, &["arena.used"]),
        8,
        "in use in the page map",
    );
    it.raise(
        "dirty pages",
        it.at(arena, &["arena.dirty"]),
        8,
        "are dirty in the page map",
    );
    let pages_dirty = it.number(dirty + 8 * (page / 64), 8) ^ 1 << (page % 64);
    it.damage(
        "a page's dirt",
        &[(dirty + 8 * (page / 64), &pages_dirty.to_le_bytes())],
        "are dirty in the page map",
    );
    let committed = it.at(arena, &["arena.state", "arena_state.committed"]);
    it.raise("the committed end", committed, 4, "neither free nor in use");
    let summary = it.at(arena, &["arena.map", "page_map.summary"]);
    let words = it.pointer(summary, &["summary.words"]);
    let stride = it.size("summary_words");
    let level = |level: u64| it.number(it.at(summary, &["summary.levels"]) + 8 * level, 8);
    let lowest = words + level(2) * stride;
    let listed = first(&it, lowest, 8, stride / 8 - 1, |it| it & 1 != 0);
    let unlisted = first(&it, lowest, 8, stride / 8 - 1, |it| it & 1 == 0);
    let flipped = |address: u64| (it.number(address, 8) ^ 1).to_le_bytes();
    it.damage("a list", &[(listed, &flipped(listed))], "is not listed");
    it.damage(
        "a list",
        &[(unlisted, &flipped(unlisted))],
        "is listed and not there",
    );
    for above in 0..2 {
        let upper = words + level(above) * stride + (listed - lowest);
        it.damage(
            "an upper level",
            &[(upper, &flipped(upper))],
            "contradicts the level above",
        );
    }
    let mark = lowest + stride - 8;
    if it.heap.nodes[0].dirty_bytes > 0 && it.number(mark, 8) & 1 != 0 {
        it.damage(
            "the mark of dirty pages",
            &[(mark, &flipped(mark))],
            "free dirty pages are forgotten",
        );
    }
    assert_eq!(it.found(), Vec::<String>::new());
    assert_eq!(
        slubctl(&["check", &target.pid().to_string()]).status.code(),
        Some(0)
    );
}
