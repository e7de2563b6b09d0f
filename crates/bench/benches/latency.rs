//! How long a call waits for its first results: the first call, which starts the workers, and a later
//! one.

use std::time::{Duration, Instant};

use bench::{jobs, noop};
use criterion::{Criterion, criterion_group, criterion_main};
use parallel::{Parallel, Processes, delayed};

fn first_call(c: &mut Criterion) {
    let mut group = c.benchmark_group("first call, a task for each worker");
    group.bench_function("threads", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| cold_threads()).sum());
    });
    group.bench_function("processes", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| cold_processes()).sum());
    });
    group.finish();
}

/// The workers' end, when the `Parallel` is dropped, comes after the time is taken.
fn cold_threads() -> Duration {
    let start = Instant::now();
    let parallel = Parallel::new(jobs());
    parallel.map(noop, 0..jobs() as u64).unwrap();
    start.elapsed()
}

fn cold_processes() -> Duration {
    let start = Instant::now();
    let parallel = Parallel::new(jobs()).backend(Processes::new());
    parallel.map(noop, 0..jobs() as u64).unwrap();
    start.elapsed()
}

fn warm_call(c: &mut Criterion) {
    let mut group = c.benchmark_group("warm call of one task");

    let threads = Parallel::new(jobs());
    group.bench_function("threads", |b| b.iter(|| threads.run([delayed(noop, 1)])));

    let processes = Parallel::new(jobs()).backend(Processes::new());
    group.bench_function("processes", |b| {
        b.iter(|| processes.run([delayed(noop, 1)]));
    });
    group.finish();
}

fn short_runs() -> Criterion {
    Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group!(name = benches; config = short_runs(); targets = first_call, warm_call);
criterion_main!(benches);
