//! Where tasks run.
//!
//! A backend is driven by nobody: it is given a [`Work`] and pulls from it. Backends do not know each
//! other ([`AnyBackend`] aside, which is one of them), nor [`Parallel`](crate::Parallel).

mod any;
#[cfg(target_os = "linux")]
mod cluster;
#[cfg(target_os = "linux")]
mod processes;
mod sequential;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use crate::delayed::Task;
use crate::error::BackendError;
use crate::pool::{Gauge, Lanes, Pool, Pulse};
use crate::work::Work;

pub use self::any::{AnyBackend, AnyOutput, AnyTask, register_backend};
#[cfg(target_os = "linux")]
pub use self::cluster::{Dask, Ray};
#[cfg(all(target_os = "linux", feature = "explicit-init"))]
pub use self::processes::init;
#[cfg(target_os = "linux")]
pub use self::processes::{Output, Processes};
#[cfg(all(target_os = "linux", any(test, fuzzing), not(loom)))]
pub(crate) use self::processes::{hostile_ring, hostile_told};
pub use self::sequential::Sequential;
pub use self::threads::Threads;

/// Where the tasks of type `T` run.
///
/// Write one for a place of your own. It is given the work of one call at a time, by as many callers
/// at once as there are; it pulls what it can do, and tells what came of it. See
/// [`run_here`](Work::run_here) for a lane on the calling thread, and the example `custom_backend` for
/// one that sends tasks elsewhere.
///
/// What `drive` owes to its caller:
///
/// - Each task that it [`take`](Work::take)s it [`finish`](Work::finish)es, or
///   [`give`](Work::give_back)s back, unless the work has [`stopped`](Work::stopped).
/// - When it returns, nothing of this work runs any more.
/// - No outcome of a task is an error of the backend. An error is what keeps it from running any.
#[diagnostic::on_unimplemented(
    message = "the backend `{Self}` cannot run tasks of type `{T}`",
    note = "on threads, a task and its result must be `Send`",
    note = "a backend is a value: `Threads::new()`, `Processes::new()`, or by its name `AnyBackend::named(\"processes\")?`"
)]
pub trait Backend<T: Task>: Send + Sync {
    /// Runs the tasks of `work`, up to `lanes` of them at a time, and returns when there are none left.
    ///
    /// # Errors
    /// If tasks are left that it could not run. A call that fails so has no results.
    fn drive(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError>;

    /// How long a batch shall last: a hundred times what it costs to hand one out, or more. Longer
    /// batches waste time at the end of a call, shorter ones all along.
    fn batch_time(&self) -> Duration {
        Duration::from_micros(200)
    }

    /// How many tasks it can run at a time, if that is not up to the CPUs of this machine: what a number
    /// of jobs of -1 means.
    fn slots(&self) -> Option<usize> {
        None
    }
}

/// CPU time used so far by whoever works for a call beside this process; `None` if that is not known.
type CpuTime = Box<dyn Fn() -> Option<Duration> + Send + Sync>;

/// Runs lanes on threads of a pool, and returns when the work is done.
fn run_lanes<T>(
    pool: &Pool,
    lanes: usize,
    work: &Work<'_, T>,
    beside: Option<CpuTime>,
    lane: impl Fn() + Sync,
) where
    T: Task + Send,
    T::Output: Send,
{
    if work.is_stream() {
        return pool.run(lanes, Lanes::Steady, &|_| lane());
    }
    let at_once = pool.at_once(lanes);
    let batches = (lanes > at_once).then(|| work.batches()).flatten();
    let gauge = batches.map(|batches| -> Gauge {
        work.begin_with(at_once);
        Arc::new(move || {
            let beside = beside.as_ref();
            Some(Pulse {
                cpu_time: beside.map_or(Some(Duration::ZERO), |used| used())?,
                batches: batches(),
            })
        })
    });
    let is_held = gauge.is_some();
    pool.run(lanes, Lanes::UntilDone(gauge), &|number| {
        if is_held && number >= at_once {
            work.lane_joins();
        }
        lane();
    });
}
