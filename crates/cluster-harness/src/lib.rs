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
use std::process::{Command, Stdio};

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

/// What runs a command where only the loopback device is, if this machine lets one: clusters run what they are
/// told by whoever can connect, and Ray listens on every interface. `alone.py` wakes the device.
#[must_use]
pub fn lonely() -> Option<&'static [&'static str]> {
    // Root may; others may where users may be root of a namespace of their own.
    const WAYS: [&[&str]; 2] = [
        &["unshare", "--net"],
        &["unshare", "--net", "--map-root-user"],
    ];
    let works = |way: &[&str]| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).arg("true").stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    WAYS.into_iter().find(|way| works(way))
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
