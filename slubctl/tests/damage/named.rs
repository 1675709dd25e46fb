use std::process::Command;

use crate::support::{Target, compile_linked, slubctl};
use crate::tables::Tables;

#[test]
fn damaged_named_caches_are_found_and_the_exit_status_is_3() {
    let target = Target::start(&mut Command::new(compile_linked("named.c", "named")));
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
