use crate::{first, stopped};

#[test]
fn damaged_sheaves_barns_and_thread_caches_are_found() {
    let (target, it) = stopped("sheaves");
    // A main sheaf with some objects of a slab.
    let bin_of = |cache: u64, id: u64| it.at(cache, &["cache.bins"]) + id * it.size("bin");
    let bound = |bin: u64, name: &str| it.at(bin, &["bin.bounds", &format!("sheaf_bounds.{name}")]);
    let count_of = |bin: u64| {
        let (top, floor) = (
            it.number(bound(bin, "top"), 8),
            it.number(bound(bin, "floor"), 4),
        );
        (top & u64::from(u32::MAX)).saturating_sub(floor) / 8
    };
    let slab_classes =
        || (1..=it.value("classes")).filter(|id| it.heap.classes[*id as usize].slabs > 0);
    let mut all = it
        .heap
        .caches
        .iter()
        .flat_map(|cache| slab_classes().map(move |id| (cache, id)));
    let (cache, id) = all
        .find(|(cache, id)| count_of(bin_of(cache.address, *id)) > 2)
        .expect("a sheaf");
    let bin = |id: u64| bin_of(cache.address, id);
    let bounds = |id: u64, name: &str| bound(bin(id), name);
    let count = |id: u64| count_of(bin(id));
    let top = it.number(bounds(id, "top"), 8);
    let name = format!("thread cache {:#x}", cache.address);
    let below = it.number(top - 8, 8);
    it.damage(
        "an object twice",
        &[(top, &below.to_le_bytes())],
        &format!("{name}: object {below:#x} is also in"),
    );
    it.damage(
        "an object",
        &[(top, &(below + 1 + 7).to_le_bytes())],
        "does not begin where one of its slab does",
    );
    it.damage(
        "an object",
        &[(top, &64_u64.to_le_bytes())],
        "objects lie in no arena",
    );
    let node = &it.heap.nodes[0];
    let end = node.base + node.committed_bytes - 4096;
    it.damage(
        "an object",
        &[(top, &end.to_le_bytes())],
        &format!("object {end:#x} "),
    );
    // An object of a slab with free ones, which is the first that is free there.
    let partial = it.cache_node("", 384);
    let lists = it.at(partial.address, &["cache_node.lists"]);
    let heads = (0..it.value("partial_lists")).map(|index| lists + index * it.size("slab_list"));
    let slab = heads
        .map(|list| it.number(it.at(list, &["slab_list.first"]), 4))
        .find(|it| *it != 0);
    let granule = slab.expect("a slab") - 1;
    let bits = it.at(it.slab(granule), &["slab_record.bits"]);
    let word = first(&it, bits, 8, 8, |it| it != 0);
    let index = 8 * (word - bits) + u64::from(it.number(word, 8).trailing_zeros());
    let address = node.base + granule * it.value("granule_bytes") + index * 384;
    let others = it
        .heap
        .caches
        .iter()
        .find(|it| it.objects.iter().any(|it| it.0 == partial.class));
    match others.filter(|it| it.address == cache.address && count(partial.class) > 0) {
        Some(_) => {
            let top = it.number(bounds(partial.class, "top"), 8);
            it.damage(
                "a free object",
                &[(top, &address.to_le_bytes())],
                "is free in its slab as well",
            );
        }
        None => it.damage(
            "a foreign object",
            &[(top, &address.to_le_bytes())],
            "is of another class than its slab",
        ),
    }
    it.damage(
        "a sheaf's top",
        &[(bounds(id, "limit"), &4_u32.to_le_bytes())],
        "bounds of its sheaf",
    );
    let home = it.at(cache.address, &["cache.home"]);
    it.damage(
        "a cache's node",
        &[(home, &4096_u64.to_le_bytes())],
        "its home, 0x1000, is no node",
    );
    let registry = it.directory.caches;
    it.raise(
        "threads",
        it.at(registry, &["registry.owned"]),
        8,
        "in the registry's count",
    );
    let free = it.at(registry, &["registry.lists", "cache_lists.free"]);
    it.damage(
        "free caches",
        &[(free, &cache.address.to_le_bytes())],
        "on the list of free ones, and in use",
    );
    let next = it.at(cache.address, &["cache.next"]);
    it.damage(
        "the list of caches",
        &[(next, &cache.address.to_le_bytes())],
        "the list of all has no end",
    );
    // A barn with full sheaves.
    let barn_of = it
        .heap
        .cache_nodes
        .iter()
        .find(|it| it.full_sheaves > 0)
        .expect("a barn");
    let barn = it.at(barn_of.address, &["cache_node.barn"]);
    let full = it.at(barn, &["barn.full"]);
    it.damage("a full sheaf", &[(full, &[0; 8])], "full sheaf 0 of ");
    it.damage(
        "full sheaves",
        &[(it.at(barn, &["barn.count"]), &99_u64.to_le_bytes())],
        "99 full sheaves, and places for",
    );
    let sheaf = it.at(it.number(full, 8), &["sheaf.count"]);
    it.damage(
        "a full sheaf",
        &[(sheaf, &9999_u64.to_le_bytes())],
        "a sheaf of 9999 objects has room for",
    );
    it.damage(
        "a full sheaf",
        &[(sheaf, &1_u64.to_le_bytes())],
        "a full sheaf has 1 objects",
    );
    let empty = it.at(barn, &["barn.empty"]);
    let one = it.number(full, 8);
    it.damage(
        "an empty sheaf",
        &[(empty, &one.to_le_bytes())],
        "an empty sheaf has ",
    );
    assert_eq!(it.found(), Vec::<String>::new());
    drop(target);
}
