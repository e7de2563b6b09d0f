//! What is left of the difference to rayon when tasks do something: 10, 100 and 1000 ns of it.
//!
//! A call has a million tasks, so read its milliseconds as a task's nanoseconds.

use std::time::Duration;

use bench::{MILLION, jobs, spin, steps_for};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use parallel::{Parallel, delayed};
use rayon::prelude::*;

fn work(c: &mut Criterion) {
    let mut group = c.benchmark_group("work, a million tasks");
    let threads = Parallel::new(jobs());
    for nanos in [10, 100, 1000] {
        let steps = steps_for(Duration::from_nanos(nanos));
        group.bench_function(BenchmarkId::new("threads", nanos), |b| {
            b.iter(|| threads.run((0..MILLION).map(|_| delayed(spin, steps))));
        });
        group.bench_function(BenchmarkId::new("rayon par_iter", nanos), |b| {
            let tasks = || (0..MILLION).into_par_iter().map(|_| spin(steps));
            b.iter(|| tasks().collect::<Vec<_>>());
        });
        group.bench_function(BenchmarkId::new("rayon par_bridge", nanos), |b| {
            let tasks = || (0..MILLION).par_bridge().map(|_| spin(steps));
            b.iter(|| tasks().collect::<Vec<_>>());
        });
    }
    group.finish();
}

fn short_runs() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group!(name = benches; config = short_runs(); targets = work);
criterion_main!(benches);
