//! One task after the other, on the calling thread: the reference for all others.

use std::time::Duration;

use super::Backend;
use crate::context::Context;
use crate::delayed::Task;
use crate::error::BackendError;
use crate::work::Work;

/// Runs tasks where it is called, one by one, each as soon as the input gives it.
///
/// For debugging, and to compare with. Tasks need not be `Send`. Streams have a thread of their own for it, and what is
/// submitted are calls of their own, as many at a time as there are jobs.
///
/// ```
/// use parallel::{Parallel, Sequential, delayed};
///
/// let squares = Parallel::new(3).backend(Sequential::new()).run((0..4).map(|i| delayed(|i| i * i, i)))?;
/// assert_eq!(squares, [0, 1, 4, 9]);
/// # Ok::<(), parallel::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential(());

impl Sequential {
    /// It has nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl<T: Task> Backend<T> for Sequential {
    fn drive(&self, _lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
        Context::of_tasks(1).enter(|| work.run_here());
        Ok(())
    }

    /// No task is pulled before the one before it is done.
    fn batch_time(&self) -> Duration {
        Duration::ZERO
    }
}
