//! Ray, as its user sees it.

use std::time::Duration;

use super::bridge::Target;
use super::options::worker_options;
use super::{Cluster, python_number};
use crate::error::BackendError;

/// Runs tasks on a [Ray](https://docs.ray.io) cluster.
///
/// A task must be [`Portable`](crate::Portable), as for [`Processes`](crate::Processes). This executable is
/// shipped to the nodes; each slot, a CPU that Ray may use, runs it as a process of its own, in which a crash
/// costs the task that crashed. Nothing has to be installed there. Here it takes a Python of the cluster's
/// version, with the package `ray[client]` of the cluster's version: `python3`, or what `PARALLEL_PYTHON`
/// names.
///
/// `Parallel::new(-1)` uses all slots of the cluster, also those that come while a call runs; a positive number no more
/// than that many at a time.
///
/// What the cluster loses runs again: at least once, not exactly once. See [`retries`](Self::retries).
///
/// Clones share the connection. Linux only.
///
/// ```no_run
/// use parallel::{Parallel, Ray, delayed};
///
/// let ray = Ray::connect("ray://127.0.0.1:10001")?;
/// let squares = Parallel::new(-1).backend(ray).run((0..10u64).map(|i| delayed(|i| i * i, i)))?;
/// assert_eq!(squares[9], 81);
/// # Ok::<(), parallel::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ray {
    pub(super) cluster: Cluster,
}

const TEXT: &str = include_str!("ray_engine.py");

impl Ray {
    /// Connects to the head at this address: `ray://host:10001` from anywhere, `host:6379` on a node of the
    /// cluster.
    ///
    /// A token is taken from where Ray looks for it: with `RAY_AUTH_MODE=token`, from `RAY_AUTH_TOKEN`, the
    /// file that `RAY_AUTH_TOKEN_PATH` names, or `~/.ray/auth_token`.
    ///
    /// # Errors
    /// If it cannot be reached; if it refuses the token; if there is no Python here, or none of the cluster's
    /// version with the package `ray` of the cluster's version: then the error has the command that installs
    /// it.
    ///
    /// ```no_run
    /// use parallel::Ray;
    ///
    /// let ray = Ray::connect("ray://127.0.0.1:10001")?;
    /// println!("{} tasks at a time", ray.slots());
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn connect(address: impl Into<String>) -> Result<Self, BackendError> {
        Self::start(address.into(), Vec::new())
    }

    /// Starts a cluster with so many slots on this machine, to try it. It goes when this is dropped, or when
    /// this process ends, by whatever way.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    ///
    /// ```no_run
    /// use parallel::{Parallel, Ray};
    ///
    /// let parallel = Parallel::new(-1).backend(Ray::local(2)?);
    /// assert_eq!(parallel.map(|i: u64| i + 1, 0..3)?, [1, 2, 3]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn local(slots: usize) -> Result<Self, BackendError> {
        let options = vec![("local", python_number(slots))];
        Self::start("this machine".to_owned(), options)
    }

    fn start(address: String, options: Vec<(&'static str, String)>) -> Result<Self, BackendError> {
        let cluster = Cluster::connect(Target {
            engine: "ray",
            text: TEXT,
            address,
            // Between two batches it gives a slot up, and finds it again late.
            batch_time: Duration::from_secs(1),
            options,
        })?;
        Ok(Self { cluster })
    }
}

worker_options!(Ray);
