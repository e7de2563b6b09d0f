//! Real clusters on this machine, for tests and benchmarks: what they start is what a user would start on
//! the command line, and all of it is gone when the value that stands for it is dropped, or when the tests die.
//!
//! `cargo xtask test-cluster` brings the Python packages.

mod dask;
mod program;
mod ray;

pub use dask::DaskCluster;
pub use program::{Process, Program};
pub use ray::{RayCluster, RayOptions};

use std::path::PathBuf;

/// The Python that has `distributed` and `ray`: `PARALLEL_PYTHON`.
///
/// # Panics
///
/// When nothing says where it is.
#[must_use]
pub fn python() -> PathBuf {
    std::env::var_os("PARALLEL_PYTHON").map_or_else(
        || {
            panic!(
                "PARALLEL_PYTHON does not say which Python has distributed and ray: \
                 run `cargo xtask test-cluster`, which makes one in target/cluster-venv"
            )
        },
        PathBuf::from,
    )
}

/// A command that was installed with [`python`].
fn command(name: &str) -> PathBuf {
    let path = python().with_file_name(name);
    assert!(
        path.is_file(),
        "{} is not there: run `cargo xtask test-cluster`, which installs it",
        path.display()
    );
    path
}
