//! What processes alone promise, and the behaviours on them.

use parallel::Processes;

#[path = "behaviours/mod.rs"]
mod behaviours;
#[path = "behaviours/places.rs"]
mod behaviours_places;
#[path = "behaviours/reclaims.rs"]
mod behaviours_reclaims;
#[path = "behaviours/together.rs"]
mod behaviours_together;
#[path = "behaviours/workers.rs"]
mod behaviours_workers;

type Here = Processes;

/// Whether calls inside of tasks get a share of the CPUs, not all.
const SHARES_CPUS: bool = true;
/// Whether a task belongs to a batch where it is called.
const IN_BATCHES: bool = true;
/// Whether batches travel far: for milliseconds, to any worker that is free.
const FAR: bool = false;

fn here() -> Here {
    Processes::new()
}

fn parallel(n_jobs: i32) -> parallel::Parallel<Here> {
    parallel::Parallel::new(n_jobs).backend(here())
}

mod apart;
mod deaths;
mod initializers;
mod large;
mod nonsense;
mod numbers;
mod output;
mod resources;
mod shared;
mod timeouts;
mod travel;
mod watched;
mod workers;
