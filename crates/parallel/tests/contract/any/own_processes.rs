//! The behaviours, on worker processes as if a user had written them: what they run has any type.

use parallel::{AnyBackend, Parallel, Processes};

#[path = "../behaviours/mod.rs"]
mod behaviours;
#[path = "../behaviours/places.rs"]
mod places;
#[path = "../behaviours/reclaims.rs"]
mod reclaims;
#[path = "../behaviours/together.rs"]
mod together;

type Here = AnyBackend;

/// Whether calls inside of tasks get a share of the CPUs, not all.
const SHARES_CPUS: bool = true;
/// Whether a task belongs to a batch where it is called.
const IN_BATCHES: bool = true;
/// Whether batches travel far: for milliseconds, to any worker that is free.
const FAR: bool = false;

fn here() -> Here {
    AnyBackend::new(Processes::new())
}

fn parallel(n_jobs: i32) -> Parallel<Here> {
    Parallel::new(n_jobs).backend(here())
}
