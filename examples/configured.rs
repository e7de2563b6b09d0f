//! The user chooses where and how, not the library that calls in parallel.
//! Run it with `PARALLEL_BACKEND=processes PARALLEL_N_JOBS=4 cargo run --example configured`.

use parallel::{Parallel, config};

/// A library, which does not say where it runs.
mod library {
    use parallel::{Error, Parallel, delayed};

    pub fn process_ids() -> Result<Vec<u32>, Error> {
        Parallel::configured().run((0..100).map(|i: u32| delayed(|_| std::process::id(), i)))
    }
}

fn main() -> Result<(), parallel::Error> {
    let jobs = Parallel::configured().effective_n_jobs()?;
    let here = std::process::id();
    let elsewhere = library::process_ids()?.iter().any(|id| *id != here);
    let place = if elsewhere { "in workers" } else { "here" };
    println!("As the environment says: {jobs} jobs, {place}");

    let ids = config()
        .backend("processes:timeout=5s")
        .n_jobs(2)
        .scope(library::process_ids)?;
    assert!(ids.iter().all(|id| *id != here));
    println!("As the scope says: 2 jobs, in workers");
    Ok(())
}
