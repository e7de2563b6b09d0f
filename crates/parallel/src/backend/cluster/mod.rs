//! Clusters of other makers: Dask, Ray. They schedule; order, bounds, batches and outcomes stay ours.
//!
//! ```text
//!  program ──frames──► bridge.py ──the engine's client──► scheduler ──► node
//!   Call, Work         (one process, ours, embedded)                     runtime.py (text)
//!                                                                          └─ slot: the program's own executable
//!                                                                               └─ worker process
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | [`dask`], [`ray`] | the engines, as their users see them |
//! | [`setup`] | what a user sets for the worker processes there |
//! | [`call`], [`lanes`], [`landing`] | one call: sends batches, takes in what came of them |
//! | [`telling`], [`heard`] | what happens in batches: as the call tells it, and as a slot does |
//! | [`batch`] | a batch and its answer, as bytes |
//! | [`arrays`], `arrays.py` | `Shared` arrays, once for each node |
//! | [`bridge`], `bridge.py`, `dask_engine.py`, `ray_engine.py` | the process that speaks with the engine |
//! | [`routes`] | who is told what comes from it |
//! | [`frames`] | messages to and from it |
//! | [`same_code`] | whether another executable will do as well |
//! | `runtime.py` | what runs on the nodes: keeps slots |
//! | [`slot`], [`assigned`] | one slot there: runs batches in a worker process |
//! | [`copy`], `copy.py` | the executable there, until nobody uses it |

mod arrays;
mod assigned;
mod batch;
mod bridge;
mod call;
mod copy;
mod dask;
mod frames;
mod heard;
mod landing;
mod lanes;
mod options;
mod ray;
mod routes;
#[cfg(all(test, not(loom), feature = "cluster-tests"))]
mod runtime_tests;
mod same_code;
mod setup;
mod slot;
mod telling;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::bridge::{Bridge, Target};
use self::call::Call;
pub use self::dask::Dask;
pub use self::ray::Ray;
use self::setup::Setup;
pub(in crate::backend) use self::slot::{MARK, main};
use super::processes::{Initializer, check_start};
use crate::delayed::Portable;
use crate::error::BackendError;
use crate::shared::Object;
use crate::work::Work;

/// A cluster that can be used, whatever its engine. Clones share the connection.
#[derive(Clone, Debug)]
struct Cluster {
    bridge: Arc<Bridge>,
    setup: Setup,
    /// To which that refers.
    arrays: Vec<Arc<Object>>,
    /// How long a batch shall last at least, as the engine takes milliseconds for each.
    batch_time: Duration,
    /// What slots run, if it is not this executable as it is here.
    executable: Option<PathBuf>,
    /// Why what was set cannot be.
    refused: Option<String>,
}

/// As an engine starts about a thousand batches a second, whatever it has of slots, they must last longer where
/// there are more than a few hundred, or slots would wait for it.
const BETWEEN_STARTS: Duration = Duration::from_millis(1);

impl Cluster {
    fn connect(target: Target) -> Result<Self, BackendError> {
        check_start()?;
        Ok(Self {
            batch_time: target.batch_time,
            bridge: Arc::new(Bridge::start(target)?),
            setup: Setup::default(),
            arrays: Vec::new(),
            executable: None,
            refused: None,
        })
    }

    fn drive<T: Portable>(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError>
    where
        T::Output: Send + 'static,
    {
        if let Some(refused) = &self.refused {
            return Err(BackendError::new(refused.as_str()));
        }
        let executable = self.executable.clone().unwrap_or_else(|| {
            // As the bridge sees it, also if its file has been replaced since.
            format!("/proc/{}/exe", std::process::id()).into()
        });
        self.bridge.ship(&executable);
        Call::run(self, lanes, work)
    }

    fn slots(&self) -> usize {
        self.bridge.slots()
    }

    /// How long a batch shall last.
    fn batch_time(&self) -> Duration {
        let slots = u32::try_from(self.slots()).unwrap_or(u32::MAX);
        BETWEEN_STARTS.saturating_mul(slots).max(self.batch_time)
    }
}

impl Cluster {
    fn begin_with(&mut self, initializer: Result<Initializer, String>) {
        match initializer {
            Ok(initializer) => {
                self.setup.initializer = Some((&initializer).into());
                self.arrays = initializer.arrays;
            }
            Err(why) => drop(self.refused.get_or_insert(why)),
        }
    }

    fn ship_instead(&mut self, executable: PathBuf) {
        // The first that is wrong is told.
        if let Err(error) = same_code::check(&executable) {
            self.refused.get_or_insert(error.to_string());
        }
        self.executable = Some(executable);
    }
}

/// A number of workers, at least one.
fn python_number(workers: usize) -> String {
    workers.max(1).to_string()
}
