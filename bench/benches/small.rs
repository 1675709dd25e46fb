//! Small objects in process, measured by criterion: pair, batch and replace.
//!
//! The same functions as in `work`, each asked for as many operations as criterion wants.

mod linked;

use core::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slubmalloc_bench::stack::stack;
use slubmalloc_bench::table::{Table, system};
use slubmalloc_bench::workloads::find;

/// The tables in this process.
fn tables() -> Vec<Table> {
    vec![system(), linked::slubmalloc()]
}

fn small(criterion: &mut Criterion) {
    for name in [
        "pair/16",
        "pair/64",
        "pair/1024",
        "batch/25",
        "batch/1000",
        "replace/1e3",
        "replace/1e5",
    ] {
        let workload = find(name).expect("listed");
        let mut group = criterion.benchmark_group(name);
        let mut tables = tables();
        if name.starts_with("pair/") {
            tables.push(stack());
        }
        group.throughput(Throughput::Elements(1));
        for table in tables {
            group.bench_function(BenchmarkId::from_parameter(table.name), |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut params = workload.params(1, 0);
                    params.operations = iterations;
                    let outcome = (workload.run)(&table, &params);
                    // A workload does whole units of its own, so scale to what was asked for.
                    let nanoseconds = outcome.nanoseconds_per_operation() * iterations as f64;
                    Duration::from_nanos(nanoseconds as u64)
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = small
}
criterion_main!(benches);
