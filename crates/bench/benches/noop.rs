//! What a task costs that does nothing.
//!
//! A call has a million tasks, so read its milliseconds as a task's nanoseconds; one by one it has ten
//! thousand, so a millisecond is a hundred nanoseconds of a task.

use std::time::Duration;

use bench::{MILLION, jobs, noop};
use criterion::{Criterion, criterion_group, criterion_main};
use parallel::{BatchSize, Parallel, Portable, Processes, delayed};
use rayon::prelude::*;

fn noops(n: u64) -> impl Iterator<Item = impl Portable<Output = u64>> + Send {
    (0..n).map(|i| delayed(noop, i))
}

fn batched(c: &mut Criterion) {
    let mut group = c.benchmark_group("noop, a million tasks");

    let threads = Parallel::new(jobs());
    group.bench_function("threads", |b| b.iter(|| threads.run(noops(MILLION))));

    let processes = Parallel::new(jobs()).backend(Processes::new());
    group.bench_function("processes", |b| b.iter(|| processes.run(noops(MILLION))));

    group.bench_function("rayon par_iter", |b| {
        b.iter(|| (0..MILLION).into_par_iter().map(noop).collect::<Vec<_>>());
    });
    // Its results have no order.
    group.bench_function("rayon par_bridge", |b| {
        b.iter(|| (0..MILLION).par_bridge().map(noop).collect::<Vec<_>>());
    });
    group.finish();
}

fn one_by_one(c: &mut Criterion) {
    let mut group = c.benchmark_group("noop one by one, ten thousand tasks");
    let one = BatchSize::Fixed(1);

    let threads = Parallel::new(jobs()).batch_size(one);
    group.bench_function("threads", |b| b.iter(|| threads.run(noops(MILLION / 100))));

    let processes = Parallel::new(jobs())
        .backend(Processes::new())
        .batch_size(one);
    group.bench_function("processes", |b| {
        b.iter(|| processes.run(noops(MILLION / 100)));
    });
    group.finish();
}

fn short_runs() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group!(name = benches; config = short_runs(); targets = batched, one_by_one);
criterion_main!(benches);
