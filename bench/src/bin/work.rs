//! Runs one workload on the `malloc` this program was started with.

#![forbid(unsafe_code)]

fn main() {
    slubmalloc_bench::cli::main(slubmalloc_bench::table::system());
}
