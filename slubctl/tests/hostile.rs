//! Damaged directories and tables: an error of one line or numbers, but no panic, no hang and no lack of memory.

mod support;

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::Result;
use proptest::prelude::*;
use slubctl::memory::{Bytes, Mapping, Memory, Page, Process};
use slubctl::read::{self, Depth};
use slubctl::totals::Totals;
use slubctl::view;
use slubctl::view::top::{self, Grouping, Sort};
use support::{Target, compile};

/// Memory that stores what is read of it.
struct Recording {
    process: Process,
    seen: RefCell<Vec<(u64, Vec<u8>)>>,
}

impl Memory for Recording {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        self.process.read(address, buffer)?;
        if !buffer.is_empty() {
            self.seen.borrow_mut().push((address, buffer.to_vec()));
        }
        Ok(())
    }

    fn mappings(&self) -> Result<Vec<Mapping>> {
        self.process.mappings()
    }

    fn pages(&self, _: u64, _: usize) -> Option<Vec<Page>> {
        None
    }

    fn page_bytes(&self) -> u64 {
        4096
    }
}

/// All that is read of the known heap.
fn recorded() -> &'static Bytes {
    static RECORDED: OnceLock<Bytes> = OnceLock::new();
    RECORDED.get_or_init(|| record(&Target::preloaded(&compile("hostile", &[]), "threads")))
}

/// All that is read of a heap with pools.
fn recorded_pools() -> &'static Bytes {
    static RECORDED: OnceLock<Bytes> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let program = support::compile_linked("pools.c", "hostile-pools");
        record(&Target::start(&mut Command::new(program)))
    })
}

fn record(target: &Target) -> Bytes {
    let recording = Recording {
        process: Process::open(target.pid()),
        seen: RefCell::default(),
    };
    read::target(&recording, Depth::Counts).expect("a heap");
    let faults = read::check(&recording, || Ok(())).expect("tables");
    assert_eq!(faults, Vec::<String>::new());
    read::squares(&recording).expect("arenas");
    let mappings = recording.mappings().expect("mappings");
    let mut pieces = recording.seen.into_inner();
    // Longer ones first: what is short lies in them.
    pieces.sort_by_key(|(address, bytes)| (std::cmp::Reverse(bytes.len()), *address));
    pieces.dedup();
    let has_copy =
        |it: &Mapping| it.name.ends_with("libslubmalloc.so") || it.name.ends_with("hostile-pools");
    Bytes {
        mappings: mappings.into_iter().filter(has_copy).collect(),
        pieces,
    }
}

/// Memory of which every page is resident, whatever its address.
struct Present<'b>(&'b Bytes);

impl Memory for Present<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        self.0.read(address, buffer)
    }

    fn mappings(&self) -> Result<Vec<Mapping>> {
        self.0.mappings()
    }

    fn pages(&self, _: u64, pages: usize) -> Option<Vec<Page>> {
        Some(vec![Page::Resident; pages])
    }

    fn page_bytes(&self) -> u64 {
        4096
    }
}

/// Looks at damaged memory in every way.
fn look(bytes: &Bytes) {
    if let Ok(faults) = read::check(bytes, || Ok(())) {
        assert!(faults.len() <= 100);
    }
    if let Ok(arenas) = read::squares(bytes) {
        assert!(view::map("damaged", &arenas).len() < 64 << 20);
        assert!(view::text_map("damaged", &arenas, true).len() < 1 << 20);
    }
    if let Ok(mut snapshot) = read::target(&Present(bytes), Depth::Resident) {
        snapshot.pid = 1;
        let _ = Totals::of_all(&snapshot);
        for view in [
            view::show,
            view::slabinfo,
            view::buddyinfo,
            view::pagetypeinfo,
            view::extfrag,
            view::numastat,
            view::vmstat,
            view::threads,
        ] {
            let text = view(&snapshot);
            assert!(text.len() < 64 << 20);
        }
        for grouping in [Grouping::Caches, Grouping::CacheNodes] {
            let before = top::rows(&snapshot, grouping, &[], 1.0);
            let mut rows = top::rows(&snapshot, grouping, &before, 1.0);
            Sort::Rate.apply(&mut rows);
            assert!(top::head(&rows).len() < 4096);
            rows.iter()
                .for_each(|row| assert!(top::line(row, top::Shape::All).len() < 4096));
        }
        assert!(top::nodes(&snapshot).len() <= 1024);
        assert!(view::pools(&snapshot, Sort::Use).len() <= 1 << 17);
        let metrics = view::prometheus(&[(view::Process::default(), snapshot)]);
        assert!(metrics.ends_with("# EOF\n"));
    }
}

#[test]
fn what_was_recorded_reads_as_the_process_does() {
    let snapshot = read::target(recorded(), Depth::Counts).expect("a heap");
    assert_eq!(snapshot.heaps.len(), 1);
    assert_eq!(snapshot.heaps[0].threads, 4);
}

/// Memory in which a number is another at each look.
struct Moving<'b> {
    bytes: &'b Bytes,
    place: u64,
    looks: Cell<u8>,
}

