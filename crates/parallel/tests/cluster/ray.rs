//! The behaviours on a real two-node Ray cluster, and what Ray alone promises.

use std::sync::OnceLock;

use cluster_harness::{RayCluster, RayOptions};
use parallel::Ray;

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
#[path = "local.rs"]
mod local;
#[path = "losses.rs"]
mod losses;
#[path = "numbers.rs"]
mod numbers;
#[path = "output.rs"]
mod output;
#[path = "program.rs"]
mod program;
mod refused;

type Here = Ray;

/// Whether calls inside of tasks get a share of the CPUs, not all.
const SHARES_CPUS: bool = true;
/// Whether a task belongs to a batch where it is called.
const IN_BATCHES: bool = true;
/// Whether batches travel far: for milliseconds, to any worker that is free.
const FAR: bool = true;

/// Where a task finds the cluster that it runs on, for calls inside of it.
const ADDRESS: &str = "PARALLEL_TEST_RAY";

/// One cluster for all of these tests, which ends when they do: several run at the same time, whose tasks wait
/// for each other, so it has as many slots as they could use.
fn address() -> String {
    static CLUSTER: OnceLock<RayCluster> = OnceLock::new();
    std::env::var(ADDRESS).unwrap_or_else(|_| {
        let options = RayOptions {
            cpus: Some(4),
            ..RayOptions::default()
        };
        CLUSTER
            .get_or_init(|| RayCluster::start_with(options))
            .address()
    })
}

fn here() -> Here {
    static RAY: OnceLock<Ray> = OnceLock::new();
    let ray = RAY.get_or_init(|| {
        let ray = Ray::connect(address()).unwrap_or_else(|error| panic!("{error}"));
        ray.env(ADDRESS, address())
    });
    ray.clone()
}

fn parallel(n_jobs: i32) -> parallel::Parallel<Here> {
    parallel::Parallel::new(n_jobs).backend(here())
}
