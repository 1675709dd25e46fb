//! A Rust program on slubmalloc with a known heap: 3,000 boxes of 384 bytes, of which it frees 1,000, and then sleeps.

use std::io::Write;

#[global_allocator]
static ALLOCATOR: slubmalloc::Slubmalloc = slubmalloc::Slubmalloc;

fn main() {
    let mut boxes: Vec<Box<[u8; 384]>> = (0..3000).map(|_| Box::new([1; 384])).collect();
    boxes.truncate(2000);
    println!("ready");
    std::io::stdout().flush().expect("a reader");
    loop {
        std::thread::park();
        assert_eq!(boxes.len(), 2000);
    }
}
