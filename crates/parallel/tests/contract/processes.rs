//! What processes alone promise, and the behaviours on them.

use parallel::Processes;

#[path = "behaviours/mod.rs"]
mod behaviours;
#[path = "behaviours/places.rs"]
mod behaviours_places;

type Here = Processes;

fn here() -> Here {
    Processes::new()
}

fn parallel(n_jobs: i32) -> parallel::Parallel<Here> {
    parallel::Parallel::new(n_jobs).backend(here())
}

mod deaths;
mod initializers;
mod nonsense;
mod numbers;
mod output;
mod resources;
mod timeouts;
mod travel;
mod workers;
