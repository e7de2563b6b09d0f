//! Many small calls: whatever can meet at the wrong moment does so here sooner or later.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use parallel::{BatchSize, Parallel, delayed};

use super::{many, parallel};
use crate::tools::{seed, spin, with_deadline};

#[test]
fn calls_of_any_size_on_any_number_of_jobs() {
    let mut random = StdRng::seed_from_u64(seed());
    with_deadline(|| {
        for n_jobs in 2..=12 {
            let parallel = parallel(n_jobs);
            for _ in 0..many(60) {
                let tasks = random.random_range(2..=517u64);
                let rounds = random.random_range(0..50u64);
                let task = |(i, rounds): (u64, u64)| {
                    spin(i % 7 * rounds);
                    i
                };
                let calls = (0..tasks).map(|i| delayed(task, (i, rounds)));
                let results = parallel.run(calls).unwrap();
                assert!(
                    results.into_iter().eq(0..tasks),
                    "{tasks} tasks on {n_jobs} jobs"
                );
            }
        }
    });
}

#[test]
fn calls_that_fail_at_any_place() {
    let mut random = StdRng::seed_from_u64(seed());
    with_deadline(|| {
        for n_jobs in [2, 3, 12] {
            let parallel: Parallel<_> = parallel(n_jobs).batch_size(BatchSize::Fixed(5));
            for _ in 0..many(30) {
                let tasks = random.random_range(2..=60u64);
                let bad = random.random_range(0..tasks);
                let task = |(i, bad)| assert_ne!(i, bad, "bad");
                let error = parallel
                    .run((0..tasks).map(|i| delayed(task, (i, bad))))
                    .unwrap_err();
                assert!(
                    error
                        .to_string()
                        .starts_with(&format!("task {bad} panicked")),
                    "{error}"
                );
                let outcomes = parallel
                    .outcomes((0..tasks).map(|i| delayed(task, (i, bad))))
                    .unwrap();
                let failed = outcomes.iter().enumerate().filter(|(_, o)| o.is_err());
                assert!(failed.map(|(i, _)| i as u64).eq([bad]));
            }
        }
    });
}
