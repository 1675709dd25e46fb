//! A Rust program on slubmalloc: collections, strings, over-aligned types and threads.

use std::collections::BTreeMap;
#[cfg(not(miri))]
use std::process::Command;
use std::sync::mpsc;
use std::thread;

#[global_allocator]
static ALLOCATOR: slubmalloc::Slubmalloc = slubmalloc::Slubmalloc;

#[repr(align(4096))]
struct Page([u8; 4096]);

#[test]
fn collections_are_what_they_should_be() {
    let mut map = BTreeMap::new();
    for number in 0..50_000_u64 {
        map.insert(
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            number.to_string(),
        );
    }
    map.retain(|_, text| !text.ends_with('7'));
    assert_eq!(map.len(), 45_000);
    assert!(map.iter().all(|(key, text)| {
        text.parse::<u64>()
            .is_ok_and(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) == *key)
    }));
    slubmalloc::raw::validate();
}

#[test]
fn what_one_thread_makes_another_drops() {
    let (send, receive) = mpsc::channel::<Vec<u8>>();
    let makers: Vec<_> = (0..4)
        .map(|maker: u8| {
            let send = send.clone();
            thread::spawn(move || {
                for size in 0..5_000 {
                    send.send(vec![maker; size]).expect("somebody listens");
                }
            })
        })
        .collect();
    drop(send);
    let sum: usize = receive.into_iter().map(|bytes| bytes.len()).sum();
    assert_eq!(sum, 4 * 5_000 * 4_999 / 2);
    makers
        .into_iter()
        .for_each(|maker| maker.join().expect("a maker ends well"));
    slubmalloc::raw::validate();
}

#[test]
fn alignment_and_zeroes_are_kept_when_a_vector_grows() {
    let mut pages = Vec::new();
    for mark in 0..200_u8 {
        pages.push(Page([mark; 4096]));
    }
    assert_eq!(pages.as_ptr().addr() % 4096, 0);
    assert!(
        pages
            .iter()
            .zip(0..)
            .all(|(page, mark)| page.0 == [mark; 4096])
    );
    assert!(vec![0_u8; 3 << 20].iter().all(|byte| *byte == 0));
    assert!(slubmalloc::stats().in_use >= 200 * 4096);
}

#[cfg(not(miri))]
#[test]
fn every_tracepoint_of_the_program_lies_in_its_code() {
    let readelf = |what: &str| {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new("readelf");
        let output = command
            .args([what, "--wide"])
            .arg(program)
            .output()
            .expect("readelf, of Debian's package binutils");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let number = |text: &str| {
        let digits = text.trim_start_matches("0x").trim_end_matches(',');
        u64::from_str_radix(digits, 16).expect("a number")
    };
    // Type, offset, virtual address, physical address, size in the file, size in memory, "R E".
    let headers = readelf("--program-headers");
    let code: Vec<_> = headers
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|it| it.len() > 7 && it[0] == "LOAD" && it[6..8] == ["R", "E"])
        .map(|it| number(it[2])..number(it[2]) + number(it[5]))
        .collect();
    let notes = readelf("--notes");
    let places: Vec<_> = notes
        .split("Provider: slubmalloc\n")
        .skip(1)
        .filter_map(|part| part.split("Location: ").nth(1)?.split_whitespace().next())
        .collect();
    assert!(places.len() > 12, "{notes}");
    for place in places {
        // A linker that removes a function leaves its note, with an address near 0.
        let is_in_code = code.iter().any(|it| it.contains(&number(place)));
        assert!(is_in_code, "{place}\n{headers}{notes}");
    }
}
