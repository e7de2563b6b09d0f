//! What every backend must do: one set of behaviours, the same test names on each. Here on backends that run tasks in
//! this process; `elsewhere.rs` has those with worker processes, and `tests/cluster` those on clusters.
//!
//! `cargo test -p parallel --test 'contract*' failures` runs the tests of failures on both,
//! `… --test contract threads` those of one backend and what it alone promises.
#![allow(
    clippy::duplicate_mod,
    reason = "each backend includes the same behaviours"
)]

/// Says what plain `cargo test` leaves out.
#[cfg(not(feature = "cluster-tests"))]
#[test]
#[ignore = "on real Dask and Ray clusters, which need Python: `cargo xtask test-cluster`"]
fn on_clusters() {
    panic!("run `cargo xtask test-cluster`");
}

mod any;
mod broken;
mod custom;
mod sequential;
mod threads;
mod tools;
