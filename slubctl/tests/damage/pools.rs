use std::process::Command;

use crate::first;
use crate::support::{Target, compile_linked};
use crate::tables::Tables;

#[test]
fn damaged_pools_and_owners_are_found() {
    let target = Target::start(&mut Command::new(compile_linked("pools.c", "damaged")));
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
