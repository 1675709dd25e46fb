use crate::{first, stopped};

#[test]
fn damaged_slabs_are_found() {
    let (target, it) = stopped("slabs");
    let tables = it.at(it.heap.nodes[0].start, &["node.tables"]);
    let map = it.pointer(tables, &["slab_tables.classes"]);
    let cache_node = it.cache_node("", 768);
    let class = &it.heap.classes[cache_node.class as usize];
    let granules = it.heap.nodes[0].committed_bytes / it.value("granule_bytes");
    let own = first(&it, map, 1, granules, |it| it == cache_node.class);
    let granule = own - map;
    let record = it.slab(granule);
    let field = |name: &str| it.at(record, &[&format!("slab_record.{name}")]);
    let slab = format!("slab {granule} of kmalloc-768");
    it.damage("a class", &[(own, &[0])], "in the page map");
    it.damage(
        "a class",
        &[(own, &[255])],
        &format!("granule {granule}: a slab of nobody"),
    );
    // One that is longer than a granule.
    let long = it
        .heap
        .classes
        .iter()
        .position(|it| !it.is_span && it.slabs > 0 && it.slab_bytes > class.slab_bytes);
    if let Some(long) = long {
        let start = first(&it, map, 1, granules, |it| it == long as u64);
        let line = format!(
            "granule {}: of none in the class map, in a slab of",
            start + 1 - map
        );
        it.damage("a slab's second granule", &[(start + 1, &[0])], &line);
    }
    it.raise("objects out", field("out"), 2, &format!("{slab}: "));
    it.damage(
        "objects out",
        &[(field("out"), &[255, 255])],
        &format!("{slab}: 65535 objects out"),
    );
    it.damage(
        "objects made",
        &[(field("carved"), &[255, 127])],
        "made, of",
    );
    let last = field("bits") + 8 * (it.value("max_objects") / 64 - 1);
    it.damage(
        "a bit",
        &[(last, &[0, 0, 0, 0, 0, 0, 0, 128])],
        &format!("{slab}: "),
    );
    it.raise(
        "a slab's list",
        field("list"),
        1,
        &format!("{slab}: on list "),
    );
    // Of the slabs on a list.
    let lists = it.at(cache_node.address, &["cache_node.lists"]);
    let stride = it.size("slab_list");
    let list = (0..it.value("partial_lists")).map(|index| lists + index * stride);
    let list = list
        .clone()
        .find(|list| it.number(it.at(*list, &["slab_list.count"]), 4) > 0)
        .expect("a list");
    let head = it.at(list, &["slab_list.first"]);
    let listed = it.slab(it.number(head, 4) - 1);
    it.raise(
        "a list's count",
        it.at(list, &["slab_list.count"]),
        4,
        "slabs are linked",
    );
    it.damage("a list's head", &[(head, &[0; 4])], "slabs are linked, ");
    it.damage(
        "a list's head",
        &[(head, &[255; 4])],
        "lies beyond the arena",
    );
    let other = (granule as u32 + 1).to_le_bytes();
    it.damage(
        "a link",
        &[(it.at(listed, &["slab_record.previous"]), &other)],
        "another one before it",
    );
    let itself = it.number(head, 4) as u32;
    it.damage(
        "a circle",
        &[(it.at(listed, &["slab_record.next"]), &itself.to_le_bytes())],
        "slabs are linked",
    );
    it.damage(
        "a slab on a list",
        &[(head, &other)],
        "says that it is on list",
    );
    // The first words of the bits of a slab with free objects.
    let hint = it.at(listed, &["slab_record.hint"]);
    it.damage("a hint", &[(hint, &[200])], "lies before the hint");
    for (count, line) in [
        ("slabs", "in the cache node"),
        ("out", "out of the cache node"),
    ] {
        let address = it.at(cache_node.address, &[&format!("cache_node.{count}")]);
        it.raise(count, address, 4, line);
    }
    assert_eq!(it.found(), Vec::<String>::new());
    drop(target);
}
