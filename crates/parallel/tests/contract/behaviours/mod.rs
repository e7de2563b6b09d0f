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
mod values;

use parallel::Parallel;

fn parallel(n_jobs: i32) -> Parallel<super::Here> {
    Parallel::new(n_jobs).backend(super::here())
}
