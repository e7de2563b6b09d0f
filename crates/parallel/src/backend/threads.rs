//! The threads of this process.

use super::{Backend, run_lanes};
use crate::context::Context;
use crate::delayed::Task;
use crate::error::BackendError;
use crate::pool::Pool;
use crate::work::Work;

/// Runs tasks on threads of this process: the default.
///
/// Tasks may borrow from the caller. The calling thread takes part, so one job needs no other thread,
/// and a call from inside a task never waits for a free one. The other threads are started when they
/// are first needed, sleep between calls, and end when this is dropped.
///
/// ```
/// use parallel::{Parallel, delayed};
///
/// let dishes = vec!["Pizza".to_owned(), "Salad".to_owned()];
/// let lengths = Parallel::new(2).run(dishes.iter().map(|dish| delayed(String::len, dish)))?;
/// assert_eq!(lengths, [5, 5]);
/// # Ok::<(), parallel::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Threads {
    pool: Pool,
}

impl Threads {
    /// No thread is started yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T: Task + Send> Backend<T> for Threads
where
    T::Output: Send,
{
    fn drive(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
        let context = Context::of_tasks(lanes);
        let lanes = work.lanes_needed(lanes);
        run_lanes(&self.pool, lanes, work, None, || {
            context.enter(|| work.run_here());
        });
        Ok(())
    }
}
