use crate::stopped;

#[test]
fn damaged_huge_blocks_are_found() {
    let (target, it) = stopped("huge");
    let extents = it.at(
        it.process(),
        &[
            "process.heap",
            "heap.huge",
            "huge.state",
            "huge_state.extents",
        ],
    );
    for (name, line) in [
        ("used_bytes", "bytes are used in the extents"),
        ("kept_bytes", "bytes are kept in the extents"),
        ("vacant_bytes", "bytes are vacant in the extents"),
        ("blocks", "blocks in the extents"),
    ] {
        it.raise(name, it.at(extents, &[&format!("extents.{name}")]), 8, line);
    }
    let chunk = it.at(extents, &["extents.nodes", "extent_nodes.chunks"])
        + it.value("extent_chunk_entries");
    let node = |number: u64| it.number(chunk, 8) + number * it.size("extent");
    let next = it.number(it.at(node(0), &["extent.after"]), 4);
    let second = it.number(it.at(node(next), &["extent.after"]), 4);
    assert!(next != 0 && second != 0);
    let field = |number: u64, name: &str| it.at(node(number), &[&format!("extent.{name}")]);
    it.damage(
        "a mapping's kind",
        &[(field(next, "kind"), &[77])],
        "of kind 77, which is none",
    );
    it.raise(
        "a link back",
        field(second, "before"),
        4,
        "is before it, and not ",
    );
    it.damage(
        "a link",
        &[(field(next, "after"), &[255, 255, 0, 0])],
        "which is none",
    );
    it.damage(
        "a circle",
        &[(field(second, "after"), &(next as u32).to_le_bytes())],
        "huge blocks",
    );
    let start = it.at(node(second), &["extent.cell", "mapping.start"]);
    it.damage(
        "a mapping's start",
        &[(start, &4096_u64.to_le_bytes())],
        "begins inside of the one before",
    );
    let bytes = it.at(node(next), &["extent.cell", "mapping.bytes"]);
    it.raise("a mapping's length", bytes, 8, "in the extents, ");
    assert_eq!(it.found(), Vec::<String>::new());
    drop(target);
}