impl Memory for Moving<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<()> {
        self.bytes.read(address, buffer)?;
        let offset = usize::try_from(self.place.wrapping_sub(address)).unwrap_or(usize::MAX);
        if let Some(byte) = buffer.get_mut(offset) {
            self.looks.set(self.looks.get() + 1);
            *byte = self.looks.get();
        }
        Ok(())
    }

    fn mappings(&self) -> Result<Vec<Mapping>> {
        self.bytes.mappings()
    }

    fn pages(&self, _: u64, _: usize) -> Option<Vec<Page>> {
        None
    }

    fn page_bytes(&self) -> u64 {
        4096
    }
}

#[test]
fn numbers_that_move_are_read_five_times_and_called_approximate() {
    let bytes = recorded();
    let directory = slubctl::image::find(bytes).expect("images")[0].directory;
    let layout = slubctl::directory::Directory::read(bytes, directory).expect("a directory");
    let births = layout.field("registry.births").expect("a row").offset;
    let moving = Moving {
        bytes,
        place: layout.caches + births,
        looks: Cell::new(0),
    };
    let snapshot = read::target(&moving, Depth::Counts).expect("a heap");
    assert!(snapshot.heaps[0].is_approximate);
    assert_eq!(moving.looks.get(), 5);
    assert!(view::show(&snapshot).contains("they are approximate"));
}

#[test]
fn a_list_of_caches_that_is_a_cycle_ends() {
    let original = recorded();
    let directory = slubctl::image::find(original).expect("images")[0].directory;
    let layout = slubctl::directory::Directory::read(original, directory).expect("a directory");
    let all = layout.field("registry.lists").expect("a row").offset + layout.caches;
    let all = all + layout.field("cache_lists.all").expect("a row").offset;
    let first = original.read_words(&[all])[0].expect("a cache");
    let next = first + layout.field("cache.next").expect("a row").offset;
    let mut damaged = original.clone();
    for (address, bytes) in &mut damaged.pieces {
        if (*address..*address + bytes.len() as u64).contains(&next) {
            let at = (next - *address) as usize;
            bytes[at..at + 8].copy_from_slice(&first.to_le_bytes());
        }
    }
    let error = read::target(&damaged, Depth::Counts).expect_err("a cycle");
    assert!(format!("{error:#}").contains("cycle"), "{error:#}");
}

#[test]
fn another_version_and_a_damaged_directory_are_named() {
    let original = recorded();
    let directory = slubctl::image::find(original).expect("images")[0].directory;
    let damage = |offset: u64, byte: u8| {
        let mut damaged = original.clone();
        for (address, bytes) in &mut damaged.pieces {
            if let Some(at) = (directory + offset).checked_sub(*address)
                && let Some(place) = bytes.get_mut(at as usize)
            {
                *place = byte;
            }
        }
        format!(
            "{:#}",
            read::target(&damaged, Depth::Counts).expect_err("an error")
        )
    };
    assert!(damage(0, b'S').contains("damaged"));
    assert!(damage(8, 9).contains("directory of version 9"));
    assert!(damage(12, 4).contains("cut off"));
    assert!(damage(51, 0x80).contains("damaged directory"));
    assert!(damage(47, 0x80).contains("rows of the directory"));
}

#[test]
fn a_damaged_copy_hides_no_other() {
    let original = recorded();
    let image = &slubctl::image::find(original).expect("images")[0];
    let mut bytes = original.clone();
    // Another image with the same notes, far away, and a directory without rows.
    let start = original.mappings[0].range.start;
    let moved = |address: u64| address - start + (1 << 46);
    let pieces = original.pieces.iter().filter_map(|(address, piece)| {
        let end = address + piece.len() as u64;
        let is_image = *address >= start && end <= image.directory + 4096;
        is_image.then(|| (moved(*address), piece.clone()))
    });
    bytes.pieces.extend(pieces);
    for (address, piece) in &mut bytes.pieces {
        let place = (moved(image.directory) + 51).checked_sub(*address);
        if let Some(byte) = place.and_then(|it| piece.get_mut(it as usize)) {
            *byte = 0x80;
        }
    }
    let mut mapping = original.mappings[0].clone();
    mapping.range = moved(mapping.range.start)..moved(mapping.range.end);
    bytes.mappings.insert(0, mapping);
    let snapshot = read::target(&bytes, Depth::Counts).expect("a heap");
    assert_eq!(snapshot.heaps.len(), 1);
    assert_eq!(snapshot.unread.len(), 1);
    assert!(snapshot.unread[0].contains("damaged directory"));
}

/// What hostile memory may say.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(0),
        Just(u64::MAX),
        Just(1 << 63),
        Just(u64::from(u32::MAX)),
        0_u64..4096,
        (0_usize..1 << 20).prop_map(|index| {
            // An address that can be read.
            let pieces = &recorded().pieces;
            pieces[index % pieces.len()].0
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_memory_is_survived(
        has_pools in any::<bool>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), word(), 1_usize..9), 1..6)
    ) {
        let mut bytes = if has_pools { recorded_pools() } else { recorded() }.clone();
        for (piece, place, word, length) in damages {
            let (_, piece) = piece.get_mut(&mut bytes.pieces);
            let first = place.index(piece.len()) & !3;
            for (at, byte) in piece.iter_mut().skip(first).take(length).zip(word.to_le_bytes()) {
                *at = byte;
            }
        }
        look(&bytes);
    }
}
