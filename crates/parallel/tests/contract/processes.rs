//! What processes alone promise, and the behaviours on them.

use parallel::Processes;

#[path = "behaviours/mod.rs"]
mod behaviours;

type Here = Processes;

fn here() -> Here {
    Processes::new()
}

mod deaths;
mod initializers;
mod nonsense;
mod timeouts;
mod travel;
mod workers;
