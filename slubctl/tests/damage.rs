//! `check`: a heap that is whole has no contradiction, and each table that is damaged is found, with a line that says which.

mod support;
#[path = "support/tables.rs"]
mod tables;

use std::process::Command;

use support::{Target, built, compile, slubctl};
use tables::Tables;

/// The first word that fits.
fn first(
    tables: &Tables,
    start: u64,
    bytes: usize,
    count: u64,
    is_it: impl Fn(u64) -> bool,
) -> u64 {
    let addresses = (0..count).map(|index| start + index * bytes as u64);
    let mut fitting = addresses.filter(|it| is_it(tables.number(*it, bytes)));
    fitting.next().expect("a word")
}

fn stopped(name: &str) -> (Target, Tables) {
    // What is cached stays where it is.
    let mut command = Command::new(compile(name, &[]));
    command
        .arg("threads")
        .env("SLUBMALLOC_CONF", "purge_ms:never");
    let target = Target::start(command.env("LD_PRELOAD", built().join("libslubmalloc.so")));
    // Nothing changes while this test changes something.
    let stop = Command::new("kill")
        .args(["-STOP", &target.pid().to_string()])
        .status();
    assert!(stop.expect("kill").success());
    let tables = Tables::of(target.pid());
    (target, tables)
}

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

