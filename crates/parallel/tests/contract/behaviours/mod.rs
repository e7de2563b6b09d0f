//! The behaviours, on the backend of the module that includes them.

mod batches;
mod cancels;
mod events;
mod failures;
mod order;
mod races;
mod shared;
mod sharing;
mod streams;
mod submits;
mod try_runs;
mod values;

use parallel::Parallel;

/// So many of what goes one by one; fewer where that takes milliseconds.
fn many(n: u64) -> u64 {
    if super::FAR { n / 20 } else { n }
}

fn parallel(n_jobs: i32) -> Parallel<super::Here> {
    Parallel::new(n_jobs).backend(super::here())
}
