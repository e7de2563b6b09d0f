//! Dask, as its user sees it.

use std::time::Duration;

use super::bridge::Target;
use super::options::worker_options;
use super::{Cluster, python_number};
use crate::error::BackendError;

/// Runs tasks on a [Dask](https://distributed.dask.org) cluster.
///
/// A task must be [`Portable`](crate::Portable), as for [`Processes`](crate::Processes). This executable is
/// shipped to the nodes; each slot, a thread of one of Dask's workers, runs it as a process of its own, in
/// which a crash costs the task that crashed. Nothing has to be installed there. Here it takes a Python with
/// the package `distributed` of the cluster's version: `python3`, or what `PARALLEL_PYTHON` names.
///
/// `Parallel::new(-1)` uses all slots of the cluster, also those that come while a call runs; a positive number no more
/// than that many at a time.
///
/// What the cluster loses runs again: at least once, not exactly once. See [`retries`](Self::retries).
///
/// Clones share the connection. Linux only.
///
/// ```no_run
/// use parallel::{Dask, Parallel, delayed};
///
/// let dask = Dask::connect("tcp://127.0.0.1:8786")?;
/// let squares = Parallel::new(-1).backend(dask).run((0..10u64).map(|i| delayed(|i| i * i, i)))?;
/// assert_eq!(squares[9], 81);
/// # Ok::<(), parallel::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dask {
    pub(super) cluster: Cluster,
}

const TEXT: &str = include_str!("dask_engine.py");

impl Dask {
    /// Connects to the scheduler at this address: `tcp://host:8786`, or `tls://host:8786` with the
    /// certificates that Dask's own configuration names.
    ///
    /// # Errors
    /// If it cannot be reached; if there is no Python here, or none with the package `distributed` of the
    /// cluster's version: then the error has the command that installs it.
    ///
    /// ```no_run
    /// use parallel::Dask;
    ///
    /// let dask = Dask::connect("tcp://127.0.0.1:8786")?;
    /// println!("{} tasks at a time", dask.slots());
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn connect(address: impl Into<String>) -> Result<Self, BackendError> {
        Self::start(address.into(), Vec::new())
    }

    /// Starts a cluster of so many workers on this machine, to try it. It goes when this is dropped, or when
    /// this process ends, by whatever way.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    ///
    /// ```no_run
    /// use parallel::{Dask, Parallel};
    ///
    /// let parallel = Parallel::new(-1).backend(Dask::local(2)?);
    /// assert_eq!(parallel.map(|i: u64| i + 1, 0..3)?, [1, 2, 3]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn local(workers: usize) -> Result<Self, BackendError> {
        let options = vec![("local", python_number(workers))];
        Self::start("this machine".to_owned(), options)
    }

    fn start(address: String, options: Vec<(&'static str, String)>) -> Result<Self, BackendError> {
        let cluster = Cluster::connect(Target {
            engine: "dask",
            text: TEXT,
            address,
            batch_time: Duration::from_millis(500),
            options,
        })?;
        Ok(Self { cluster })
    }
}

worker_options!(Dask);