#[test]
fn damaged_sheaves_barns_and_thread_caches_are_found() {
    let (target, it) = stopped("sheaves");
    // A main sheaf with some objects of a slab.
    let bin_of = |cache: u64, id: u64| it.at(cache, &["cache.bins"]) + id * it.size("bin");
    let bound = |bin: u64, name: &str| it.at(bin, &["bin.bounds", &format!("sheaf_bounds.{name}")]);
    let count_of = |bin: u64| {
        let (top, bottom) = (
            it.number(bound(bin, "top"), 8),
            it.number(bound(bin, "bottom"), 4),
        );
        (top & u64::from(u32::MAX)).saturating_sub(bottom) / 8
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

#[test]
fn damaged_pools_and_owners_are_found() {
    let target = Target::start(&mut Command::new(support::compile_linked(
        "pools.c", "damaged",
    )));
    let it = Tables::of(target.pid());
    let named = |name: &str| {
        it.heap
            .pools
            .iter()
            .find(|it| it.name == name)
            .expect("a pool")
    };
    let (request, parser) = (named("request \"1\""), named("parser"));
    let field = |name: &str| it.at(parser.address, &[&format!("pool.{name}")]);
    let account = |name: &str| it.at(field("account"), &[&format!("pool_account.{name}")]);
    it.raise(
        "an account",
        account("charged"),
        8,
        "bytes are charged, its own and those of pools below it are",
    );
    it.raise(
        "an account",
        account("own"),
        8,
        "bytes are charged for its blocks, which have",
    );
    it.raise(
        "an account",
        account("slack"),
        8,
        "bytes are charged for its blocks, which have",
    );
    it.damage(
        "a pool's parent",
        &[(field("parent"), &4096_u64.to_le_bytes())],
        "the pool above it, 0x1000, does not exist",
    );
    it.damage(
        "a circle",
        &[(field("parent"), &parser.address.to_le_bytes())],
        "it lies below itself",
    );
    it.damage(
        "a state",
        &[(field("state"), &[9])],
        "of state 9, which is none",
    );
    it.raise(
        "children",
        it.at(request.address, &["pool.children"]),
        4,
        "pools are below it, 3 in its count",
    );
    it.damage(
        "a pool's node",
        &[(field("node"), &[0; 8])],
        "its node, 0x0, does not exist",
    );
    let class = parser
        .classes
        .iter()
        .find(|it| it.size == 5120)
        .expect("a class");
    let class = field("classes") + class.class * it.size("pool_class");
    let word = |name: &str| it.at(class, &[&format!("pool_class.{name}")]);
    it.damage(
        "objects at hand",
        &[(word("ready"), &[255; 8])],
        "are none of those that are out",
    );
    it.raise("the word at hand", word("first"), 8, "where no word does");
    let known = it.number(word("known"), 8) ^ 1;
    it.damage(
        "the word at hand",
        &[(word("known"), &known.to_le_bytes())],
        "and the record of slab",
    );
    let list = ["partial", "full"]
        .into_iter()
        .find(|list| it.number(word(list), 4) != 0)
        .expect("a list");
    it.damage(
        "a list of slabs",
        &[(word(list), &[255; 4])],
        "has no end, or leads to",
    );
    it.damage(
        "a list of slabs",
        &[(word(list), &[0; 4])],
        "bytes are charged for its blocks",
    );
    let slab = it.number(word(list), 4) - 1;
    it.raise(
        "a slab's list",
        it.at(it.slab(slab), &["slab_record.list"]),
        1,
        "'s list ",
    );
    // Whose the slab is.
    let tables = it.at(it.heap.nodes[0].start, &["node.tables"]);
    let owners = it.pointer(
        tables,
        &["slab_tables.owners", "owners_once.value", "owners.entries"],
    );
    it.damage(
        "an owner",
        &[(owners + 4 * slab, &[0; 4])],
        "a slab of nobody in the class map",
    );
    let other = it.number(owners + 4 * slab, 4) as u32 + (1 << it.value("owner_number_shift"));
    it.damage(
        "an owner",
        &[(owners + 4 * slab, &other.to_le_bytes())],
        "has another owner",
    );
    // Large blocks.
    let pools = it.at(it.process(), &["process.pools", "pools_once.value"]);
    let blocks = it.at(pools, &["pools.blocks"]);
    it.raise(
        "blocks",
        it.at(blocks, &["pool_blocks.count"]),
        8,
        "in the table, 5 in the count",
    );
    let number = it.number(it.at(request.address, &["pool.blocks"]), 4);
    let block = it.pointer(blocks, &["pool_blocks.table"]) + (number - 1) * it.size("pool_block");
    let of_block = |name: &str| it.at(block, &[&format!("pool_block.{name}")]);
    it.raise(
        "a block's bytes",
        of_block("bytes"),
        8,
        "bytes are charged for its blocks",
    );
    it.raise(
        "a block's pool",
        of_block("pool"),
        4,
        "which is none of its",
    );
    it.damage(
        "a block's start",
        &[(of_block("start"), &(1_u64 << 40).to_le_bytes())],
        "and belongs in",
    );
    let buckets = it.pointer(blocks, &["pool_blocks.buckets"]);
    let bucket = first(&it, buckets, 4, it.value("pool_buckets"), |it| it == number);
    it.damage("a bucket", &[(bucket, &[0; 4])], "is in no bucket");
    it.damage(
        "a bucket",
        &[(bucket, &[255; 4])],
        "which is none or is elsewhere",
    );
    it.damage(
        "a list of blocks",
        &[(of_block("next"), &(number as u32).to_le_bytes())],
        "which is none of its",
    );
    assert_eq!(it.found(), Vec::<String>::new());
    // Before the program goes on nothing may be wrong with it.
    let next = it.at(parser.address, &["pool.children"]);
    it.raise("children", next, 4, "pools are below it");
}

#[test]
fn damaged_named_caches_are_found_and_the_exit_status_is_3() {
    let target = Target::start(&mut Command::new(support::compile_linked(
        "named.c", "named",
    )));
    let it = Tables::of(target.pid());
    let size = it
        .heap
        .classes
        .iter()
        .find(|it| it.name == "inode_cache")
        .expect("a cache")
        .size;
    let cache_node = it.cache_node("inode_cache", size);
    for (count, line) in [("slabs", "inode_cache: "), ("out", "out of the cache node")] {
        it.raise(
            count,
            it.at(cache_node.address, &[&format!("cache_node.{count}")]),
            4,
            line,
        );
    }
    let list = it.at(cache_node.address, &["cache_node.lists"]);
    it.raise(
        "a list",
        it.at(list, &["slab_list.count"]),
        4,
        "inode_cache, list 1: ",
    );
    // The program's own exit status and lines.
    let slabs = it.at(cache_node.address, &["cache_node.slabs"]);
    let wrong = (it.number(slabs, 4) as u32 + 1).to_le_bytes();
    let right = it.number(slabs, 4) as u32;
    let memory = std::fs::OpenOptions::new()
        .write(true)
        .open(format!("/proc/{}/mem", target.pid()));
    let memory = memory.expect("its memory");
    std::os::unix::fs::FileExt::write_all_at(&memory, &wrong, slabs).expect("a write");
    let pid = target.pid().to_string();
    for arguments in [&["check", pid.as_str()][..], &["check", "--stop", &pid]] {
        let checked = slubctl(arguments);
        let lines = String::from_utf8(checked.stdout).expect("UTF-8");
        let start = format!(
            "process {pid}: inode_cache: {right} slabs in the class map, {} in the cache node\n",
            right + 1
        );
        assert_eq!((checked.status.code(), lines), (Some(3), start));
    }
}
