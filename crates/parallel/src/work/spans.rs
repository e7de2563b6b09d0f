//! What `tracing` is told of a call, all of it under the target `parallel`.
//!
//! | | level |
//! |---|---|
//! | the spans `call` and `task` | debug |
//! | a worker takes part, a task has failed or is to be started again | debug |
//! | a worker process has died | warn |
//! | batches have another size | trace |
//!
//! Without a subscriber that wants it, a call costs looking whether there is one, and so does a batch.

use tracing::{Level, Span, debug, debug_span, trace};

use crate::error::{Failure, TaskError};
use crate::observe::spans::TARGET;

/// That of a call; where nobody wants it, the one that the call is made in, so that what its tasks say is
/// said there on whatever thread.
pub(super) fn call(tasks: Option<usize>, n_jobs: usize, backend: &str) -> Span {
    let span = debug_span!(target: TARGET, "call", n_jobs, tasks, backend = short(backend));
    if span.is_disabled() {
        Span::current()
    } else {
        span
    }
}

/// The name of a type without its path and its parameters.
fn short(type_name: &str) -> &str {
    let path = type_name.split('<').next().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default()
}

/// Whether anybody wants those of tasks.
#[inline]
pub(crate) fn wanted() -> bool {
    tracing::span_enabled!(target: TARGET, Level::DEBUG, "task")
}

/// That of a task.
pub(crate) fn task(index: usize, attempt: u32, worker: usize) -> Span {
    debug_span!(target: TARGET, "task", index, attempt, worker)
}

pub(super) fn failed(error: &TaskError) {
    debug!(
        target: TARGET,
        index = error.index(),
        attempts = error.attempts(),
        failure = %error.failure(),
        "the task has failed",
    );
}

pub(super) fn batch_size(tasks: usize) {
    trace!(target: TARGET, tasks, "batches have another size");
}

/// A task is to be started again, after so many attempts.
#[cfg(target_os = "linux")]
pub(crate) fn retried(index: usize, attempt: u32, failure: &Failure) {
    debug!(target: TARGET, index, attempt, %failure, "the task is to be started again");
}

/// A worker process takes part.
#[cfg(target_os = "linux")]
pub(crate) fn worker(worker: usize, pid: u32) {
    debug!(target: TARGET, worker, pid, "a worker process takes part");
}

/// A worker process has died or was killed.
#[cfg(target_os = "linux")]
pub(crate) fn died(worker: usize, pid: u32, how: &str) {
    tracing::warn!(target: TARGET, worker, pid, how, "a worker process has died");
}
