//! The behaviours on a real Dask scheduler with two workers, and what Dask alone promises.

use std::sync::OnceLock;

use cluster_harness::DaskCluster;
use parallel::Dask;

#[path = "arrays.rs"]
mod arrays;
#[path = "../contract/behaviours/mod.rs"]
mod behaviours;
#[path = "../contract/behaviours/places.rs"]
mod behaviours_places;
#[path = "../contract/behaviours/together.rs"]
mod behaviours_together;
#[path = "../contract/behaviours/workers.rs"]
mod behaviours_workers;
mod certificates;
mod kept;
#[path = "local.rs"]
mod local;
#[path = "losses.rs"]
mod losses;
mod nodes;
#[path = "numbers.rs"]
mod numbers;
#[path = "output.rs"]
mod output;
#[path = "program.rs"]
mod program;
mod refused;
mod silent;

type Here = Dask;

/// Whether calls inside of tasks get a share of the CPUs, not all.
const SHARES_CPUS: bool = true;
/// Whether a task belongs to a batch where it is called.
const IN_BATCHES: bool = true;
/// Whether batches travel far: for milliseconds, to any worker that is free.
const FAR: bool = true;

/// Where a task finds the cluster that it runs on, for calls inside of it.
const ADDRESS: &str = "PARALLEL_TEST_DASK";

/// One cluster for all of these tests, which ends when they do: several run at the same time, whose tasks wait
/// for each other, so it has as many slots as they could use.
fn address() -> String {
    static CLUSTER: OnceLock<DaskCluster> = OnceLock::new();
    std::env::var(ADDRESS).unwrap_or_else(|_| {
        let cluster = CLUSTER.get_or_init(|| DaskCluster::start_with(2, 8, &[]));
        cluster.address().to_owned()
    })
}

fn here() -> Here {
    static DASK: OnceLock<Dask> = OnceLock::new();
    let dask = DASK.get_or_init(|| {
        let dask = Dask::connect(address()).unwrap_or_else(|error| panic!("{error}"));
        dask.env(ADDRESS, address())
    });
    dask.clone()
}

fn parallel(n_jobs: i32) -> parallel::Parallel<Here> {
    parallel::Parallel::new(n_jobs).backend(here())
}
