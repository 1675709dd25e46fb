//! A stopped program's tables, found by its directory: to damage one, see what the check says, and put it right again.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use slubctl::directory::Directory;
use slubctl::image;
use slubctl::memory::{Memory, Process};
use slubctl::read::{self, Depth};
use slubctl::snapshot::{CacheNode, Heap};

/// The tables of a program's only copy of the library.
pub(crate) struct Tables {
    process: Process,
    memory: File,
    pub(crate) directory: Directory,
    pub(crate) heap: Heap,
}

impl Tables {
    pub(crate) fn of(pid: i32) -> Self {
        let process = Process::open(pid);
        let image = image::find(&process).expect("images").remove(0);
        let memory = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/{pid}/mem"));
        let mut snapshot = read::process(pid, Depth::Counts).expect("a snapshot");
        let it = Self {
            directory: Directory::read(&process, image.directory).expect("a directory"),
            process,
            memory: memory.expect("its memory"),
            heap: snapshot.heaps.remove(0),
        };
        assert_eq!(it.found(), Vec::<String>::new());
        it
    }

    /// The address of a field in a field and so on of the structure at `base`.
    pub(crate) fn at(&self, base: u64, path: &[&str]) -> u64 {
        let offset = |name: &&str| self.directory.field(name).expect("a row").offset;
        base + path.iter().map(offset).sum::<u64>()
    }

    pub(crate) fn size(&self, structure: &str) -> u64 {
        self.directory.size(structure).expect("a structure")
    }

    pub(crate) fn value(&self, name: &str) -> u64 {
        self.directory.value(name, 0, u64::MAX).expect("a value")
    }

    /// The number of `bytes` bytes at an address.
    pub(crate) fn number(&self, address: u64, bytes: usize) -> u64 {
        let mut word = [0; 8];
        self.process
            .read(address, &mut word[..bytes])
            .expect("a number");
        u64::from_le_bytes(word)
    }

    pub(crate) fn pointer(&self, base: u64, path: &[&str]) -> u64 {
        self.number(self.at(base, path), 8)
    }

    /// The process as the library has made it.
    pub(crate) fn process(&self) -> u64 {
        self.at(self.directory.process, &["process_once.value"])
    }

    /// The cache node of malloc's objects of a size, or of the cache of that name.
    pub(crate) fn cache_node(&self, name: &str, size: u64) -> &CacheNode {
        let is_it = |it: &&CacheNode| {
            let class = &self.heap.classes[it.class as usize];
            let of_size = format!("kmalloc-{size}");
            let name = if name.is_empty() { &of_size } else { name };
            (class.name.as_str(), class.size) == (name, size)
        };
        self.heap
            .cache_nodes
            .iter()
            .find(is_it)
            .expect("a cache node")
    }

    /// The record of the slab that begins at a granule of the first node.
    pub(crate) fn slab(&self, granule: u64) -> u64 {
        let tables = self.at(self.heap.nodes[0].start, &["node.tables"]);
        let near = self.value("near_records");
        let (table, index) = match granule.checked_sub(near) {
            None => ("slab_tables.near", granule),
            Some(far) => ("slab_tables.records", far),
        };
        self.pointer(tables, &[table]) + index * self.size("slab_record")
    }

    pub(crate) fn found(&self) -> Vec<String> {
        read::check(&self.process, || Ok(())).expect("a check")
    }

    /// Writes something else, expects that the check finds that with a line that has these words, and writes what was there.
    pub(crate) fn damage(&self, what: &str, writes: &[(u64, &[u8])], words: &str) {
        let mut before = Vec::new();
        for (address, bytes) in writes {
            let mut old = vec![0; bytes.len()];
            self.process.read(*address, &mut old).expect(what);
            assert_ne!(old, *bytes, "{what}: it is so already");
            before.push((*address, old));
            self.memory.write_all_at(bytes, *address).expect(what);
        }
        let found = self.found();
        for (address, old) in before.iter().rev() {
            self.memory.write_all_at(old, *address).expect(what);
        }
        let line = found.iter().find(|line| line.contains(words));
        assert!(line.is_some(), "{what}: {found:#?}");
    }

    /// The same for a number that is one more than it was.
    pub(crate) fn raise(&self, what: &str, address: u64, bytes: usize, words: &str) {
        let number = self.number(address, bytes).wrapping_add(1);
        self.damage(what, &[(address, &number.to_le_bytes()[..bytes])], words);
    }
}
